"""The metadata are backed up while the cluster works, lost, and found again."""

import base64
import hashlib
import os
import signal
import sqlite3
import subprocess
import threading

import pytest
from harness import Cluster, Connection, EmbeddedServer, RESTClient, StartFailure, make_bytes, multipart_body, run_client, wait_until
from harness.command import bound_to_this_process, clean_environment
from harness.process import executable

CHUNK = 1 << 20
BACKUP = "/cluster/metadata/backup"


def store_files(rest: RESTClient, count: int, salt: object) -> dict[str, bytes]:
    contents = [make_bytes(size, (salt, size)) for size in (0, 1000, CHUNK, 2 * CHUNK + 321)[:count]]
    return {rest.upload(content)["fileID"]: content for content in contents}


def check(rest: RESTClient, files: dict[str, bytes]) -> None:
    for file_id, content in files.items():
        assert rest.download(file_id) == content


def fill(server: EmbeddedServer, mebibytes: int) -> None:
    """Makes the database so large that it does not fit into the buffers of a connection."""
    server.process.stop()
    with sqlite3.connect(database(server.process)) as connection:
        connection.executemany(
            "INSERT INTO settings (name, value) VALUES (?, ?)", ((f"filling/{number}", os.urandom(64 << 10)) for number in range(16 * mebibytes)))
    connection.close()
    server.start()


def settled_fragment_count(cluster: Cluster) -> int:
    """Fragments on all nodes when nothing more comes: each node is asked once a second."""
    counts = [-1, -2]

    def is_settled() -> bool:
        counts.append(cluster.rest.fragment_count() if cluster.rest.repair_queue_length() == 0 else -len(counts))
        return len(set(counts[-4:])) == 1

    wait_until(is_settled, 40, "the number of fragments settles", interval=0.7)
    return counts[-1]


def back_up(gateway, path, *arguments: str, code: int = 0):
    done = run_client("metadata", "backup", path, *arguments, server=gateway.url)
    assert done.code == code, f"{done}"
    return done


def restore(gateway, path, *arguments: str, code: int = 0):
    done = run_client("metadata", "restore", path, "--data-dir", gateway.data, *arguments)
    assert done.code == code, f"{done}"
    return done


def database(gateway):
    return gateway.data / "metadata" / "chunkflow.sqlite"


def lose(gateway) -> None:
    for path in database(gateway).parent.glob("chunkflow.sqlite*"):
        path.unlink()


def tree(directory) -> dict:
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.suffix != ".lock"}


def leftovers(gateway) -> list:
    """Files for backups: those with a name, and those that the process still has open."""
    directory = gateway.data / "metadata" / "tmp"
    named = list(directory.iterdir()) if directory.exists() else []
    opened = []
    for number in os.listdir(f"/proc/{gateway.pid}/fd"):
        try:
            target = os.readlink(f"/proc/{gateway.pid}/fd/{number}")
        except FileNotFoundError:
            continue
        if str(directory) in target:
            opened.append(target)
    return named + opened


def begin_backup(gateway) -> Connection:
    """A backup whose response has begun and does not end, because nobody takes it."""
    connection = Connection(gateway.http_address, receive_buffer=64 << 10)
    connection.send_head("GET", BACKUP, {})
    status, _ = connection.read_head()
    assert status == 200
    return connection


@pytest.mark.timeout(120)
def test_metadata_are_backed_up_under_load_lost_and_restored(fleet):
    cluster = Cluster(fleet, 3)
    distributor, backup = cluster.distributor, fleet.directory / "backup.sqlite"
    files = store_files(cluster.rest, 4, "before")
    identity = cluster.rest.cluster()["clusterID"]
    during: dict[str, bytes] = {}
    stopping = threading.Event()

    def load() -> None:
        number = 0
        while not stopping.is_set():
            content = make_bytes(40_000, ("during", number))
            during[cluster.rest.upload(content)["fileID"]] = content
            number += 1

    threads = [threading.Thread(target=load) for _ in range(1)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(during) > 3, 20, "uploads go on")
        known = dict(during)
        line = back_up(distributor, backup).output
        uploaded = len(during)
        wait_until(lambda: len(during) > uploaded + 3, 20, "uploads still go on")
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    assert hashlib.sha256(backup.read_bytes()).hexdigest() in line and str(backup) in line
    later = store_files(cluster.rest, 2, "after")
    cluster.rest.delete(next(iter(files)))
    files.pop(next(iter(files)))

    distributor.stop()
    lose(distributor)
    told = restore(distributor, backup).output
    assert identity in told and "kept" not in told
    cluster.start()
    assert cluster.rest.cluster()["clusterID"] == identity
    check(cluster.rest, files | known)
    # What the backup has of the time in which it was made is whole.
    listed = {file["fileID"] for file in cluster.rest.files()}
    check(cluster.rest, {file_id: content for file_id, content in during.items() if file_id in listed})
    assert not listed & set(later)
    assert "restored from a backup" in distributor.errors()
    check(cluster.rest, store_files(cluster.rest, 4, "anew"))


