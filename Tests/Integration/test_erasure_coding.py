"""Files stored as the fragments of an erasure code, on real nodes."""

import pytest

from harness import Cluster, EmbeddedServer, Fleet, StorageProcess, make_bytes, wait_until
from harness.cluster import wrong
from test_cluster_life import Readers, store

WIDTH = 6
"""Fragments of a chunk under ec-4-2."""
CHUNK = 4 << 20


def coded(fleet: Fleet, node_count: int, *arguments: str, node_arguments: list[str] = []) -> Cluster:
    return Cluster(
        fleet, node_count, replicas=3, chunk_size="4MiB", distributor_arguments=["--storage-class", "ec-4-2", *arguments],
        node_arguments=node_arguments)


def live_fragments(cluster: Cluster, *nodes: StorageProcess) -> int:
    return sum(cluster.description(node)["fragmentCount"] for node in nodes)


def test_any_two_of_six_nodes_die_at_once_and_no_read_fails_and_uploads_go_on(fleet):
    cluster = coded(fleet, 6)
    files = store(cluster, 4, 10_000_000) | store(cluster, 4, 1_000_003)
    cluster.wait_for_fragments(WIDTH * (4 * 3 + 4 * 1))
    assert {file["storageClass"] for file in cluster.rest.files()} == {"ec-4-2"}
    readers = Readers(cluster.rest, files)
    readers.wait_for_more(6)
    for victim in (cluster.nodes[1], cluster.nodes[4]):
        victim.kill()
    readers.wait_for_more(40)

    # Four nodes are too few for five fragments: what comes now is kept as copies.
    cluster.wait_for_state("down", cluster.nodes[1], cluster.nodes[4])
    late = make_bytes(3_000_000, "late")
    file = cluster.rest.upload(late)
    assert cluster.rest.request("GET", f"/files/{file['fileID']}").json()["storageClass"] == "replicated"
    assert cluster.rest.download(file["fileID"]) == late
    readers.wait_for_more(8)
    readers.finish()

    # And the other way round: what the first four serve is not all that there is.
    for node in (cluster.nodes[1], cluster.nodes[4]):
        node.start()
    cluster.wait_for_state("up", *cluster.nodes)
    cluster.wait_for_repairs()
    for victim in (cluster.nodes[0], cluster.nodes[5]):
        victim.kill()
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content


def test_coded_files_take_at_most_1_55_times_their_bytes(fleet):
    cluster = coded(fleet, 6)
    contents = [make_bytes(16_000_000, number) for number in range(6)]
    before = sum(cluster.description(node)["usedBytes"] for node in cluster.nodes)
    for content in contents:
        cluster.rest.upload(content)
    stored = sum(map(len, contents))

    def used() -> bool:
        taken = sum(cluster.description(node)["usedBytes"] for node in cluster.nodes) - before
        return 1.45 * stored <= taken <= 1.55 * stored or wrong(taken / stored, "1.45 to 1.55")

    wait_until(used, 15, "the nodes have taken one and a half times the bytes")


def test_every_range_of_a_coded_file_is_right_whoever_is_away(fleet):
    cluster = coded(fleet, 6)
    content = make_bytes(9_500_001, "ranges")
    file_id = cluster.rest.upload(content)["fileID"]
    cell = 256 * 1024
    ranges = [
        (0, 0), (0, 99), (cell - 1, cell), (cell + 5, 2 * cell + 70_000), (3 * cell - 3, 5 * cell + 3), (CHUNK - 1, CHUNK),
        (CHUNK - 10, 2 * CHUNK + 10), (2 * CHUNK, len(content) - 1), (len(content) - 1, len(content) - 1), (8_700_000, 9_100_000),
    ]

    def check() -> None:
        for first, last in ranges:
            answer = cluster.rest.try_download(file_id, f"bytes={first}-{last}")
            assert answer.status == 206 and answer.body == content[first : last + 1], (first, last)

    check()
    for victim in cluster.nodes[:2]:
        victim.kill()
        check()


def test_a_coded_file_heals_on_other_nodes_when_one_is_gone_for_good(fleet):
    cluster = coded(fleet, 7, "--node-grace", "2")
    files = store(cluster, 6, 6_000_000)
    fragments = WIDTH * 2 * len(files)
    cluster.wait_for_fragments(fragments)
    victim, others = cluster.nodes[2], [node for node in cluster.nodes if node is not cluster.nodes[2]]
    lost = live_fragments(cluster, victim)
    assert lost > 0
    victim.kill()

    def restored() -> bool:
        seen = cluster.rest.cluster()
        count = live_fragments(cluster, *others)
        return (count == fragments and seen["repairQueueLength"] == 0 and seen["rebalance"] is None) or wrong(count, fragments)

    wait_until(restored, 60, "every fragment is on one of the six that are left")
    # Every chunk has six fragments again: any two may go now.
    for node in (others[0], others[3]):
        node.kill()
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content


