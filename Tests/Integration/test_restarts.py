"""Everything stays there, however the processes end."""

import signal
import time

import pytest
from harness import Cluster, Connection, EmbeddedServer, PacedDownload, PacedUpload, make_bytes, wait_until

CHUNK = 1 << 20
SIZES = [0, 1000, CHUNK, 5 * CHUNK + 321]


def upload_all(rest, salt: object) -> dict[str, bytes]:
    contents = [make_bytes(size, (salt, size)) for size in SIZES]
    return {rest.upload(content)["fileID"]: content for content in contents}


def assert_all_there(rest, files: dict[str, bytes]) -> None:
    for file_id, content in files.items():
        assert rest.download(file_id) == content
    assert {file["fileID"] for file in rest.files()} == set(files)


def test_files_survive_a_restart_of_the_embedded_server(fleet):
    server = EmbeddedServer(fleet, ["--chunk-size", "1MiB"])
    files = upload_all(server.rest, "embedded")
    cluster = server.rest.cluster()
    server.process.stop()
    server.start()
    assert_all_there(server.rest, files)
    after = server.rest.cluster()
    assert after["clusterID"] == cluster["clusterID"] and after["layout"] == cluster["layout"]
    files |= upload_all(server.rest, "after")
    assert_all_there(server.rest, files)


def test_files_survive_a_restart_of_every_process_in_turn_and_of_all_together(fleet):
    cluster = Cluster(fleet, 4)
    files = upload_all(cluster.rest, "cluster")
    for process in (*cluster.nodes, cluster.distributor):
        process.restart()
        cluster.wait_for_state("up", *cluster.nodes)
        assert_all_there(cluster.rest, files)
    before = cluster.rest.cluster()
    cluster.stop_everything()
    cluster.start()
    assert_all_there(cluster.rest, files)
    after = cluster.rest.cluster()
    assert after["clusterID"] == before["clusterID"]
    assert after["layout"]["version"] == 1
    assert {node["id"] for node in after["nodes"]} == {node["id"] for node in before["nodes"]}


def test_a_file_survives_the_kill_of_all_processes_right_after_its_acknowledgement(fleet):
    cluster = Cluster(fleet, 4)
    files = {}
    for attempt in range(3):
        content = make_bytes(3 * CHUNK + attempt, attempt)
        files[cluster.rest.upload(content)["fileID"]] = content
        cluster.kill_everything()
        cluster.start()
        assert_all_there(cluster.rest, files)


def test_a_file_survives_the_kill_of_the_embedded_server_right_after_its_acknowledgement(fleet):
    server = EmbeddedServer(fleet, ["--chunk-size", "1MiB"])
    files = {}
    for attempt in range(3):
        content = make_bytes(2 * CHUNK + attempt, attempt)
        files[server.rest.upload(content)["fileID"]] = content
        server.process.kill()
        server.start()
        assert_all_there(server.rest, files)


def test_a_deletion_survives_a_kill_right_after_its_acknowledgement(fleet):
    server = EmbeddedServer(fleet, ["--chunk-size", "1MiB"])
    files = upload_all(server.rest, "deleted")
    gone = list(files)[-1]
    server.rest.delete(gone)
    server.process.kill()
    server.start()
    assert server.rest.try_download(gone).status == 404
    del files[gone]
    assert_all_there(server.rest, files)
    # An empty file has a chunk too, so that the nodes know of it.
    server.wait_for_fragments(3 * 2)


def test_a_distributor_that_is_killed_during_an_upload_leaves_no_half_file_and_no_chunks(fleet):
    cluster = Cluster(fleet, 4)
    kept = make_bytes(2 * CHUNK, "kept")
    files = {cluster.rest.upload(kept)["fileID"]: kept}
    cluster.wait_for_fragments(3 * 2)
    upload = PacedUpload(cluster.distributor.http_address, make_bytes(20 * CHUNK, "half"))
    upload.send(8 * CHUNK + 5)
    wait_until(lambda: cluster.rest.fragment_count() > 3 * 2, 10, "chunks of the unfinished upload are on the nodes")
    cluster.distributor.kill()
    cluster.start()
    assert_all_there(cluster.rest, files)
    cluster.wait_for_fragments(3 * 2)
    assert_all_there(cluster.rest, files)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_an_embedded_server_that_is_asked_to_stop_finishes_the_upload_first(fleet, signal_number):
    server = EmbeddedServer(fleet, ["--chunk-size", "1MiB"])
    finishes_upload(server, server.process, server.start, signal_number)


def test_a_distributor_that_is_asked_to_stop_finishes_the_upload_first(fleet):
    cluster = Cluster(fleet, 3)
    finishes_upload(cluster, cluster.distributor, cluster.start, signal.SIGTERM)


def finishes_upload(server, process, start, signal_number) -> None:
    content = make_bytes(8 * CHUNK, "finish")
    upload = PacedUpload(process.http_address, content)
    upload.send(3 * CHUNK)
    # A request that nobody has begun to read may be refused.
    wait_until(lambda: server.rest.fragment_count() > 0, 10, "the upload has begun")
    process.terminate(signal_number)
    wait_until(lambda: refuses_connections(process.http_address), 10, "nobody new is let in")
    assert process.is_running
    response = upload.finish()
    assert response.status == 201, f"{response}"
    assert process.wait() == 0
    start()
    assert server.rest.download(response.json()["fileID"]) == content


def refuses_connections(address) -> bool:
    try:
        with Connection(address, timeout=1):
            return False
    except ConnectionRefusedError:
        return True


def test_a_server_that_is_asked_to_stop_finishes_the_download_first(fleet):
    server = EmbeddedServer(fleet, ["--chunk-size", "1MiB"])
    content = make_bytes(24 * CHUNK, "finish")
    download = PacedDownload(server.process.http_address, server.rest.upload(content)["fileID"])
    start = download.take(CHUNK)
    server.process.terminate()
    wait_until(lambda: refuses_connections(server.process.http_address), 10, "nobody new is let in")
    assert start + download.rest() == content
    assert server.process.wait() == 0


def test_a_client_that_does_nothing_cannot_keep_a_server_from_stopping(fleet):
    server = EmbeddedServer(fleet, ["--chunk-size", "1MiB", "--shutdown-timeout", "1"])
    upload = PacedUpload(server.process.http_address, make_bytes(8 * CHUNK, "never"))
    upload.send(2 * CHUNK)
    with Connection(server.process.http_address):
        wait_until(lambda: server.rest.fragment_count() > 0, 10, "the upload has begun")
        start = time.monotonic()
        server.process.terminate()
        server.process.wait(10)
        assert time.monotonic() - start < 8
    server.start()
    assert server.rest.files() == []
    server.wait_for_fragments(0)


def test_a_storage_node_that_is_asked_to_stop_leaves_with_zero_while_it_is_written_to(fleet):
    cluster = Cluster(fleet, 3)
    content = make_bytes(16 * CHUNK, "node stops")
    upload = PacedUpload(cluster.distributor.http_address, content)
    upload.send(5 * CHUNK)
    cluster.nodes[0].terminate()
    response = upload.finish()
    assert response.status == 201, f"{response}"
    assert cluster.nodes[0].wait(40) == 0
    assert cluster.rest.download(response.json()["fileID"]) == content
