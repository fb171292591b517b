"""Starts that must not succeed, and what they say."""

import shutil
import time
from pathlib import Path

import pytest
from harness import Cluster, EmbeddedServer, StorageProcess, make_bytes, wait_until
from harness.ports import free_port
from harness.process import DistributorProcess, EmbeddedProcess, ServerProcess, executable


def end_of(process: ServerProcess, seconds: float = 20) -> tuple[int, str]:
    """Starts what must not start: its exit code, and the one line that it has to say."""
    process.launch()
    return wait_for_end(process, seconds)


def wait_for_end(process: ServerProcess, seconds: float) -> tuple[int, str]:
    code = process.wait(seconds)
    assert code > 0, f"ended with {code}: {process.tail()}"
    assert "ready" not in process.output().splitlines()
    lines = [line for line in process.errors().splitlines() if line.startswith(("error:", "Error:"))]
    assert len(lines) == 1, process.errors()
    assert process.errors().splitlines()[-1] == lines[0], process.errors()
    return code, lines[0]


# Settings


SETTINGS = [
    # executable, arguments, environment, what the line must contain
    (["chunkflow", "server"], ["--http", "nonsense"], {}, ["http", "nonsense", "host:port"]),
    (["chunkflow", "server"], ["--cluster", "127.0.0.1:99999"], {}, ["cluster", "99999", "host:port"]),
    (["chunkflow", "server"], ["--s3", ":"], {}, ["s3", '":"', "host:port"]),
    (["chunkflow", "server"], ["--nodes", "0"], {}, ["nodes", '"0"', "from 1 to 64"]),
    (["chunkflow", "server"], ["--nodes", "four"], {}, ["nodes", "four", "from 1 to 64"]),
    (["chunkflow", "server"], ["--data-dir", ""], {}, ["data-dir", "directory"]),
    (["chunkflow", "server"], ["--replicas", "17"], {}, ["replicas", "17", "from 1 to 16"]),
    (["chunkflow", "server"], ["--replicas", "2", "--write-quorum", "3"], {}, ["write-quorum", "3", "2"]),
    (["chunkflow", "server"], ["--chunk-size", "1000"], {}, ["chunk-size", "1000", "64KiB"]),
    (["chunkflow", "server"], ["--chunk-size", "1GiB"], {}, ["chunk-size", "1GiB", "64MiB"]),
    (["chunkflow", "server"], ["--durability", "maybe"], {}, ["durability", "maybe", "fsync, none"]),
    (["chunkflow", "server"], ["--log-level", "loud"], {}, ["log-level", "loud", "warning"]),
    (["chunkflow", "server"], ["--shutdown-timeout=-1"], {}, ["shutdown-timeout", "-1", "0 to 3600"]),
    (["chunkflow", "server"], ["--root-access-key", "root"], {}, ["root-access-key", "root-secret-key"]),
    (["chunkflow", "server"], ["--s3-domain", "s3.example.com:9000"], {}, ["s3-domain", "s3.example.com:9000", "host names without ports"]),
    (["chunkflow", "server"], ["--s3-region", "eu west"], {}, ["s3-region", "eu west", "1 to 64 letters"]),
    (["chunkflow", "server"], ["--lifecycle-day", "0"], {}, ["lifecycle-day", '"0"', "from 1 to 86400"]),
    (["distributor"], [], {"CHUNKFLOW_LIFECYCLE_DAY": "1d"}, ["lifecycle-day", "1d", "CHUNKFLOW_LIFECYCLE_DAY"]),
    (["chunkflow", "server"], [], {"CHUNKFLOW_NODES": "many"}, ["nodes", "many", "CHUNKFLOW_NODES"]),
    (["distributor"], [], {"STORAGE_NODES": "storage1"}, ["storage-nodes", "storage1", "STORAGE_NODES"]),
    (["distributor"], ["--storage-nodes", "127.0.0.1:9001,127.0.0.1:9001"], {}, ["storage-nodes", "127.0.0.1:9001", "twice"]),
    (["distributor"], ["--storage-nodes", "127.0.0.1:0"], {}, ["storage-nodes", "127.0.0.1:0"]),
    (["distributor"], ["--write-quorum", "0"], {"STORAGE_NODES": "127.0.0.1:9001"}, ["write-quorum", '"0"']),
    (["distributor"], [], {"CHUNKFLOW_CONFIG": "/nowhere.yaml"}, ["config", "/nowhere.yaml", "YAML"]),
    (["distributor"], ["--kms-keys-file", "/nowhere.yaml"], {}, ["kms-keys-file", "/nowhere.yaml", "No such file"]),
    (["storage"], ["--listen", "9001"], {}, ["listen", "9001", "host:port"]),
    (["storage"], [], {"CHUNKFLOW_DURABILITY": "FSYNC"}, ["durability", "FSYNC", "fsync, none", "CHUNKFLOW_DURABILITY"]),
    (["storage"], ["--zone", "a b"], {}, ["zone", "a b"]),
]


