"""One bit of each of many fragments: all of them are found, all are restored, and no wrong byte is served meanwhile."""

import random
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import Cluster, StorageProcess, make_bytes, wait_until
from harness.cluster import wrong
from harness.segment import Record, living_fragments
from harness.soak import make_chance
from test_cluster_life import Readers

FLIPS = 1_000
CODED_FILES = 24
LOST_AT_ONCE = 2
"""Fragments of a chunk that ec-4-2 can do without."""


def upload_all(cluster: Cluster, contents: list[bytes]) -> dict[str, bytes]:
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(pool.map(lambda content: cluster.rest.upload(content)["fileID"], contents), contents))


def fragments_by_chunk(cluster: Cluster) -> list[list[tuple[StorageProcess, Record]]]:
    chunks: dict[str, list[tuple[StorageProcess, Record]]] = {}
    for node in cluster.nodes:
        for record in living_fragments(node).values():
            chunks.setdefault(record.chunk, []).append((node, record))
    return [chunks[chunk] for chunk in sorted(chunks)]


def damage(cluster: Cluster, a_chunk: int, chance: random.Random) -> dict[str, set[str]]:
    """Flips a bit in `a_chunk` fragments of every chunk. Returns the fragments by the name of their node."""
    damaged: dict[str, set[str]] = {node.name: set() for node in cluster.nodes}
    for homes in fragments_by_chunk(cluster):
        for node, record in chance.sample(homes, a_chunk):
            record.flip_bit(chance)
            damaged[node.name].add(record.fragment)
    assert all(damaged.values()), "every node is damaged"
    return damaged


def found(node: StorageProcess) -> list[str]:
    """Fragments that the node has told to be corrupt, by a scrub or when they were read."""
    return re.findall(r"fragment=(\S+).*a fragment is corrupt", node.errors())


def restored(cluster: Cluster) -> dict[str, set[str]]:
    names = {cluster.description(node)["id"]: node.name for node in cluster.nodes}
    seen: dict[str, set[str]] = {node.name: set() for node in cluster.nodes}
    for fragment, node in re.findall(r"fragment=(\S+) node=(\S+).*fragment restored", cluster.distributor.errors()):
        seen[names[node]].add(fragment)
    return seen


def wait_until_whole(cluster: Cluster, damaged: dict[str, set[str]]) -> None:
    def all_found() -> bool:
        missing = {node.name: damaged[node.name] - set(found(node)) for node in cluster.nodes}
        return not any(missing.values()) or wrong(missing, "nothing")

    wait_until(all_found, 60, "every flipped bit is found", interval=0.2)

    def all_restored() -> bool:
        seen = cluster.rest.cluster()
        quarantined = [node["quarantinedCount"] for node in seen["nodes"]]
        return (not any(quarantined) and seen["repairQueueLength"] == 0) or wrong((quarantined, seen["repairQueueLength"]), "nothing")

    wait_until(all_restored, 60, "everything that was found is restored", interval=0.2)
    # Neither more nor less than what was damaged, and each of it once.
    assert {node.name: sorted(found(node)) for node in cluster.nodes} == {name: sorted(names) for name, names in damaged.items()}
    assert restored(cluster) == damaged


@pytest.mark.timeout(180)
def test_a_thousand_flipped_bits_are_found_and_repaired_and_none_is_served(fleet):
    seed, chance = make_chance()
    cluster = Cluster(fleet, 3, chunk_size="64KiB", durability="none", node_arguments=["--scrub-period", "1"])
    contents = [make_bytes(chance.randrange(1, 20_000), (seed, number)) for number in range(FLIPS)]
    files = upload_all(cluster, contents)
    cluster.wait_for_repairs()
    cluster.wait_for_fragments(3 * FLIPS)

    readers = Readers(cluster.rest, files)
    damaged = damage(cluster, 1, chance)
    assert sum(map(len, damaged.values())) == FLIPS
    wait_until_whole(cluster, damaged)
    readers.wait_for_more(FLIPS)
    readers.finish()
    print(f"{FLIPS} bits flipped on {[len(names) for names in damaged.values()]} fragments, {FLIPS} found, {FLIPS} restored, "
          f"{readers.reads} reads, none wrong")
    # Past the nodes: what is on each disk is what was stored.
    for node in cluster.nodes:
        stored = [record.payload for record in living_fragments(node).values()]
        assert sorted(stored) == sorted(contents), node.name


@pytest.mark.timeout(180)
def test_flipped_bits_in_as_many_fragments_of_each_coded_chunk_as_may_be_lost_are_computed_anew(fleet):
    seed, chance = make_chance()
    cluster = Cluster(
        fleet, 6, chunk_size="1MiB", durability="none", distributor_arguments=["--storage-class", "ec-4-2"],
        node_arguments=["--scrub-period", "1"])
    contents = [make_bytes(chance.randrange(300_000, 1_000_000), (seed, number)) for number in range(CODED_FILES)]
    files = upload_all(cluster, contents)
    cluster.wait_for_repairs()
    cluster.wait_for_fragments(6 * CODED_FILES)

    readers = Readers(cluster.rest, files)
    damaged = damage(cluster, LOST_AT_ONCE, chance)
    assert sum(map(len, damaged.values())) == LOST_AT_ONCE * CODED_FILES
    wait_until_whole(cluster, damaged)
    readers.wait_for_more(CODED_FILES)
    readers.finish()
    # All six are right again: any two can be done without.
    for victim in chance.sample(cluster.nodes, LOST_AT_ONCE):
        victim.kill()
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content
