"""Long lives of clusters, for `make soak`. `CHUNKFLOW_SOAK_SECONDS` (600) is how long each goes on."""

import itertools
import random
import sqlite3
import time
from pathlib import Path

import pytest
from harness import Cluster, Fleet, StorageProcess, make_bytes, run_client, wait_until
from harness.cluster import wrong
from harness.load import Load
from harness.network import TwoHosts
from harness.segment import living_fragments
from harness.soak import SOAK_LIMIT, SOAK_SECONDS, make_chance
from test_cluster_life import COPIES, Readers, TwoHalves, store
from test_membership import Members

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SOAK_LIMIT)]

FEWEST_NODES = 7
MOST_NODES = 9
STORAGE_CLASSES = ["replicated-3", "ec-4-2", "replicated-2", None]
WHOLE_SECONDS = 240


class Churn(Members):
    """Members to which something happens all the time. One thing at a time, and each until everything is where it should be."""

    def __init__(self, fleet: Fleet, chance: random.Random):
        self.chance = chance
        self.count = 0
        super().__init__(fleet, 0, replicas=3, arguments=["--log-level", "notice"])
        for _ in range(FEWEST_NODES):
            self.add()
        self.wait_for_members(FEWEST_NODES)

    def add(self) -> StorageProcess:
        self.count += 1
        node = self.fleet.add(
            StorageProcess(f"storage{self.count}", self.fleet.directory, ["--join", self.join_address, "--scrub-period", "2"]))
        self.nodes.append(node)
        return node.start()

    def happen(self) -> str:
        what = self.chance.choice(
            [self.node_joins, self.node_is_drained, self.node_is_weighed, self.node_is_killed, self.node_hangs, self.distributor_is_killed,
             self.bits_flip])
        what()
        self.wait_until_whole()
        return what.__name__

    def wait_until_whole(self) -> None:
        addresses = [node.address for node in self.nodes]

        def whole() -> bool:
            cluster = self.rest.cluster()
            nodes = [entry for entry in cluster["nodes"] if entry["address"] in addresses]
            return (
                all(entry["state"] == "up" and entry["quarantinedCount"] == 0 for entry in nodes) and cluster["rebalance"] is None
                and cluster["repairQueueLength"] == 0
            ) or wrong(cluster, "all up, nothing that moves or waits")

        wait_until(whole, WHOLE_SECONDS, "everything is whole again", interval=0.3)

    # What happens

    def node_joins(self) -> None:
        if len(self.nodes) < MOST_NODES:
            node = self.add()
            self.wait_for_state(node, "up")

    def node_is_drained(self) -> None:
        if len(self.nodes) == FEWEST_NODES:
            return
        node = self.chance.choice(self.nodes)
        self.order("POST", f"/cluster/nodes/{self.node_id(node)}/drain")
        self.wait_for_state(node, "left", WHOLE_SECONDS)
        self.nodes.remove(node)
        node.stop()

    def node_is_weighed(self) -> None:
        node = self.chance.choice(self.nodes)
        self.order("PUT", f"/cluster/nodes/{self.node_id(node)}/weight", {"weight": self.chance.choice([0.5, 1, 1.5, 2])})

    def node_is_killed(self) -> None:
        node = self.chance.choice(self.nodes)
        node.kill()
        time.sleep(self.chance.uniform(0, 5))
        node.start()

    def node_hangs(self) -> None:
        node = self.chance.choice(self.nodes)
        node.pause()
        time.sleep(self.chance.uniform(0, 5))
        node.resume()

    def distributor_is_killed(self) -> None:
        self.distributor.kill()
        time.sleep(self.chance.uniform(0, 2))
        self.distributor.start()

    def bits_flip(self) -> None:
        """In one node: what it shares with others has good copies."""
        node = self.chance.choice(self.nodes)
        fragments = sorted(living_fragments(node).items())
        for _, record in self.chance.sample(fragments, min(20, len(fragments))):
            # What is deleted at this moment is no longer read, and may be no longer there.
            if record.payload_size > 0:
                record.flip_bit(self.chance)
        # The scrub finds them.
        time.sleep(3)


def test_nodes_come_go_die_and_rot_while_clients_use_every_storage_class(fleet):
    seed, chance = make_chance()
    members = Churn(fleet, chance)
    load = Load(members.rest, 3, seed, largest=2 << 20, storage_classes=STORAGE_CLASSES)
    happened: list[str] = []
    end = time.monotonic() + SOAK_SECONDS
    while time.monotonic() < end:
        happened.append(members.happen())
        assert not load.wrong, (happened, load.wrong[:5])
    load.finish()
    members.wait_until_whole()
    print({name: happened.count(name) for name in sorted(set(happened))}, load.counts, f"{len(load.failures)} requests failed")
    # Requests fail only while there is no distributor.
    assert "distributor_is_killed" in happened or not load.failures, load.failures[:5]
    load.verify_everything()
    assert load.counts["upload"] > 0 and load.counts["download"] > 0


