"""`chunkflow upload`, `download`, `ls`, `rm` and `status`."""

import json
import os

import pytest
from harness import Cluster, CuttingProxy, EmbeddedServer, crc32c, make_bytes, run_client
from harness.ports import free_port

CHUNK = 1 << 20
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server.process.url


def upload(server: str, path, *more: str) -> dict:
    done = run_client("upload", path, "--json", *more, server=server)
    assert done.code == 0, f"{done}"
    return done.json()


def test_a_file_goes_up_is_listed_comes_back_and_is_removed(server, tmp_path):
    source, target = tmp_path / "photo.png", tmp_path / "result.png"
    source.write_bytes(make_bytes(5 * CHUNK + 17, "client"))
    up = run_client("upload", source, server=server)
    assert up.code == 0, f"{up}"
    file_id = up.output.split()[0]
    assert "photo.png" in up.output
    listed = run_client("ls", server=server)
    assert listed.code == 0 and any(line.startswith(file_id) and "photo.png" in line for line in listed.output.splitlines()), f"{listed}"
    down = run_client("download", file_id, "-o", target, server=server)
    assert down.code == 0, f"{down}"
    assert target.read_bytes() == source.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["photo.png", "result.png"]
    removed = run_client("rm", file_id, server=server)
    assert removed.code == 0 and removed.output.split() == [file_id], f"{removed}"
    assert run_client("download", file_id, "-o", target, server=server).code == 2
    assert target.read_bytes() == source.read_bytes()


def test_json_says_everything(server, tmp_path):
    content = make_bytes(100_000, "json")
    (tmp_path / "a.txt").write_bytes(content)
    file = upload(server, tmp_path / "a.txt")
    assert (file["name"], file["size"], file["contentType"]) == ("a.txt", len(content), "text/plain")
    assert file["checksum"] == f"crc32c:{crc32c(content):08x}"
    listed = [entry for entry in run_client("ls", "--json", server=server).lines() if entry["fileID"] == file["fileID"]]
    assert [entry["name"] for entry in listed] == ["a.txt"]
    down = run_client("download", file["fileID"], "-o", tmp_path / "b.txt", "--json", server=server)
    assert down.json()["fileID"] == file["fileID"] and down.json()["resumedFrom"] == 0
    assert run_client("rm", file["fileID"], "--json", server=server).json() == {"fileID": file["fileID"], "removed": True}


def test_several_files_and_an_empty_one_go_up_in_one_command(server, tmp_path):
    paths = []
    for number, size in enumerate([0, 10, CHUNK + 1]):
        paths.append(tmp_path / f"{number}.bin")
        paths[-1].write_bytes(make_bytes(size, number))
    done = run_client("upload", "--json", *paths, server=server)
    assert done.code == 0, f"{done}"
    assert [file["size"] for file in done.lines()] == [0, 10, CHUNK + 1]
    for file, path in zip(done.lines(), paths):
        target = tmp_path / "back"
        assert run_client("download", file["fileID"], "-o", target, server=server).code == 0
        assert target.read_bytes() == path.read_bytes()


def test_a_file_can_go_to_a_pipe(server, tmp_path):
    (tmp_path / "a").write_bytes(b"to a pipe")
    file = upload(server, tmp_path / "a")
    down = run_client("download", file["fileID"], "-o", "-", server=server)
    assert (down.code, down.output) == (0, "to a pipe"), f"{down}"


def test_status_shows_the_nodes(shared_cluster):
    url = shared_cluster.distributor.url
    shown = run_client("status", server=url)
    assert shown.code == 0, f"{shown}"
    for node in shared_cluster.nodes:
        assert any(node.address in line and " up " in line for line in shown.output.splitlines()), shown.output
    document = json.loads(run_client("status", "--json", "--server", url).output)
    assert document["layout"]["version"] == 1 and len(document["nodes"]) == 4


def test_a_file_that_does_not_exist_on_the_server_is_2(server, tmp_path):
    assert run_client("download", UNKNOWN, "-o", tmp_path / "x", server=server).code == 2
    assert run_client("rm", UNKNOWN, server=server).code == 2
    assert os.listdir(tmp_path) == []


