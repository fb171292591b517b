"""What rots or goes missing without anybody reading it, and comes back without anybody asking."""

import re

from harness import Cluster, StorageProcess, make_bytes, wait_until
from harness.cluster import wrong


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


def test_a_node_that_comes_back_without_its_fragments_gets_them_again(fleet):
    cluster = Cluster(fleet, 3)
    contents = [make_bytes(200_000, number) for number in range(10)]
    files = {cluster.rest.upload(content)["fileID"]: content for content in contents}
    cluster.wait_for_fragments(3 * len(files))
    node = cluster.nodes[1]
    node.kill()
    for path in node.data.iterdir():
        if path.name != "node.json":
            path.unlink()
    node.start()
    cluster.wait_for_state("up", node)
    wait_until(lambda: "fragments are missing" in cluster.distributor.errors(), 40, "the loss is noticed")
    cluster.wait_for_repairs()
    wait_until(
        lambda: cluster.description(node)["fragmentCount"] == len(files) or wrong(cluster.description(node), len(files)), 40,
        "the node has its fragments again")
    check_each_node_alone(cluster, files)