@pytest.mark.parametrize("command, arguments, environment, said", SETTINGS, ids=lambda value: " ".join(value) if value else "-")
def test_a_wrong_setting_stops_the_start_with_one_line_that_says_what_is_accepted(fleet, command, arguments, environment, said):
    process = ServerProcess("refused", [executable(command[0]), *command[1:], *arguments], fleet.directory, environment)
    code, line = end_of(fleet.add(process))
    assert code == 78
    for word in said:
        assert word in line, line
    assert not (fleet.directory / "data").exists(), "nothing is made for a start that is refused"


def test_a_secret_that_is_refused_is_not_shown(fleet):
    process = ServerProcess("refused", [executable("storage")], fleet.directory, {"CHUNKFLOW_CLUSTER_SECRET": "geheim"})
    code, line = end_of(fleet.add(process))
    assert code == 78
    assert "cluster-secret" in line and "geheim" not in process.tail()


def test_a_wrong_line_in_the_settings_file_is_named(fleet):
    settings = fleet.directory / "settings.yaml"
    for text, said in (("replicas: 99\n", ["replicas", "99"]), ("replica: 2\n", ["replica", "not a setting"]), ("{", ["YAML"])):
        settings.write_text(text)
        process = ServerProcess("refused", [executable("distributor"), "--config", str(settings)], fleet.directory)
        code, line = end_of(fleet.add(process))
        assert code == 78
        for word in [*said, str(settings)]:
            assert word in line, line


def test_an_unknown_flag_is_wrong_usage(fleet):
    for command in (["chunkflow", "server"], ["distributor"], ["storage"]):
        process = fleet.add(ServerProcess("refused", [executable(command[0]), *command[1:], "--nonsense", "1"], fleet.directory))
        process.launch()
        assert process.wait() == 64
        assert "--nonsense" in process.errors()


def test_help_explains_every_setting_with_its_default(fleet):
    for command, settings in (
        (["chunkflow", "server"], {"--http": "127.0.0.1:8080", "--nodes": "4", "--replicas": "2", "--cluster": "127.0.0.1:7070"}),
        (["distributor"], {"--replicas": "3", "--write-quorum": "2", "--storage-nodes": "STORAGE_NODES", "--durability": "fsync"}),
        (["storage"], {"--listen": "127.0.0.1:9001", "--data-dir": "./data", "--join": "CHUNKFLOW_JOIN", "--cluster-secret": ""}),
    ):
        process = fleet.add(ServerProcess("help", [executable(command[0]), *command[1:], "--help"], fleet.directory))
        process.launch()
        assert process.wait() == 0
        for flag, default in settings.items():
            assert flag in process.output() and default in process.output(), f"{command}: {flag} {default}"


def test_an_address_in_use_stops_the_start_with_one_line(fleet):
    server = EmbeddedServer(fleet)
    host, port = server.process.http_address
    second = EmbeddedProcess("second", fleet.directory, ["--http", f"{host}:{port}"])
    _, line = end_of(fleet.add(second))
    assert f"{port}" in line, line
    storage = fleet.add(StorageProcess("storage", fleet.directory))
    storage.start()
    same = fleet.add(StorageProcess("same", fleet.directory, port=int(storage.address.rpartition(":")[2])))
    _, line = end_of(same)
    assert storage.address.rpartition(":")[2] in line, line


# Data directories


