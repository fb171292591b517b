"""Storage nodes that come, go, are emptied and die while clients read and write."""

import contextlib
import hashlib
import re
import shutil

import pytest
from harness import Cluster, DistributorProcess, Fleet, RESTClient, StorageProcess, make_bytes, wait_until
from harness.cluster import Gateway, wrong
from harness.disk import SmallDisk
from harness.load import Load
from harness.segment import living_fragments

MIB = 1 << 20
SETTLE_SECONDS = 60


class Members(Gateway):
    """A distributor that is told of no node, and nodes that join it."""

    def __init__(self, fleet: Fleet, node_count: int, replicas: int = 2, arguments: list[str] = [], secret: str | None = None):
        self.fleet = fleet
        self.secret = secret
        self.distributor = fleet.add(
            DistributorProcess(
                "distributor", fleet.directory, [],
                ["--replicas", str(replicas), "--write-quorum", str(min(2, replicas)), "--chunk-size", "256KiB", "--node-grace", "3600", *arguments],
                environment=self.environment))
        self.distributor.start()
        self.rest = RESTClient(self.distributor.http_address)
        self.nodes: list[StorageProcess] = []
        for _ in range(node_count):
            self.add()
        self.wait_for_members(node_count)

    @property
    def environment(self) -> dict[str, str]:
        return {"CHUNKFLOW_CLUSTER_SECRET": self.secret} if self.secret else {}

    @property
    def join_address(self) -> str:
        return "{}:{}".format(*self.distributor.listeners["cluster"])

    def make_node(self, name: str, arguments: list[str] = [], **more) -> StorageProcess:
        more.setdefault("environment", self.environment)
        return self.fleet.add(StorageProcess(name, self.fleet.directory, ["--join", self.join_address, *arguments], **more))

    def add(self) -> StorageProcess:
        node = self.make_node(f"storage{len(self.nodes) + 1}")
        self.nodes.append(node)
        return node.start()

    # What the cluster says

    def states(self) -> dict[str, str]:
        return self.rest.node_states()

    def node_id(self, node: StorageProcess) -> str:
        return next(entry["id"] for entry in self.rest.cluster()["nodes"] if entry["address"] == node.address)

    def wait_for_members(self, count: int) -> None:
        """With or without their share of what is stored."""

        def reached() -> bool:
            states = self.states()
            return sum(state in ("up", "joining") for state in states.values()) == count or wrong(states, f"{count} members")

        wait_until(reached, 30, f"{count} members")

    def wait_for_state(self, node: StorageProcess, state: str, seconds: float = SETTLE_SECONDS) -> None:
        wait_until(lambda: self.states().get(node.address) == state or wrong(self.states(), state), seconds, f"{node.name} is {state}")

    def wait_until_settled(self, seconds: float = SETTLE_SECONDS) -> None:
        def settled() -> bool:
            cluster = self.rest.cluster()
            return (cluster["rebalance"] is None and cluster["repairQueueLength"] == 0) or wrong(cluster, "no movement")

        wait_until(settled, seconds, "everything is where it should be")

    # What an operator does

    def order(self, method: str, path: str, document: dict | None = None, status: int = 200) -> dict:
        response = self.rest.request_json(method, path, document)
        assert response.status == status, f"{method} {path}: {response}"
        return response.json() if response.body else {}


@contextlib.contextmanager
def clients(members: Members, seed: int):
    """Clients that store, read and check during the block; nothing may fail."""
    load = Load(members.rest, 2, seed=seed, largest=MIB)
    try:
        yield load
    finally:
        load.finish()
    assert not load.wrong, load.wrong[:5]
    assert not load.failures, load.failures[:5]
    assert load.counts["upload"] and load.counts["download"], load.counts


def check(members: Members, files: dict[str, bytes]) -> None:
    for file_id, digest in files.items():
        assert hashlib.sha256(members.rest.download(file_id)).digest() == digest, file_id


def store_files(members: Members, count: int, size: int = 600_000) -> dict[str, bytes]:
    files = {}
    for number in range(count):
        content = make_bytes(size, f"stored {number}")
        files[members.rest.upload(content)["fileID"]] = hashlib.sha256(content).digest()
    return files


def fragments_of(members: Members, node: StorageProcess) -> int:
    return next(entry["fragmentCount"] for entry in members.rest.cluster()["nodes"] if entry["address"] == node.address)


# Joining


def test_a_distributor_without_nodes_refuses_uploads_until_nodes_have_joined(fleet):
    members = Members(fleet, 0)
    assert members.rest.try_upload(b"too early").status == 503
    assert members.rest.request("GET", "/health/ready").status == 503
    members.add()
    members.wait_for_members(1)
    file = members.rest.upload(b"one copy")
    members.add()
    members.wait_for_members(2)
    members.wait_until_settled()
    # The second node has a copy of what was stored when there was one.
    members.nodes[0].kill()
    assert members.rest.download(file["fileID"]) == b"one copy"


