"""Nodes that die, hang, and come back."""

import threading

import pytest
from harness import Cluster, Connection, PacedDownload, PacedUpload, make_bytes, wait_until

CHUNK = 1 << 20


def test_an_upload_survives_the_kill_of_a_node_and_what_the_node_missed_is_made_up_for(fleet):
    cluster = Cluster(fleet, 4)
    content = make_bytes(24 * CHUNK + 99, "upload")
    upload = PacedUpload(cluster.distributor.http_address, content)
    upload.send(8 * CHUNK + 300_000)
    cluster.nodes[1].kill()
    response = upload.finish()
    assert response.status == 201, f"{response}"
    # What the store, far below the request, says of the node can be found by the request's id.
    request_id = response.headers["X-Request-ID"]
    assert [line for line in cluster.distributor.errors().splitlines() if "a fragment was not written" in line and request_id in line]
    file_id = response.json()["fileID"]
    assert cluster.rest.download(file_id) == content
    cluster.nodes[1].start()
    cluster.wait_for_state("up", cluster.nodes[1])
    cluster.wait_for_repairs()
    cluster.nodes[0].kill()
    cluster.nodes[2].kill()
    # Four nodes and three copies: any two nodes have all of it between them.
    assert cluster.rest.download(file_id) == content


def test_an_upload_survives_a_node_that_hangs(fleet):
    cluster = Cluster(fleet, 3)
    content = make_bytes(16 * CHUNK, "hang")
    upload = PacedUpload(cluster.distributor.http_address, content)
    upload.send(5 * CHUNK)
    cluster.nodes[2].pause()
    response = upload.finish()
    assert response.status == 201, f"{response}"
    assert cluster.rest.download(response.json()["fileID"]) == content
    cluster.nodes[2].resume()
    cluster.wait_for_state("up", *cluster.nodes)
    cluster.wait_for_repairs()
    cluster.wait_for_fragments(3 * 16)


def test_a_download_survives_the_kill_of_nodes_one_after_another(fleet):
    cluster = Cluster(fleet, 4)
    content = make_bytes(48 * CHUNK + 5, "download")
    file = cluster.rest.upload(content)
    cluster.wait_for_fragments(3 * 49)
    download = PacedDownload(cluster.distributor.http_address, file["fileID"])
    received = [download.take(3 * CHUNK)]
    cluster.nodes[0].kill()
    received.append(download.take(15 * CHUNK))
    cluster.nodes[3].kill()
    received.append(download.rest())
    assert b"".join(received) == content


def test_a_download_survives_a_node_that_hangs(fleet):
    cluster = Cluster(fleet, 3)
    content = make_bytes(32 * CHUNK + 5, "download")
    file = cluster.rest.upload(content)
    cluster.wait_for_fragments(3 * 33)
    download = PacedDownload(cluster.distributor.http_address, file["fileID"])
    received = [download.take(3 * CHUNK)]
    cluster.nodes[0].pause()
    received.append(download.rest())
    cluster.nodes[0].resume()
    assert b"".join(received) == content
    cluster.wait_for_state("up", *cluster.nodes)


@pytest.mark.timeout(120)
def test_with_any_one_node_down_everything_is_read_and_written(fleet):
    cluster = Cluster(fleet, 4)
    files = {}

    def store(label: object) -> None:
        content = make_bytes(4 * CHUNK + 11, label)
        files[cluster.rest.upload(content)["fileID"]] = content

    store("before")
    for node in cluster.nodes:
        node.kill()
        # Once while the distributor has not noticed, once when it has.
        store((node.name, "unnoticed"))
        cluster.wait_for_state("down", node)
        store((node.name, "noticed"))
        for file_id, content in files.items():
            assert cluster.rest.download(file_id) == content
        node.start()
        cluster.wait_for_state("up", node)
        cluster.wait_for_repairs()
    # Nodes that covered for another may keep what they took.
    wait_until(lambda: cluster.rest.fragment_count() >= 3 * 5 * len(files), 10, "every copy is there")


def test_a_node_catches_up_on_what_it_missed(fleet):
    cluster = Cluster(fleet, 3)
    late = cluster.nodes[2]
    late.kill()
    cluster.wait_for_state("down", late)
    contents = [make_bytes(size, size) for size in (1, 65_536, 3 * CHUNK + 1, 6 * CHUNK)]
    files = {cluster.rest.upload(content)["fileID"]: content for content in contents}
    assert cluster.rest.repair_queue_length() == 1 + 1 + 4 + 6
    late.start()
    cluster.wait_for_state("up", late)
    cluster.wait_for_repairs()
    wait_until(lambda: cluster.description(late)["fragmentCount"] == 1 + 1 + 4 + 6, 10, "the node has every fragment")
    cluster.nodes[0].kill()
    cluster.nodes[1].kill()
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content


def test_what_others_took_for_a_node_goes_when_the_node_has_caught_up(fleet):
    cluster = Cluster(fleet, 5)
    late = cluster.nodes[2]
    late.kill()
    cluster.wait_for_state("down", late)
    for number in range(12):
        cluster.rest.upload(make_bytes(100_000, number))
    cluster.wait_for_fragments(3 * 12)
    missed = cluster.rest.repair_queue_length()
    assert missed > 0
    late.start()
    cluster.wait_for_state("up", late)
    wait_until(lambda: cluster.description(late)["fragmentCount"] == missed, 20, "the node has what it missed")
    cluster.wait_for_fragments(3 * 12)