def test_a_second_process_on_the_same_data_directory_is_refused_and_the_first_goes_on(fleet):
    cluster = Cluster(fleet, 2, replicas=2)
    content = make_bytes(2_000_000, "locked")
    file = cluster.rest.upload(content)
    storage = StorageProcess("second-storage", fleet.directory, data=cluster.nodes[0].data)
    distributor = DistributorProcess(
        "second-distributor", fleet.directory, [node.address for node in cluster.nodes], data=cluster.distributor.data)
    for process, data in ((storage, cluster.nodes[0].data), (distributor, cluster.distributor.data)):
        _, line = end_of(fleet.add(process))
        assert str(data) in line, line
        assert "another process" in line.lower() or "in use" in line.lower() or "locked" in line.lower(), line
    assert cluster.rest.download(file["fileID"]) == content
    cluster.rest.upload(content)


def test_a_second_embedded_server_on_the_same_data_directory_is_refused(fleet):
    server = EmbeddedServer(fleet)
    second = EmbeddedProcess("second", fleet.directory, data=server.process.data)
    _, line = end_of(fleet.add(second))
    assert str(server.process.data) in line, line
    assert server.rest.is_ready()


def test_a_data_directory_that_cannot_be_made_stops_the_start_with_one_line(fleet):
    in_the_way = fleet.directory / "file"
    in_the_way.write_text("a file")
    for process in (
        StorageProcess("storage", fleet.directory, data=in_the_way / "data"),
        EmbeddedProcess("server", fleet.directory, data=in_the_way / "data"),
        DistributorProcess("distributor", fleet.directory, ["127.0.0.1:9001"], data=in_the_way / "data"),
    ):
        _, line = end_of(fleet.add(process))
        assert str(in_the_way) in line, line


# Storage nodes


def distributor(fleet, nodes: list[str], name: str = "refused", data: Path | None = None, **environment: str) -> DistributorProcess:
    return fleet.add(DistributorProcess(name, fleet.directory, nodes, data=data, environment=environment))


@pytest.mark.timeout(90)
def test_nodes_that_cannot_be_found_stop_the_start_and_are_named(fleet):
    # One for each: a node belongs to the first cluster that finds it.
    alive = [fleet.add(StorageProcess(f"storage{number}", fleet.directory)) for number in range(2)]
    fleet.start(*alive)
    silent = f"127.0.0.1:{free_port()}"
    unresolved = distributor(fleet, [alive[0].address, "no-such-host.invalid:9001"], "unresolved")
    unreachable = distributor(fleet, [alive[1].address, silent], "unreachable")
    # Nodes may start later than their distributor, so both wait for a while.
    start = time.monotonic()
    unresolved.launch()
    unreachable.launch()
    _, line = wait_for_end(unresolved, 60)
    assert "no-such-host.invalid:9001" in line, line
    _, line = wait_for_end(unreachable, 60 - (time.monotonic() - start))
    assert silent in line, line


def test_a_distributor_waits_for_nodes_that_start_later(fleet):
    cluster = Cluster(fleet, 3, start=False)
    cluster.distributor.launch()
    cluster.nodes[0].start()
    cluster.nodes[1].start()
    assert "ready" not in cluster.distributor.output().splitlines()
    cluster.nodes[2].start()
    cluster.distributor.wait_ready()


def test_one_node_under_two_names_stops_the_start(fleet):
    storage = fleet.add(StorageProcess("storage", fleet.directory))
    storage.start()
    port = storage.address.rpartition(":")[2]
    _, line = end_of(distributor(fleet, [storage.address, f"localhost:{port}"]))
    assert storage.address in line and f"localhost:{port}" in line, line


@pytest.mark.parametrize(
    "node_secret, distributor_secret", [("the right secret", "a wrong secret"), ("the right secret", None)]
)
def test_a_node_with_another_cluster_secret_stops_the_start(fleet, node_secret, distributor_secret):
    storage = fleet.add(StorageProcess("storage", fleet.directory, environment={"CHUNKFLOW_CLUSTER_SECRET": node_secret}))
    storage.start()
    environment = {"CHUNKFLOW_CLUSTER_SECRET": distributor_secret} if distributor_secret else {}
    process = distributor(fleet, [storage.address], **environment)
    _, line = end_of(process)
    assert storage.address in line and "secret" in line, line
    # The node's log says it too, and who it was; once, however often it was asked.
    refusals = [line for line in storage.errors().splitlines() if "a call was refused" in line]
    assert len(refusals) == 1 and "secret" in refusals[0] and "caller=127.0.0.1" in refusals[0], storage.errors()
    for secret in (node_secret, distributor_secret):
        assert not secret or secret not in process.tail() + storage.tail()


