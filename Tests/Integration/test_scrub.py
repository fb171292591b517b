"""What rots or goes missing without anybody reading it, and comes back without anybody asking."""

import re

import pytest
from harness import Cluster, RESTClient, StorageProcess, make_bytes, wait_until
from harness.cluster import wrong
from harness.segment import living_fragments


def passes(node: StorageProcess) -> list[int]:
    """How many fragments each finished scrub found corrupt."""
    return [int(found) for found in re.findall(r"corrupt=(\d+).*scrub finished", node.errors())]


def wait_until_sound(cluster: Cluster, node: StorageProcess, after: int) -> None:
    """Waits for a pass of the scrub that finds nothing any more, and for all repairs."""
    wait_until(lambda: 0 in passes(node)[after + 1 :] or wrong(passes(node), "a clean pass"), 60, "the scrub finds nothing any more")

    def sound() -> bool:
        seen = cluster.rest.cluster()
        quarantined = cluster.description(node)["quarantinedCount"]
        return (quarantined == 0 and seen["repairQueueLength"] == 0) or wrong(seen, "nothing in quarantine")

    wait_until(sound, 60, "what was found is restored")


def check_each_node_alone(cluster: Cluster, files: dict[str, bytes]) -> None:
    for node in cluster.nodes:
        others = [other for other in cluster.nodes if other is not node]
        for other in others:
            other.stop()
        for file_id, content in files.items():
            assert cluster.rest.download(file_id) == content, f"{file_id} from {node.name}"
        cluster.fleet.start(*others)
        cluster.wait_for_state("up", *others)


def lose_everything(node: StorageProcess) -> None:
    """Kills a node, and starts it again with its identity and nothing else."""
    node.kill()
    for path in node.data.iterdir():
        if path.name != "node.json":
            path.unlink()
    node.start()


def test_a_node_that_comes_back_without_its_fragments_gets_them_again(fleet):
    cluster = Cluster(fleet, 3)
    contents = [make_bytes(200_000, number) for number in range(10)]
    files = {cluster.rest.upload(content)["fileID"]: content for content in contents}
    cluster.wait_for_fragments(3 * len(files))
    node = cluster.nodes[1]
    lose_everything(node)
    cluster.wait_for_state("up", node)
    wait_until(lambda: "fragments are missing" in cluster.distributor.errors(), 40, "the loss is noticed")
    cluster.wait_for_repairs()
    wait_until(
        lambda: cluster.description(node)["fragmentCount"] == len(files) or wrong(cluster.description(node), len(files)), 40,
        "the node has its fragments again")
    check_each_node_alone(cluster, files)


@pytest.mark.timeout(180)
def test_a_repair_goes_on_after_a_crash_in_the_middle(fleet):
    # Four fragments a second: some seven seconds in which to strike.
    count, size = 30, 65_536
    cluster = Cluster(fleet, 3, chunk_size="64KiB", distributor_arguments=["--rebalance-rate", "256KiB"])
    files = {cluster.rest.upload(content)["fileID"]: content for content in (make_bytes(size, number) for number in range(count))}
    cluster.wait_for_fragments(3 * count)
    source, target, witness = cluster.nodes
    name = cluster.description(target)["id"]

    def restored() -> int:
        """How many the distributor that runs now has seen restored."""
        return len(re.findall(rf"node={name}.*fragment restored", cluster.distributor.errors()))

    for victim in (cluster.distributor, target, source):
        before = restored()
        lose_everything(target)
        wait_until(lambda: restored() - before >= 3, 60, f"{victim.name}: the repair is under way")
        victim.kill()
        assert restored() - before < count, f"{victim.name}: the repair was over before the crash"
        victim.start()
        cluster.rest = RESTClient(cluster.distributor.http_address)
        cluster.wait_for_state("up", *cluster.nodes, seconds=40)
        wait_until(
            lambda: cluster.description(target)["fragmentCount"] == count or wrong(cluster.description(target), count), 60,
            f"{victim.name}: the node has its fragments again")
        cluster.wait_for_repairs()
        payloads = {fragment: record.payload for fragment, record in living_fragments(witness).items()}
        assert len(payloads) == count
        for node in (source, target):
            assert {fragment: record.payload for fragment, record in living_fragments(node).items()} == payloads, f"{victim.name}: {node.name}"
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content