def test_what_a_node_missed_is_not_forgotten_by_a_distributor_that_is_killed(fleet):
    cluster = Cluster(fleet, 3)
    late = cluster.nodes[1]
    late.kill()
    content = make_bytes(5 * CHUNK, "remembered")
    file = cluster.rest.upload(content)
    cluster.distributor.kill()
    cluster.distributor.start()
    assert cluster.rest.repair_queue_length() == 5
    late.start()
    cluster.wait_for_repairs()
    cluster.nodes[0].kill()
    cluster.nodes[2].kill()
    assert cluster.rest.download(file["fileID"]) == content


def test_a_deletion_reaches_a_node_that_was_away(fleet):
    cluster = Cluster(fleet, 3)
    file = cluster.rest.upload(make_bytes(4 * CHUNK, "deleted"))
    cluster.wait_for_fragments(3 * 4)
    away = cluster.nodes[0]
    away.kill()
    cluster.wait_for_state("down", away)
    cluster.rest.delete(file["fileID"])
    away.start()
    cluster.wait_for_state("up", away)
    cluster.wait_for_fragments(0)


def test_fewer_nodes_than_the_write_quorum_refuse_uploads_and_show_nothing(fleet):
    cluster = Cluster(fleet, 3)
    content = make_bytes(3 * CHUNK, "before")
    file = cluster.rest.upload(content)
    cluster.wait_for_fragments(3 * 3)
    for node in cluster.nodes[1:]:
        node.kill()
    # Before it is noticed, and after.
    for _ in range(2):
        response = cluster.rest.try_upload(make_bytes(2 * CHUNK, "refused"))
        assert response.status == 503, f"{response}"
        assert int(response.headers["Retry-After"]) > 0
        response.problem()
        cluster.wait_for_state("down", *cluster.nodes[1:])
    with Connection(cluster.distributor.http_address) as connection:
        connection.send_head(
            "POST", "/upload", {"Content-Type": "application/octet-stream", "Content-Length": 1 << 30, "Expect": "100-continue"})
        status, headers = connection.read_head()
        assert status == 503 and headers["retry-after"], "refused before the body is sent"
    assert [entry["fileID"] for entry in cluster.rest.files()] == [file["fileID"]]
    # Reads need one copy only.
    assert cluster.rest.download(file["fileID"]) == content
    for node in cluster.nodes[1:]:
        node.start()
    cluster.wait_for_state("up", *cluster.nodes)
    again = cluster.rest.upload(content)
    assert cluster.rest.download(again["fileID"]) == content
    assert {entry["fileID"] for entry in cluster.rest.files()} == {file["fileID"], again["fileID"]}
    cluster.wait_for_fragments(2 * 3 * 3)


def test_an_upload_that_loses_its_quorum_on_the_way_fails_and_leaves_nothing(fleet):
    cluster = Cluster(fleet, 3)
    upload = PacedUpload(cluster.distributor.http_address, make_bytes(16 * CHUNK, "lost"))
    upload.send(5 * CHUNK)
    cluster.nodes[0].kill()
    cluster.nodes[1].kill()
    try:
        response = upload.finish()
        assert response.status == 503, f"{response}"
    except OSError:
        pass  # Refused while the body was still being sent.
    assert cluster.rest.files() == []
    for node in cluster.nodes[:2]:
        node.start()
    cluster.wait_for_state("up", *cluster.nodes)
    cluster.wait_for_fragments(0)


def test_a_file_whose_nodes_are_all_away_is_unavailable_and_not_wrong(fleet):
    cluster = Cluster(fleet, 3, replicas=1, quorum=1)
    content = make_bytes(6 * CHUNK, "away")
    file = cluster.rest.upload(content)
    for node in cluster.nodes:
        node.kill()
    response = cluster.rest.try_download(file["fileID"])
    assert response.status == 503, f"{response}"
    assert int(response.headers["Retry-After"]) > 0
    response.problem()
    for node in cluster.nodes:
        node.start()
    cluster.wait_for_state("up", *cluster.nodes)
    assert cluster.rest.download(file["fileID"]) == content


def test_a_download_that_cannot_go_on_is_broken_off_and_never_ended_as_if_whole(fleet):
    cluster = Cluster(fleet, 3, replicas=1, quorum=1)
    content = make_bytes(40 * CHUNK, "broken off")
    file = cluster.rest.upload(content)
    download = PacedDownload(cluster.distributor.http_address, file["fileID"])
    received = download.take(2 * CHUNK)
    for node in cluster.nodes:
        node.kill()
    try:
        received += download.rest()
    except ConnectionError:
        pass
    assert len(received) < len(content)
    assert content.startswith(received)


def test_nodes_come_back_at_once_for_many_waiting_clients(fleet):
    cluster = Cluster(fleet, 3)
    node = cluster.nodes[0]
    results: list[bool] = []

    def client(number: int) -> None:
        for round_number in range(6):
            content = make_bytes(CHUNK + number, (number, round_number))
            results.append(cluster.rest.download(cluster.rest.upload(content)["fileID"]) == content)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    node.kill()
    node.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 24