@pytest.mark.timeout(120)
def test_what_the_backup_does_not_know_is_kept_for_now(fleet):
    cluster = Cluster(fleet, 3)
    distributor, backup = cluster.distributor, fleet.directory / "backup.sqlite"
    store_files(cluster.rest, 3, "before")
    back_up(distributor, backup)
    later = store_files(cluster.rest, 4, "after")
    fragments = settled_fragment_count(cluster)
    distributor.stop()
    newest = database(distributor).read_bytes()
    restore(distributor, backup, code=1)
    assert database(distributor).read_bytes() == newest
    replaced = next(line.split()[1] for line in restore(distributor, backup, "--force").output.splitlines() if line.startswith("kept"))
    cluster.start()
    assert not {file["fileID"] for file in cluster.rest.files()} & set(later)

    # Every sweep has been by when what is missing has been found and repaired.
    node = cluster.nodes[0]
    for _ in range(2):
        node.restart()
        cluster.wait_for_state("up", *cluster.nodes)
    distributor.restart()
    cluster.rest = RESTClient(distributor.http_address)
    cluster.wait_for_state("up", *cluster.nodes)
    threading.Event().wait(4)
    assert cluster.rest.fragment_count() == fragments

    # So the database that was replaced still finds everything.
    distributor.stop()
    lose_only(distributor)
    os.rename(replaced, database(distributor))
    cluster.start()
    check(cluster.rest, later)


def lose_only(gateway) -> None:
    for suffix in ("", "-wal", "-shm"):
        database(gateway).with_name(database(gateway).name + suffix).unlink(missing_ok=True)


def test_after_the_grace_orphans_are_removed_again(fleet):
    server = EmbeddedServer(fleet, ["--chunk-size", "1MiB"])
    backup = fleet.directory / "backup.sqlite"
    files = store_files(server.rest, 3, "before")
    back_up(server.process, backup)
    store_files(server.rest, 3, "after")
    server.process.stop()
    restore(server.process, backup, "--force")
    with sqlite3.connect(database(server.process)) as connection:
        (restored,) = connection.execute("SELECT value FROM settings WHERE name = 'restored'").fetchone()
        before = str(int(restored) - (7 * 24 * 3600 + 60) * 1000).encode()
        connection.execute("UPDATE settings SET value = ? WHERE name = 'restored'", (before,))
    connection.close()
    server.start()
    server.wait_for_fragments(2 * 3)
    check(server.rest, files)
    assert "restored from a backup" not in server.process.errors()


def test_nothing_is_restored_while_the_distributor_runs(fleet):
    cluster = Cluster(fleet, 3)
    files = store_files(cluster.rest, 3, "kept")
    backup = fleet.directory / "backup.sqlite"
    back_up(cluster.distributor, backup)
    files |= store_files(cluster.rest, 4, "more")
    refused = restore(cluster.distributor, backup, "--force", code=1)
    assert "stop the server first" in refused.errors, refused
    check(cluster.rest, files)
    cluster.distributor.restart()
    cluster.rest = RESTClient(cluster.distributor.http_address)
    cluster.wait_for_state("up", *cluster.nodes)
    check(cluster.rest, files)
    assert "restored from a backup" not in cluster.distributor.errors()


def test_what_is_no_whole_backup_is_refused_and_nothing_is_touched(fleet):
    server = EmbeddedServer(fleet)
    files = store_files(server.rest, 3, "kept")
    backup = fleet.directory / "backup.sqlite"
    back_up(server.process, backup)
    server.process.stop()
    before = tree(server.process.data / "metadata")
    whole = backup.read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], whole[:50], b"", whole.replace(b"SQLite format 3", b"SQLite format 4"), b"x" * 9000):
        backup.write_bytes(content)
        restore(server.process, backup, "--force", code=1)
        assert tree(server.process.data / "metadata") == before
    restore(server.process, fleet.directory / "nothing", "--force", code=1)
    assert run_client("metadata", "restore", backup).code == 64
    server.start()
    check(server.rest, files)


