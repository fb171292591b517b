"""Disks that lie."""

import random
from pathlib import Path

from harness import Cluster, StorageProcess, make_bytes, wait_until

CHUNK = 1 << 20


def find(path: Path, pattern: bytes) -> list[int]:
    data = path.read_bytes()
    places, start = [], data.find(pattern)
    while start >= 0:
        places.append(start)
        start = data.find(pattern, start + 1)
    return places


def flip_bit(path: Path, offset: int, bit: int = 3) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


def holds(node: StorageProcess, pattern: bytes) -> bool:
    return any(find(path, pattern) for path in node.segments())


def flip_in(node: StorageProcess, pattern: bytes) -> bool:
    """Flips a bit in the first copy of `pattern` on the node's disk. Returns whether there was one."""
    for path in node.segments():
        for place in find(path, pattern)[:1]:
            flip_bit(path, place)
            return True
    return False


def marker(content: bytes) -> bytes:
    """32 bytes of the second block that are nowhere else."""
    return content[70_000:70_032]


def test_a_flipped_bit_is_never_served_and_is_reported_and_replaced(fleet):
    cluster = Cluster(fleet, 3, replicas=2, quorum=2)
    contents = [make_bytes(150_000, number) for number in range(12)]
    files = {cluster.rest.upload(content)["fileID"]: content for content in contents}
    first = cluster.nodes[0]
    damaged = [content for content in contents if flip_in(first, marker(content))]
    assert len(damaged) >= 4, "two of three nodes hold each file"
    assert not any(holds(first, marker(content)) for content in damaged)

    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content

    # Those that are read from this node first (of so many, some are) were found out.
    def restored() -> list[bytes]:
        return [content for content in damaged if holds(first, marker(content))]

    wait_until(restored, 20, "a damaged fragment is replaced by a good one")
    cluster.wait_for_repairs()
    wait_until(lambda: cluster.description(first)["quarantinedCount"] == 0, 10, "nothing is left in quarantine")
    assert "corrupt" in (first.errors() + cluster.distributor.errors()).lower()

    # What was restored is whole: it serves when the other copy goes bad.
    whole = restored()
    for other in cluster.nodes[1:]:
        for content in whole:
            flip_in(other, marker(content))
    for file_id, content in files.items():
        if content in whole:
            assert cluster.rest.download(file_id) == content


def test_a_flipped_bit_in_the_only_copy_is_an_error_and_no_content(fleet):
    cluster = Cluster(fleet, 2, replicas=1, quorum=1)
    content = make_bytes(3 * CHUNK, "only copy")
    file = cluster.rest.upload(content)
    start = 2 * CHUNK + 500_000
    assert any([flip_in(node, content[start : start + 32]) for node in cluster.nodes])
    received = b""
    try:
        response = cluster.rest.try_download(file["fileID"])
        if response.status == 200:
            received = response.body
        else:
            assert response.status >= 500
    except Exception as error:  # The connection is broken off in the middle of the body.
        received = getattr(error, "partial", b"")
    assert len(received) < len(content) and content.startswith(received)
    # What is not damaged is still there.
    assert cluster.rest.try_download(file["fileID"], f"bytes=0-{2 * CHUNK - 1}").body == content[: 2 * CHUNK]
    wait_until(
        lambda: sum(node["quarantinedCount"] for node in cluster.rest.cluster()["nodes"]) == 1, 10, "the fragment is in quarantine")


def test_a_node_starts_and_serves_with_bits_flipped_all_over_its_segments(fleet):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    cluster = Cluster(fleet, 3, replicas=2, quorum=2)
    contents = [make_bytes(chance.randrange(400_000), (seed, number)) for number in range(30)]
    files = {cluster.rest.upload(content)["fileID"]: content for content in contents}
    node = cluster.nodes[1]
    node.kill()
    for path in node.segments():
        for _ in range(40):
            flip_bit(path, chance.randrange(path.stat().st_size), chance.randrange(8))
    node.start()
    cluster.wait_for_state("up", node)
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content


def test_a_torn_tail_of_a_segment_is_cut_and_what_it_held_comes_back(fleet):
    cluster = Cluster(fleet, 3)
    contents = [make_bytes(200_000, number) for number in range(6)]
    files = {cluster.rest.upload(content)["fileID"]: content for content in contents}
    cluster.wait_for_fragments(3 * 6)
    node = cluster.nodes[2]
    node.kill()
    for path in node.segments():
        with open(path, "r+b") as file:
            data = file.read().rstrip(b"\0")
            file.truncate(max(4096, len(data) - 50_000))
    node.start()
    cluster.wait_for_state("up", node)
    for other in cluster.nodes[:2]:
        assert cluster.description(other)["state"] == "up"
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content
