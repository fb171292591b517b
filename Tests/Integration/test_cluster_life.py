"""What happens to a cluster in its life: nodes die in numbers, flap, and are cut off."""

import threading

from harness import Cluster, DistributorProcess, Fleet, RESTClient, StorageProcess, make_bytes, wait_until
from harness.cluster import Gateway, wrong
from harness.network import TwoHosts

COPIES = 3


class Readers:
    """Threads that read files all the time and note whatever does not come back whole."""

    def __init__(self, rest: RESTClient, files: dict[str, bytes], count: int = 3):
        self.rest, self.files = rest, files
        self.reads = 0
        self.failures: list[str] = []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        ids = list(self.files)
        while not self._stopping.is_set():
            for file_id in ids[number:] + ids[:number]:
                try:
                    content = self.rest.download(file_id)
                    if content != self.files[file_id]:
                        self.failures.append(f"{file_id} came back changed")
                except Exception as error:
                    self.failures.append(f"{file_id}: {error}")
                self.reads += 1
                if self._stopping.is_set():
                    return

    def wait_for_more(self, count: int) -> None:
        wanted = self.reads + count
        wait_until(lambda: self.reads >= wanted, 60, f"{count} reads")

    def finish(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
        assert self.reads > 0 and not self.failures, self.failures[:5]


def store(cluster: Gateway, count: int, size: int) -> dict[str, bytes]:
    contents = [make_bytes(size, number) for number in range(count)]
    return {cluster.rest.upload(content)["fileID"]: content for content in contents}


def test_two_of_six_nodes_die_at_once_and_no_read_fails_and_all_copies_come_back(fleet):
    cluster = Cluster(fleet, 6, replicas=COPIES, distributor_arguments=["--node-grace", "2"])
    files = store(cluster, 12, 1_500_000)
    fragments = COPIES * 2 * len(files)
    cluster.wait_for_fragments(fragments)
    readers = Readers(cluster.rest, files)
    readers.wait_for_more(10)
    victims = cluster.nodes[1], cluster.nodes[4]
    for victim in victims:
        victim.kill()
    readers.wait_for_more(60)

    # Nobody does anything: after the grace time the other four have all copies.
    def restored() -> bool:
        seen = cluster.rest.cluster()
        alive = [node for node in seen["nodes"] if node["state"] == "up"]
        count = sum(node["fragmentCount"] for node in alive)
        return (len(alive) == 4 and count == fragments and seen["repairQueueLength"] == 0 and seen["rebalance"] is None) or wrong(
            (len(alive), count), (4, fragments))

    wait_until(restored, 60, "full replication on the nodes that are left")
    readers.wait_for_more(20)
    readers.finish()


def test_a_node_that_flaps_causes_no_storm(fleet):
    cluster = Cluster(fleet, 4, replicas=COPIES)
    files = store(cluster, 10, 300_000)
    cluster.wait_for_fragments(COPIES * len(files))
    layout = cluster.rest.cluster()["layout"]["version"]
    node = cluster.nodes[2]
    for _ in range(4):
        node.kill()
        cluster.wait_for_state("down", node)
        node.start()
        cluster.wait_for_state("up", node)
        for file_id, content in files.items():
            assert cluster.rest.download(file_id) == content
    cluster.wait_for_repairs()
    # It had everything all the time: nothing was copied, and nothing moved.
    assert cluster.distributor.errors().count("fragment restored") == 0
    assert cluster.rest.cluster()["layout"]["version"] == layout
    cluster.wait_for_fragments(COPIES * len(files))


class TwoHalves(Gateway):
    """A distributor and two nodes on the near host, two nodes on the far one."""

    def __init__(self, fleet: Fleet, hosts: TwoHosts):
        places = [(hosts.near_address, [])] * 2 + [(hosts.far_address, hosts.on_far_host)] * 2
        self.nodes = [
            fleet.add(StorageProcess(f"storage{number}", fleet.directory, host=host, within=within))
            for number, (host, within) in enumerate(places, 1)
        ]
        self.distributor = fleet.add(
            DistributorProcess(
                "distributor", fleet.directory, [node.address for node in self.nodes],
                ["--replicas", str(COPIES), "--write-quorum", "2", "--chunk-size", "256KiB", "--node-grace", "2"]))
        fleet.start(*self.nodes)
        self.distributor.start()
        self.rest = RESTClient(self.distributor.http_address)

    def wait_for_states(self, *states: str) -> None:
        def reached() -> bool:
            seen = self.rest.node_states()
            return [seen[node.address] for node in self.nodes] == list(states) or wrong(seen, states)

        wait_until(reached, 30, f"{states}")


def test_half_of_the_nodes_are_cut_off_and_come_back(fleet):
    hosts = TwoHosts(fleet)
    cluster = TwoHalves(fleet, hosts)
    cluster.wait_for_states("up", "up", "up", "up")
    files = store(cluster, 8, 600_000)
    cluster.wait_for_repairs()
    layout = cluster.rest.cluster()["layout"]["version"]

    hosts.cut()
    # At once, while calls to the other half hang: of every chunk a copy is on this side.
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content
    cluster.wait_for_states("up", "up", "down", "down")
    files |= {cluster.rest.upload(content)["fileID"]: content for content in [make_bytes(600_000, f"cut {number}") for number in range(4)]}
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content

    hosts.mend()
    cluster.wait_for_states("up", "up", "up", "up")
    cluster.wait_for_repairs()
    # Long past the grace time: half of the nodes away is a fault of the network, and no reason to move everything.
    assert cluster.rest.cluster()["layout"]["version"] == layout
    # What nodes took for others while those were away goes with the next sweep.
    wanted = COPIES * 3 * len(files)
    wait_until(lambda: cluster.rest.fragment_count() >= wanted or wrong(cluster.rest.fragment_count(), wanted), 40, "all copies are there")
    # And they are where they should be: the half that was away serves everything that it should have.
    for node in cluster.nodes[:2]:
        node.stop()
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content