def test_a_file_that_is_there_is_replaced_by_force_only(fleet, shared_server):
    gateway, backup = shared_server.process, fleet.directory / "backup.sqlite"
    backup.write_bytes(b"precious")
    assert "--force" in back_up(gateway, backup, code=1).errors
    assert backup.read_bytes() == b"precious" and os.listdir(backup.parent) == [backup.name]
    told = back_up(gateway, backup, "--force", "--json").json()
    content = backup.read_bytes()
    assert told == {"path": str(backup), "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert os.listdir(backup.parent) == [backup.name]
    connection = sqlite3.connect(backup)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_the_request_says_length_digest_and_name(shared_server):
    response = shared_server.rest.request("GET", BACKUP)
    assert response.status == 200, f"{response}"
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert int(response.headers["Content-Length"]) == len(response.body)
    digest = base64.b64encode(hashlib.sha256(response.body).digest()).decode()
    assert response.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    disposition = response.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="chunkflow-metadata-20') and disposition.endswith('Z.sqlite"')
    # One after the other, as fast as can be.
    for _ in range(10):
        assert shared_server.rest.request("GET", BACKUP).status == 200


@pytest.mark.timeout(120)
def test_a_client_that_is_killed_in_the_middle_leaves_nothing_on_the_server(fleet):
    server = EmbeddedServer(fleet)
    process = server.process
    fill(server, 12)
    backup = fleet.directory / "backup.sqlite"
    assert leftovers(process) == []

    with begin_backup(process) as connection:
        refused = server.rest.request("GET", BACKUP)
        assert refused.status == 409 and refused.problem()["type"] == "urn:chunkflow:problem:backup-in-progress"
        assert back_up(process, backup, code=1).errors.count("A backup is being made") == 1
        assert list(fleet.directory.glob("backup*")) == []
        connection.hang_up()
    wait_until(lambda: leftovers(process) == [], 20, "nothing is left of the backup")
    wait_until(lambda: server.rest.request("GET", BACKUP).status == 200, 20, "another backup can be made")

    command = bound_to_this_process([executable("chunkflow"), "metadata", "backup", str(backup)])
    for _ in range(4):
        client = subprocess.Popen(command, env=clean_environment(CHUNKFLOW_SERVER=process.url), stdout=subprocess.DEVNULL)
        wait_until(lambda: leftovers(process) or client.poll() is not None, 20, "the backup has begun", interval=0.001)
        client.send_signal(signal.SIGKILL)
        client.wait()
        wait_until(lambda: leftovers(process) == [], 20, "nothing is left of the backup")
    back_up(process, backup, "--force")
    assert sorted(path.name for path in fleet.directory.glob("backup*")) == ["backup.sqlite"]


@pytest.mark.timeout(120)
def test_a_backup_takes_no_memory(fleet):
    server = EmbeddedServer(fleet)
    fill(server, 40)
    back_up(server.process, fleet.directory / "first")
    size = (fleet.directory / "first").stat().st_size
    assert size > 30 << 20
    before = server.process.memory_bytes()
    back_up(server.process, fleet.directory / "second")
    assert server.process.memory_bytes("VmHWM") - before < size / 2


def test_what_a_killed_server_left_is_removed_at_the_next_start(fleet):
    server = EmbeddedServer(fleet)
    directory = server.process.data / "metadata" / "tmp"
    server.process.kill()
    directory.mkdir(exist_ok=True)
    for name in ("half.sqlite.tmp", "half.sqlite.tmp-journal", "whole.sqlite"):
        (directory / name).write_bytes(b"left")
    server.start()
    assert leftovers(server.process) == []
    back_up(server.process, fleet.directory / "backup.sqlite")
    assert leftovers(server.process) == []


def test_a_backup_of_a_newer_version_is_refused(fleet):
    server = EmbeddedServer(fleet)
    backup = fleet.directory / "backup.sqlite"
    back_up(server.process, backup)
    server.process.stop()
    lose(server.process)
    with sqlite3.connect(backup) as connection:
        connection.execute("INSERT INTO grdb_migrations (identifier) VALUES ('9999-from-the-future')")
    connection.close()
    assert "newer version" in restore(server.process, backup, code=1).errors
    assert not database(server.process).exists()
    # Nor does a start without metadata take the nodes of a cluster that it does not know.
    with pytest.raises(StartFailure):
        server.start()


def test_a_restore_that_was_broken_off_is_repeated_before_a_start(fleet):
    server = EmbeddedServer(fleet)
    files, backup = store_files(server.rest, 3, "kept"), fleet.directory / "backup.sqlite"
    back_up(server.process, backup)
    server.process.stop()
    # The old database has gone, the new one has not got its name yet.
    database(server.process).with_name("chunkflow.sqlite.restoring").write_bytes(backup.read_bytes())
    lose_only(server.process)
    with pytest.raises(StartFailure, match="was broken off: repeat it"):
        server.start()
    assert not database(server.process).exists()
    restore(server.process, backup)
    server.start()
    check(server.rest, files)