def test_a_node_that_joins_takes_its_part_of_coded_files_and_one_that_is_drained_leaves_none(fleet):
    cluster = coded(fleet, 6)
    files = store(cluster, 8, 5_000_000)
    fragments = WIDTH * 2 * len(files)
    cluster.wait_for_fragments(fragments)
    readers = Readers(cluster.rest, files)
    joined = fleet.add(StorageProcess("joined", fleet.directory, ["--join", "{}:{}".format(*cluster.distributor.listeners["cluster"])]))
    joined.start()

    def settled(*nodes: StorageProcess) -> bool:
        seen = cluster.rest.cluster()
        counts = [live_fragments(cluster, node) for node in nodes]
        return (seen["rebalance"] is None and sum(counts) == fragments and min(counts) > 0) or wrong(counts, fragments)

    wait_until(lambda: joined.address in cluster.rest.node_states(), 20, "the node is a member")
    wait_until(lambda: settled(*cluster.nodes, joined), 60, "seven nodes share the fragments")

    leaving = cluster.nodes[0]
    identity = cluster.description(leaving)["id"]
    answer = cluster.rest.request_json("POST", f"/cluster/nodes/{identity}/drain")
    assert answer.status == 200, f"{answer}"
    wait_until(lambda: settled(*cluster.nodes[1:], joined), 60, "the others have its fragments")
    wait_until(lambda: cluster.rest.node_states()[leaving.address] == "left", 20, "it has left")
    readers.wait_for_more(5)
    readers.finish()

    # The seventh node gone, six are left: one less would be too few.
    identity = cluster.description(joined)["id"]
    answer = cluster.rest.request_json("POST", f"/cluster/nodes/{identity}/drain")
    assert answer.status == 409 and "ec-4-2" in answer.problem()["detail"], f"{answer}"


def test_deleted_coded_files_leave_nothing(fleet):
    cluster = coded(fleet, 6)
    files = store(cluster, 3, 5_000_000)
    cluster.wait_for_fragments(WIDTH * 2 * len(files))
    for file_id in files:
        cluster.rest.delete(file_id)
    cluster.wait_for_fragments(0)


def test_an_upload_chooses_its_storage_class(fleet):
    cluster = Cluster(fleet, 4, replicas=2, quorum=2)
    content = make_bytes(700_000, "class")

    def upload(storage_class: str):
        return cluster.rest.request("POST", f"/upload?storage-class={storage_class}", content)

    before = 0
    for storage_class, count in (("replicated-1", 1), ("replicated-4", 4), ("replicated", 2), ("ec-2-1", 3), ("ec-2-2", 4)):
        answer = upload(storage_class)
        assert answer.status == 201 and answer.json()["storageClass"] == storage_class, f"{answer}"
        cluster.wait_for_fragments(before + count)
        before += count
        assert cluster.rest.download(answer.json()["fileID"]) == content
    refused = upload("ec-4-2")
    assert refused.status == 409 and refused.problem()["type"].endswith("storage-class-unavailable"), f"{refused}"
    assert "6" in refused.problem()["detail"] and "4" in refused.problem()["detail"]
    for unknown in ("gold", "ec-1-1", "replicated-0", "ec-4-2-1", ""):
        refused = upload(unknown)
        assert refused.status == 400 and refused.problem()["type"].endswith("unknown-storage-class"), f"{refused}"
    # Small files are kept as copies: as many as the code could lose, and one.
    small = cluster.rest.request("POST", "/upload?storage-class=ec-2-2", make_bytes(1000, "small"))
    assert small.json()["storageClass"] == "replicated-3", f"{small}"
    cluster.wait_for_fragments(before + 3)


@pytest.mark.parametrize("nodes,expected", [(5, "replicated-2"), (6, "ec-4-1")])
def test_the_number_of_nodes_decides_where_nobody_does(fleet, nodes, expected):
    server = EmbeddedServer(fleet, ["--nodes", str(nodes)])
    assert server.rest.cluster()["layout"]["storageClass"] == expected
    content = make_bytes(600_000, "default")
    file = server.rest.upload(content)
    assert file["storageClass"] == expected.replace("-2", "")
    assert server.rest.download(file["fileID"]) == content


def test_whoever_asks_for_copies_gets_copies(fleet):
    cluster = Cluster(fleet, 8, replicas=3)
    assert cluster.rest.cluster()["layout"]["storageClass"] == "replicated-3"