def test_a_node_that_joins_gets_its_share_while_clients_notice_nothing(fleet):
    members = Members(fleet, 4)
    files = store_files(members, 40)
    with clients(members, seed=1) as load:
        node = members.add()
        members.wait_for_members(5)
        members.wait_until_settled()
    check(members, files | load.files)
    total = 2 * chunk_count(members)
    members.wait_for_fragments(total)
    assert total / 5 * 0.7 < fragments_of(members, node) < total / 5 * 1.3


def chunk_count(members: Members) -> int:
    return sum(-(-file["size"] // (256 << 10)) for file in members.rest.files())


def test_nodes_find_a_distributor_that_comes_later_and_one_that_was_restarted(fleet):
    members = Members(fleet, 2)
    file = members.rest.upload(b"before")
    members.distributor.kill()
    late = members.make_node("late").start()
    members.distributor.start()
    members.rest = RESTClient(members.distributor.http_address)
    members.wait_for_members(3)
    assert late.address in members.states()
    assert members.rest.download(file["fileID"]) == b"before"


def test_a_node_comes_back_under_another_address(fleet):
    members = Members(fleet, 2)
    files = store_files(members, 5)
    old = members.nodes[0]
    identity = members.node_id(old)
    old.stop()
    moved = members.make_node("moved", data=old.data).start()
    wait_until(lambda: members.node_id(moved) == identity if moved.address in members.states() else False, 30, "the node is found again")
    members.wait_for_members(2)
    members.nodes[1].kill()
    check(members, files)


def test_a_copy_of_a_nodes_data_is_refused_on_both_sides(fleet):
    members = Members(fleet, 2)
    twin = members.make_node("twin")
    members.nodes[0].stop()
    shutil.copytree(members.nodes[0].data, twin.data, dirs_exist_ok=True)
    members.nodes[0].start()
    wait_until(lambda: "] joined" in members.nodes[0].errors(), 30, "the node is a member again")
    twin.launch()
    assert twin.wait(30) == 1
    assert "alive" in twin.errors().splitlines()[-1] and twin.errors().splitlines()[-1].startswith("error:")
    assert "alive" in members.distributor.errors()
    assert twin.address not in members.states()


def test_a_node_with_another_secret_or_of_another_cluster_is_refused_on_both_sides(fleet):
    members = Members(fleet, 1, replicas=1, secret="the right secret")
    stranger = members.make_node("stranger", environment={"CHUNKFLOW_CLUSTER_SECRET": "another secret"})
    stranger.launch()
    assert stranger.wait(30) == 1
    assert "secret" in stranger.errors().splitlines()[-1]

    with Fleet() as elsewhere:
        other = Members(elsewhere, 1, replicas=1, secret="the right secret")
        foreign = other.nodes[0]
        foreign.stop()
        node = members.make_node("foreign", data=foreign.data)
        node.launch()
        assert node.wait(30) == 1
        assert "cluster" in node.errors().splitlines()[-1]
    assert "belongs to cluster" in members.distributor.errors()
    assert len(members.states()) == 1


# Leaving


def test_a_drained_node_is_empty_and_has_left_while_clients_notice_nothing(fleet):
    members = Members(fleet, 4)
    files = store_files(members, 30)
    node = members.nodes[1]
    with clients(members, seed=2) as load:
        plan = members.order("POST", "/cluster/layout/plan", {"drain": members.node_id(node)})
        made = members.order("POST", f"/cluster/nodes/{members.node_id(node)}/drain")
        assert made["toVersion"] == plan["toVersion"] and made["movedPartitions"] == plan["movedPartitions"]
        assert made["movedPartitions"] <= 1.1 * made["leastPartitions"]
        members.wait_for_state(node, "left")
    members.wait_until_settled()
    check(members, files | load.files)
    wait_until(lambda: fragments_of(members, node) == 0 or wrong(fragments_of(members, node), 0), 30, "the node is empty")
    node.stop()
    check(members, files | load.files)


def test_a_node_that_is_away_for_too_long_is_replaced_and_taken_back_when_it_returns(fleet):
    members = Members(fleet, 4, arguments=["--node-grace", "2"])
    files = store_files(members, 30)
    node = members.nodes[2]
    members.wait_for_fragments(2 * chunk_count(members))
    kept = set(living_fragments(node))
    deleted = list(store_files(members, 10, 599_999))
    members.wait_for_fragments(2 * chunk_count(members))
    stale = set(living_fragments(node)) - kept
    assert stale, "the node has some of what is deleted later"
    node.kill()
    members.wait_for_state(node, "left")
    for file_id in deleted:
        members.rest.delete(file_id)
    members.wait_until_settled()
    check(members, files)
    # Any one more can go: there are two copies again.
    members.nodes[0].kill()
    check(members, files)
    members.nodes[0].start()
    # However long it was away: no memory of a process has the deletions any more.
    members.distributor.restart()
    members.rest = RESTClient(members.distributor.http_address)
    members.wait_for_members(3)
    assert stale <= set(living_fragments(node))
    node.start()
    members.wait_for_members(4)
    members.wait_until_settled()
    # What was deleted while it was away does not come back, and goes from its disk.
    for file_id in deleted:
        assert members.rest.try_download(file_id).status == 404
    wait_until(lambda: not stale & set(living_fragments(node)), SETTLE_SECONDS, "the stale fragments are gone", interval=0.5)
    members.wait_for_fragments(2 * chunk_count(members))
    check(members, files)


def test_nobody_is_taken_out_when_half_of_the_nodes_are_away(fleet):
    members = Members(fleet, 4, arguments=["--node-grace", "1"])
    before = members.rest.cluster()["layout"]["version"]
    for node in members.nodes[:2]:
        node.kill()
    for node in members.nodes[:2]:
        members.wait_for_state(node, "down")
    # Longer than the grace: a change would have come.
    elapsed = wait_for_probes(members, 20)
    assert members.rest.cluster()["layout"]["version"] == before, f"after {elapsed} probes"


def wait_for_probes(members: Members, count: int) -> int:
    """Waits until a node that is up was seen `count` times more: about a second each."""
    seen = set()
    address = members.nodes[-1].address

    def enough() -> bool:
        seen.add(next(entry["lastSeenAt"] for entry in members.rest.cluster()["nodes"] if entry["address"] == address))
        return len(seen) > min(count, 5)

    wait_until(enough, 30, "the nodes are probed")
    return len(seen)


def test_the_last_holder_and_the_last_copies_are_refused_without_force(fleet):
    members = Members(fleet, 2, replicas=1)
    store_files(members, 10)
    node = members.nodes[0]
    refused = members.rest.request_json("POST", f"/cluster/nodes/{members.node_id(node)}/remove", None)
    assert refused.status == 409 and "partitions" in refused.problem()["detail"], f"{refused}"
    assert members.states()[node.address] == "up"
    forced = members.order("POST", f"/cluster/nodes/{members.node_id(node)}/remove", {"force": True})
    assert forced["movedPartitions"] > 0
    members.wait_for_state(node, "left")

    pair = members.rest.request_json("POST", f"/cluster/nodes/{members.node_id(members.nodes[1])}/drain", None)
    assert pair.status in (400, 409), f"{pair}"


def test_a_disk_that_fills_up_while_data_move_to_it_costs_nothing(fleet):
    members = Members(fleet, 2)
    contents = [make_bytes(MIB + number, number) for number in range(40)]
    files = {members.rest.upload(content)["fileID"]: content for content in contents}
    # Its share, two thirds of 40 MiB, is more than it has room for.
    small = SmallDisk(fleet, "small", 24)
    node = members.make_node("small-node", data=small.path / "data").start()
    members.wait_for_state(node, "joining")
    wait_until(lambda: "fragment not moved yet" in members.distributor.errors(), 40, "the small disk is full")
    assert members.rest.cluster()["rebalance"]["blobsLeft"] > 0
    for file_id, content in files.items():
        assert members.rest.download(file_id) == content
    more = make_bytes(300_000, "more")
    files[members.rest.upload(more)["fileID"]] = more

    # The way out: the node goes again, and what it got comes back.
    members.order("POST", f"/cluster/nodes/{members.node_id(node)}/drain")
    members.wait_for_state(node, "left")
    members.wait_until_settled()
    node.stop()
    for file_id, content in files.items():
        assert members.rest.download(file_id) == content


def test_a_change_for_which_one_of_the_others_has_no_room_is_refused_with_both_numbers(fleet):
    members = Members(fleet, 2)
    small = SmallDisk(fleet, "small", 24)
    node = members.make_node("small-node", data=small.path / "data").start()
    members.wait_for_members(3)
    contents = [make_bytes(MIB, number) for number in range(27)]
    files = {members.rest.upload(content)["fileID"]: content for content in contents}
    # It has two thirds of them; without one of the others it would have all.
    wait_until(lambda: room_of(members, node) < 6 * MIB, 20, "the small node says how full it is")
    identity = members.node_id(node)
    before = members.rest.cluster()["layout"]["version"]
    drain = f"/cluster/nodes/{members.node_id(members.nodes[0])}/drain"
    for method, path, document in (("POST", drain, None), ("PUT", f"/cluster/nodes/{identity}/weight", {"weight": 100})):
        refused = members.rest.request_json(method, path, document)
        assert refused.status == 409, f"{refused}"
        said = re.fullmatch(r"node (\S+) would get (\d+) bytes and has room for (\d+)", refused.problem()["detail"])
        assert said and said[1] == identity, refused.problem()
        assert 7 * MIB < int(said[2]) < 11 * MIB and int(said[3]) < 6 * MIB, refused.problem()
        assert refused.problem()["type"].endswith("change-refused")
    assert members.rest.cluster()["layout"]["version"] == before and set(members.states().values()) == {"up"}

    # With less to hold it is done.
    for file_id in list(files)[:20]:
        members.rest.delete(file_id)
        del files[file_id]
    wait_until(lambda: room_of(members, node) > 10 * MIB, 30, "there is room again")
    members.order("POST", drain)
    members.wait_for_state(members.nodes[0], "left")
    members.wait_until_settled()
    for file_id, content in files.items():
        assert members.rest.download(file_id) == content


def room_of(members: Members, node: StorageProcess) -> int:
    return next(entry["availableBytes"] for entry in members.rest.cluster()["nodes"] if entry["address"] == node.address)


def test_a_removed_node_that_starts_again_waits_until_it_is_taken_back(fleet):
    members = Members(fleet, 3)
    contents = [make_bytes(100_000, number) for number in range(6)]
    files = {members.rest.upload(content)["fileID"]: content for content in contents}
    node = members.nodes[2]
    identity = members.node_id(node)
    members.order("POST", f"/cluster/nodes/{identity}/remove")
    members.wait_until_settled()
    node.stop()
    # Under another address, as containers are.
    moved = members.make_node("moved", data=node.data).start()
    wait_until(lambda: "was removed from the cluster" in moved.errors(), 20, "the node says why it is no member")
    assert moved.is_running and members.states()[moved.address] == "left"
    members.order("POST", f"/cluster/nodes/{identity}/restore")
    members.wait_for_state(moved, "up")
    wait_until(lambda: "] joined" in moved.errors(), 20, "the node is a member again")
    members.wait_until_settled()
    for file_id, content in files.items():
        assert members.rest.download(file_id) == content


def test_two_changes_at_once_are_two_changes(fleet):
    members = Members(fleet, 5)
    files = store_files(members, 30)
    with clients(members, seed=3) as load:
        members.order("POST", f"/cluster/nodes/{members.node_id(members.nodes[0])}/drain")
        members.order("PUT", f"/cluster/nodes/{members.node_id(members.nodes[1])}/weight", {"weight": 2})
        members.order("POST", f"/cluster/nodes/{members.node_id(members.nodes[2])}/drain")
        for node in (members.nodes[0], members.nodes[2]):
            members.wait_for_state(node, "left")
        members.wait_until_settled()
    check(members, files | load.files)


@pytest.mark.parametrize("victim", ["distributor", "target", "source"])
def test_a_rebalance_goes_on_after_a_crash_in_the_middle(fleet, victim):
    members = Members(fleet, 3, arguments=["--rebalance-rate", "2MiB"])
    files = store_files(members, 40)
    target = members.add()
    wait_until(lambda: (members.rest.cluster()["rebalance"] or {}).get("movedBytes", 0) > 0, 30, "the rebalance is under way")
    assert members.rest.cluster()["rebalance"]["blobsLeft"] > 0
    process = {"distributor": members.distributor, "target": target, "source": members.nodes[0]}[victim]
    process.kill()
    process.start()
    members.rest = RESTClient(members.distributor.http_address)
    members.wait_for_members(4)
    members.wait_until_settled(120)
    check(members, files)
    members.wait_for_fragments(2 * chunk_count(members))


def test_movement_can_be_paused_and_resumed_across_a_restart(fleet):
    members = Members(fleet, 3)
    files = store_files(members, 20)
    members.order("POST", "/cluster/pause", status=204)
    node = members.add()
    members.wait_for_members(4)
    members.distributor.restart()
    members.rest = RESTClient(members.distributor.http_address)
    members.wait_for_members(4)
    cluster = members.rest.cluster()
    assert cluster["backgroundPaused"] and cluster["rebalance"]["blobsLeft"] == 20
    assert fragments_of(members, node) == 0
    assert members.states() == {other.address: "joining" if other is node else "up" for other in members.nodes}
    check(members, files)
    members.order("POST", "/cluster/resume", status=204)
    members.wait_until_settled()
    wait_until(lambda: fragments_of(members, node) > 0, 30, "the node has its share")
    assert set(members.states().values()) == {"up"}
    check(members, files)