@pytest.mark.parametrize("storage_class", ["replicated-3", "ec-4-2"])
def test_every_pair_of_six_nodes_dies_at_once_and_no_read_fails(fleet, storage_class):
    cluster = Cluster(fleet, 6, replicas=3, distributor_arguments=["--storage-class", storage_class])
    files = store(cluster, 12, 3_000_001)
    cluster.wait_for_repairs()
    readers = Readers(cluster.rest, files)
    for pair in itertools.combinations(cluster.nodes, 2):
        for node in pair:
            node.kill()
        readers.wait_for_more(len(files))
        for file_id, content in files.items():
            assert cluster.rest.download(file_id) == content, [node.name for node in pair]
        cluster.fleet.start(*pair)
        cluster.wait_for_state("up", *pair)
        cluster.wait_for_repairs()
        assert not readers.failures, ([node.name for node in pair], readers.failures[:5])
    readers.finish()
    print(f"15 pairs, {readers.reads} reads, none failed")


def test_a_node_that_flaps_for_long_causes_no_storm(fleet):
    _, chance = make_chance()
    cluster = Cluster(fleet, 4, replicas=COPIES)
    files = store(cluster, 20, 600_000)
    cluster.wait_for_fragments(COPIES * len(files))
    layout = cluster.rest.cluster()["layout"]["version"]
    readers = Readers(cluster.rest, files)
    node, flaps = cluster.nodes[2], 0
    end = time.monotonic() + SOAK_SECONDS
    while time.monotonic() < end:
        node.kill()
        time.sleep(chance.uniform(0, 4))
        node.start()
        time.sleep(chance.uniform(0, 4))
        flaps += 1
    cluster.wait_for_state("up", node)
    cluster.wait_for_repairs()
    readers.finish()
    print(f"{flaps} flaps, {readers.reads} reads, none failed")
    # It had everything all the time: nothing was copied, and nothing moved.
    assert cluster.distributor.errors().count("fragment restored") == 0
    assert cluster.rest.cluster()["layout"]["version"] == layout
    cluster.wait_for_fragments(COPIES * len(files))


def test_half_of_the_nodes_are_cut_off_again_and_again(fleet):
    hosts = TwoHosts(fleet)
    cluster = TwoHalves(fleet, hosts)
    cluster.wait_for_states("up", "up", "up", "up")
    files = store(cluster, 8, 600_000)
    cluster.wait_for_repairs()
    layout = cluster.rest.cluster()["layout"]["version"]
    cuts = 0
    end = time.monotonic() + SOAK_SECONDS
    while cuts == 0 or time.monotonic() < end:
        hosts.cut()
        for file_id, content in files.items():
            assert cluster.rest.download(file_id) == content
        cluster.wait_for_states("up", "up", "down", "down")
        content = make_bytes(600_000, f"cut {cuts}")
        files[cluster.rest.upload(content)["fileID"]] = content
        hosts.mend()
        cluster.wait_for_states("up", "up", "up", "up")
        cluster.wait_for_repairs()
        cuts += 1
    print(f"{cuts} cuts")
    assert cluster.rest.cluster()["layout"]["version"] == layout
    for node in cluster.nodes[:2]:
        node.stop()
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content


def test_backups_under_load_have_everything_that_was_there_before_and_after(fleet):
    seed, _ = make_chance()
    cluster = Cluster(fleet, 3, chunk_size="256KiB")
    load = Load(cluster.rest, 4, seed, largest=1 << 20)
    wait_until(lambda: len(load.files) > 20, 60, "there is something to back up")
    backups = 0
    end = time.monotonic() + SOAK_SECONDS
    while backups == 0 or time.monotonic() < end:
        path = fleet.directory / f"backup{backups}.sqlite"
        before = set(load.files)
        done = run_client("metadata", "backup", path, server=cluster.distributor.url)
        assert done.code == 0, f"{done}"
        held = before & set(load.files)
        assert held <= names_in(path), f"{len(held - names_in(path))} files are not in the backup"
        path.unlink()
        backups += 1
    load.finish()
    print(f"{backups} backups", load.counts)
    assert not load.failures, load.failures[:5]
    load.verify_everything()


def names_in(backup: Path) -> set[str]:
    connection = sqlite3.connect(f"file:{backup}?mode=ro", uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {name.decode() for (name,) in connection.execute("SELECT name FROM objects")}
    finally:
        connection.close()