def test_what_was_done_only_in_part_is_1(server, tmp_path):
    (tmp_path / "there").write_bytes(b"there")
    done = run_client("upload", tmp_path / "missing", tmp_path / "there", "--json", server=server)
    assert done.code == 1, f"{done}"
    failed, stored = done.lines()
    assert failed["error"] and stored["fileID"]
    removed = run_client("rm", stored["fileID"], UNKNOWN, server=server)
    assert removed.code == 1, f"{removed}"
    assert removed.output.split() == [stored["fileID"]]


def test_a_server_that_cannot_be_reached_is_3(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    url = f"http://127.0.0.1:{free_port()}"
    for command in (["upload", tmp_path / "a"], ["download", UNKNOWN, "-o", tmp_path / "x"], ["ls"], ["rm", UNKNOWN], ["status"]):
        done = run_client(*command, "--retries", "1", server=url)
        assert done.code == 3, f"{command}: {done}"
        assert "reach" in done.errors


@pytest.mark.parametrize(
    "arguments",
    [["upload"], ["download", UNKNOWN], ["rm"], ["nonsense"], ["ls", "--server", "ftp://x"], ["status", "--retries", "many"], ["ls", "--nonsense"]],
    ids=" ".join,
)
def test_wrong_usage_is_64(server, arguments):
    assert run_client(*arguments, server=server).code == 64


def test_a_download_over_a_connection_that_breaks_goes_on_where_it_broke(shared_server, server, tmp_path):
    content = make_bytes(20 * CHUNK, "resume")
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    file = upload(server, source)
    # The first connection asks for the file's description; the next three are cut.
    limits = [None, 5 * CHUNK, 6 * CHUNK, CHUNK]
    with CuttingProxy(shared_server.process.http_address, limits) as proxy:
        done = run_client("download", file["fileID"], "-o", target, server=proxy.url)
        assert done.code == 0, f"{done}"
        assert target.read_bytes() == content
        assert proxy.connection_count == 5
        ranges = [request.lower().count(b"range: bytes=") for request in proxy.requests]
        assert ranges == [0, 0, 1, 1, 1]


def test_a_download_that_was_given_up_is_gone_on_with_by_the_next_run(shared_server, server, tmp_path):
    content = make_bytes(20 * CHUNK, "later")
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    file = upload(server, source)
    with CuttingProxy(shared_server.process.http_address, [None, 9 * CHUNK]) as proxy:
        done = run_client("download", file["fileID"], "-o", target, "--retries", "0", server=proxy.url)
        assert done.code == 3, f"{done}"
    assert not target.exists()
    done = run_client("download", file["fileID"], "-o", target, "--json", server=server)
    assert done.code == 0, f"{done}"
    assert 7 * CHUNK < done.json()["resumedFrom"] <= 9 * CHUNK
    assert target.read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == ["source", "target"]


def test_what_was_downloaded_before_is_not_trusted_when_it_is_damaged(shared_server, server, tmp_path):
    content = make_bytes(20 * CHUNK, "damaged")
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    file = upload(server, source)
    with CuttingProxy(shared_server.process.http_address, [None, 9 * CHUNK]) as proxy:
        assert run_client("download", file["fileID"], "-o", target, "--retries", "0", server=proxy.url).code == 3
    with open(tmp_path / "target.part", "r+b") as part:
        part.seek(1_000_000)
        part.write(b"damage")
    done = run_client("download", file["fileID"], "-o", target, server=server)
    assert done.code == 0, f"{done}"
    assert target.read_bytes() == content


def test_an_upload_waits_for_a_server_that_is_starting(fleet, tmp_path):
    server = EmbeddedServer(fleet, start=False)
    http = server.process.command[server.process.command.index("--http") + 1]
    (tmp_path / "a").write_bytes(make_bytes(CHUNK, "patient"))
    server.process.launch()
    done = run_client("upload", tmp_path / "a", "--retries", "30", "--json", server=f"http://{http}")
    assert done.code == 0, f"{done}"


def test_an_upload_to_a_cluster_without_a_quorum_is_3(fleet, tmp_path):
    cluster = Cluster(fleet, 2, replicas=2)
    cluster.nodes[0].kill()
    cluster.wait_for_state("down", cluster.nodes[0])
    (tmp_path / "a").write_bytes(b"a")
    assert run_client("upload", tmp_path / "a", "--retries", "0", server=cluster.distributor.url).code == 3
    # What it asks of the server is what it says to scripts.
    assert run_client("status", "--json", server=cluster.distributor.url).json()["nodes"]
