"""How evenly the nodes fill up."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import Cluster, PacedDownload, make_bytes, wait_until

NODE_COUNT = 6
BLOCK = 64 << 10


def fullest(cluster: Cluster, field: str) -> float:
    """What the fullest node holds over the mean."""
    values = [node[field] for node in cluster.rest.cluster()["nodes"]]
    return max(values) * len(values) / sum(values)


def evenly_filled(fleet, replicas: int) -> Cluster:
    return Cluster(fleet, NODE_COUNT, replicas=replicas, quorum=replicas, chunk_size="64KiB", durability="none")


@pytest.mark.timeout(120)
def test_over_10_000_chunks_the_fullest_of_six_nodes_holds_at_most_1_05_of_the_mean(fleet):
    cluster = evenly_filled(fleet, replicas=1)
    chunk_counts = [1] * 100 + [7] * 100 + [100] * 20 + [1200, 2000, 4000]
    assert sum(chunk_counts) == 10_000

    def upload(number: int) -> None:
        block = make_bytes(BLOCK, number)
        cluster.rest.upload(block * chunk_counts[number])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upload, range(len(chunk_counts))))
    cluster.wait_for_fragments(10_000)
    ratio = fullest(cluster, "fragmentCount")
    print(f"10,000 chunks on {NODE_COUNT} nodes: fullest over mean {ratio:.3f}")
    assert ratio <= 1.05


@pytest.mark.timeout(120)
def test_over_2_000_mixed_files_the_fullest_of_six_nodes_holds_at_most_1_10_of_the_mean(fleet):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    # As 1 KiB to 64 MiB in chunks of 8 MiB, at a 128th of the size.
    sizes = [int(8 * 65_536 ** chance.random()) for _ in range(2000)]
    cluster = evenly_filled(fleet, replicas=2)
    content = make_bytes(1 << 19, seed)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda size: cluster.rest.upload(content[:size]), sizes))
    cluster.wait_for_fragments(2 * sum(-(-size // BLOCK) for size in sizes))
    ratio = fullest(cluster, "usedBytes")
    print(f"2,000 mixed files on {NODE_COUNT} nodes: fullest over mean {ratio:.3f}")
    assert ratio <= 1.10


def test_copies_of_a_chunk_are_on_different_nodes(fleet):
    cluster = Cluster(fleet, 4, replicas=2, quorum=2, chunk_size="64KiB")
    contents = [make_bytes(BLOCK, number) for number in range(20)]
    for content in contents:
        cluster.rest.upload(content)
    cluster.wait_for_fragments(2 * len(contents))
    for content in contents:
        holders = [node for node in cluster.nodes if any(content[100:140] in path.read_bytes() for path in node.segments())]
        assert len(holders) == 2


@pytest.mark.timeout(90)
def test_memory_does_not_grow_with_the_size_of_a_file(fleet):
    cluster = Cluster(fleet, 4, chunk_size="8MiB", durability="none")
    block = make_bytes(16 << 20, "memory")
    count = 32
    response = cluster.rest.request(
        "POST", "/upload", (block for _ in range(count)),
        {"Content-Type": "application/octet-stream", "Content-Length": str(count * len(block))})
    assert response.status == 201, f"{response}"
    file = response.json()
    assert file["size"] == count * len(block)
    download = PacedDownload(cluster.distributor.http_address, file["fileID"])
    for _ in range(count):
        assert download.take(len(block)) == block
    distributor = cluster.distributor.memory_bytes("VmHWM") >> 20
    nodes = [node.memory_bytes("VmHWM") >> 20 for node in cluster.nodes]
    print(f"512 MiB up and down: distributor {distributor} MiB, nodes {nodes} MiB")
    assert distributor < 256
    assert max(nodes) < 192
    wait_until(lambda: cluster.rest.repair_queue_length() == 0, 30, "nothing was left behind")
