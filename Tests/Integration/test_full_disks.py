"""Disks without room."""

from harness import Cluster, EmbeddedServer, make_bytes, wait_until
from harness.disk import SmallDisk

MIB = 1 << 20


def test_a_full_disk_on_one_node_stops_neither_uploads_nor_downloads(fleet):
    small = SmallDisk(fleet, "small", 48)
    cluster = Cluster(fleet, 3, replicas=2, quorum=2, durability="none", node_data={0: small.path / "data"})
    full = cluster.nodes[0]
    # Two thirds of the files would go to the small node: twice what it can hold.
    contents = [make_bytes(2 * MIB + number, number) for number in range(60)]
    files = {cluster.rest.upload(content)["fileID"]: content for content in contents}
    wait_until(lambda: cluster.description(full)["availableBytes"] < 4 * MIB, 10, "the small disk is full")
    assert cluster.description(full)["state"] == "up"
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content

    # Deletions go on, and make room.
    for file_id in list(files)[:45]:
        cluster.rest.delete(file_id)
        del files[file_id]
    wait_until(lambda: cluster.description(full)["availableBytes"] > 16 * MIB, 30, "deletions make room on the full disk")
    before = cluster.description(full)["fragmentCount"]
    for number in range(12):
        content = make_bytes(MIB, ("again", number))
        files[cluster.rest.upload(content)["fileID"]] = content
    wait_until(lambda: cluster.description(full)["fragmentCount"] > before, 10, "the node takes fragments again")
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content


def test_a_node_with_a_full_disk_starts_again_and_serves(fleet):
    small = SmallDisk(fleet, "small", 32)
    cluster = Cluster(fleet, 3, replicas=2, quorum=2, durability="none", node_data={2: small.path / "data"})
    contents = [make_bytes(2 * MIB + number, number) for number in range(30)]
    files = {cluster.rest.upload(content)["fileID"]: content for content in contents}
    node = cluster.nodes[2]
    held = wait_until(lambda: cluster.description(node)["fragmentCount"], 10, "the node's description is up to date")
    # Somebody else takes the rest of the disk, the reserve included.
    filler = small.path / "filler"
    with open(filler, "wb") as file:
        try:
            while True:
                file.write(bytes(65_536))
                file.flush()
        except OSError:
            pass
    node.kill()
    node.start()
    cluster.wait_for_state("up", node)
    wait_until(lambda: cluster.description(node)["fragmentCount"] >= held, 10, "the node has what it had")
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content
    filler.unlink()


def test_a_full_server_refuses_uploads_with_507_and_shows_nothing_of_them(fleet):
    small = SmallDisk(fleet, "small", 48)
    server = EmbeddedServer(
        fleet, ["--nodes", "1", "--replicas", "1", "--chunk-size", "1MiB", "--durability", "none"], data=small.path / "data")
    files = {}
    refused = None
    for number in range(60):
        content = make_bytes(2 * MIB, number)
        response = server.rest.try_upload(content)
        if response.status != 201:
            refused = response
            break
        files[response.json()["fileID"]] = content
    assert refused is not None and refused.status == 507, f"{refused}"
    refused.problem()
    assert len(files) > 8
    assert {file["fileID"] for file in server.rest.files()} == set(files)
    for file_id, content in files.items():
        assert server.rest.download(file_id) == content
    for file_id in list(files)[:6]:
        server.rest.delete(file_id)
        del files[file_id]

    def has_room() -> bool:
        response = server.rest.try_upload(b"room again" * 100_000)
        if response.status == 201:
            files[response.json()["fileID"]] = b"room again" * 100_000
        return response.status == 201

    wait_until(has_room, 20, "deletions make room", interval=0.5)
    for file_id, content in files.items():
        assert server.rest.download(file_id) == content