def test_a_cluster_with_a_secret_works_and_never_tells_it(fleet):
    cluster = Cluster(fleet, 3, secret="correct horse battery", distributor_arguments=["--log-level", "trace"], node_arguments=["--log-level", "trace"])
    content = make_bytes(3_000_000, "secret")
    file = cluster.rest.upload(content)
    assert cluster.rest.download(file["fileID"]) == content
    cluster.nodes[0].kill()
    missed = cluster.rest.upload(content)
    cluster.nodes[0].start()
    # Nodes fetch from each other: they show the secret too.
    cluster.wait_for_repairs()
    assert cluster.rest.download(missed["fileID"]) == content
    for process in (cluster.distributor, *cluster.nodes):
        assert "correct horse battery" not in process.output() + process.errors()


def test_a_node_of_another_cluster_stops_the_start_and_keeps_its_fragments(fleet):
    cluster = Cluster(fleet, 2, replicas=2)
    content = make_bytes(1_000_000, "theirs")
    file = cluster.rest.upload(content)
    own = fleet.add(StorageProcess("own", fleet.directory))
    own.start()
    _, line = end_of(distributor(fleet, [own.address, cluster.nodes[0].address]))
    assert cluster.nodes[0].address in line and "cluster" in line, line
    assert "a call was refused" in cluster.nodes[0].errors() and "wrongCluster" in cluster.nodes[0].errors()
    assert cluster.rest.download(file["fileID"]) == content


def test_a_distributor_that_lost_its_metadata_does_not_take_the_nodes_and_delete_everything(fleet):
    cluster = Cluster(fleet, 3)
    content = make_bytes(3_000_000, "precious")
    file = cluster.rest.upload(content)
    cluster.wait_for_fragments(3 * 3)
    cluster.distributor.stop()
    lost = fleet.directory / "lost"
    shutil.move(cluster.distributor.data, lost)
    _, line = end_of(cluster.distributor)
    assert "cluster" in line, line
    shutil.rmtree(cluster.distributor.data)
    shutil.move(lost, cluster.distributor.data)
    cluster.start()
    assert cluster.rest.download(file["fileID"]) == content
    assert cluster.rest.fragment_count() == 3 * 3


def test_a_distributor_starts_while_a_known_node_is_away(fleet):
    cluster = Cluster(fleet, 3)
    content = make_bytes(3_000_000, "away")
    file = cluster.rest.upload(content)
    cluster.distributor.stop()
    cluster.nodes[1].stop()
    start = time.monotonic()
    cluster.distributor.start()
    assert time.monotonic() - start < 10
    assert cluster.rest.download(file["fileID"]) == content
    cluster.rest.upload(content)
    cluster.nodes[1].start()
    cluster.wait_for_state("up", cluster.nodes[1])
    cluster.wait_for_repairs()


def test_a_node_that_is_added_takes_new_chunks_and_old_files_stay_readable(fleet):
    cluster = Cluster(fleet, 3)
    content = make_bytes(6_000_000, "old")
    file = cluster.rest.upload(content)
    cluster.distributor.stop()
    added = fleet.add(StorageProcess("added", fleet.directory))
    added.start()
    command = cluster.distributor.command
    place = command.index("--storage-nodes") + 1
    command[place] += f",{added.address}"
    cluster.nodes.append(added)
    cluster.start()
    assert cluster.rest.cluster()["layout"]["version"] == 2
    assert cluster.rest.download(file["fileID"]) == content
    new = make_bytes(40_000_000, "new")
    assert cluster.rest.download(cluster.rest.upload(new)["fileID"]) == new
    wait_until(lambda: cluster.description(added)["fragmentCount"] > 0, 10, "the added node has chunks")
