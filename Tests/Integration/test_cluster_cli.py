"""`chunkflow cluster`: an operator who adds, plans, drains, weighs, pauses and looks."""

import json

import pytest
from harness import StorageProcess, run_client, wait_until
from harness.cluster import wrong
from test_membership import Members, check, fragments_of, store_files

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
PORT_OF_NOBODY = "127.0.0.1:1"


class Operator:
    """Runs `chunkflow cluster` against the distributor of some members."""

    def __init__(self, members: Members):
        self.members = members

    def run(self, *arguments: str, code: int = 0):
        done = run_client("cluster", *arguments, server=self.members.distributor.url)
        assert done.code == code, f"{arguments}: {done}"
        return done

    def json(self, *arguments: str) -> dict:
        return self.run(*arguments, "--json").json()

    def layout(self) -> dict[str, dict]:
        """By node."""
        return {member["node"]: member for member in self.json("layout", "show")["members"]}


@pytest.fixture
def operator(fleet):
    return Operator(Members(fleet, 3))


def test_a_node_is_added_by_its_address_and_gets_its_share(operator):
    members = operator.members
    files = store_files(members, 10)
    node = members.fleet.add(StorageProcess("added", members.fleet.directory)).start()
    before = operator.json("layout", "show")
    plan = operator.json("layout", "plan", "add", node.address)
    told = operator.run("layout", "plan", "add", node.address).output
    assert f"{plan['fromVersion']} -> {plan['toVersion']}" in told and "nothing was changed" in told
    assert 0 < plan["movedPartitions"] <= 1.1 * plan["leastPartitions"] and plan["movedBytes"] > 0
    # The node does not know of it: it still belongs to nobody.
    assert operator.json("layout", "show") == before and node.address not in members.states()
    assert json.loads((node.data / "node.json").read_text()).get("cluster") is None
    added = operator.run("add", node.address)
    members.wait_for_members(4)
    assert members.node_id(node) in added.output and "chunkflow cluster status" in added.output
    members.wait_until_settled()
    wait_until(lambda: fragments_of(members, node) > 0, 30, "the node has its share")
    # A member already, it stays one.
    assert operator.json("add", node.address) == {"node": members.node_id(node)}
    assert list(operator.layout()) == sorted(entry["id"] for entry in members.rest.cluster()["nodes"])
    assert operator.json("layout", "show")["members"] == plan["members"] and operator.json("layout", "show")["version"] == plan["toVersion"]
    assert "makes no sense" in operator.run("layout", "plan", "add", node.address, code=1).errors
    check(members, files)


def test_a_drain_is_planned_made_and_followed(operator):
    members = operator.members
    files = store_files(members, 10)
    node = members.nodes[1]
    identity = members.node_id(node)
    before = operator.json("layout", "show")
    plan = operator.json("layout", "plan", "drain", node.address)
    told = operator.run("layout", "plan", "drain", identity).output
    assert f"{plan['fromVersion']} -> {plan['toVersion']}" in told and str(plan["movedPartitions"]) in told
    assert "nothing was changed" in told and identity not in told
    assert operator.json("layout", "show") == before and members.states()[node.address] == "up"

    begun = operator.run("drain", identity[:-1])
    assert f"layout {plan['toVersion']} is in force" in begun.output
    assert operator.json("layout", "show")["version"] == plan["toVersion"] == before["version"] + 1
    assert identity not in operator.layout()
    members.wait_for_state(node, "left")
    members.wait_until_settled()
    assert any(node.address in line and " left " in line for line in operator.run("status").output.splitlines())
    check(members, files)

    # What would leave too few is refused, and told why; a plan says so beforehand.
    planned = operator.run("layout", "plan", "drain", members.nodes[0].address)
    assert "unsafe without --force" in planned.output and "1 instead of 2 copies" in planned.output, planned.output
    refused = operator.run("drain", members.nodes[0].address, code=1)
    assert "unsafe" in refused.errors and "1 instead of 2 copies" in refused.errors, refused.errors
    assert members.states()[members.nodes[0].address] == "up"
    operator.run("restore", node.address)
    members.wait_for_members(3)
    operator.run("remove", node.address)
    members.wait_for_state(node, "left")
    members.wait_until_settled()
    check(members, files)


def test_what_is_refused_is_done_with_force(operator):
    members = operator.members
    operator.run("drain", members.nodes[0].address)
    members.wait_for_state(members.nodes[0], "left")
    operator.run("remove", members.nodes[1].address, code=1)
    operator.run("remove", members.nodes[1].address, "--force")
    members.wait_for_state(members.nodes[1], "left")
    assert list(operator.layout()) == [members.node_id(members.nodes[2])]


def test_a_weight_changes_a_nodes_share(operator):
    members = operator.members
    identity = members.node_id(members.nodes[2])
    before = operator.layout()[identity]
    plan = operator.json("layout", "plan", "set-weight", identity, "0.5")
    assert operator.layout()[identity] == before
    operator.run("set-weight", identity, "0.5")
    after = operator.layout()[identity]
    assert after["weight"] == 0.5 and after["partitions"] < before["partitions"]
    assert after == next(member for member in plan["members"] if member["node"] == identity)
    header, *rows = operator.run("layout", "show").output.splitlines()[2:]
    assert header.split() == ["NODE", "ZONE", "WEIGHT", "PARTITIONS"]
    assert [identity, "-", "0.5", str(after["partitions"])] in [row.split() for row in rows]
    line = next(line for line in operator.run("status").output.splitlines() if line.startswith(identity))
    assert line.split()[1:4] == [members.nodes[2].address, "-", "0.5"]


def test_movement_stops_on_pause_and_goes_on_after_resume(operator):
    members = operator.members
    files = store_files(members, 10)
    assert "paused" not in operator.run("status").output
    operator.run("pause")
    node = members.add()
    members.wait_for_members(4)
    shown = operator.run("status")
    assert "background work is paused" in shown.output
    assert f"moving to layout {operator.json('status')['layout']['version']}: " in shown.output
    assert fragments_of(members, node) == 0
    operator.run("resume")
    members.wait_until_settled()
    wait_until(lambda: fragments_of(members, node) > 0 or wrong(0, "a share"), 30, "the node has its share")
    shown = operator.run("status").output
    assert "paused" not in shown and "moving to layout" not in shown
    assert shown.splitlines()[:2] == run_client("status", server=members.distributor.url).output.splitlines()[:2]
    check(members, files)


def test_a_wrong_name_is_64_and_a_node_that_does_not_answer_is_3(operator):
    members = operator.members
    before = operator.json("layout", "show")
    unknown = operator.run("drain", UNKNOWN, code=64)
    assert all(members.node_id(node) in unknown.errors and node.address in unknown.errors for node in members.nodes)
    operator.run("drain", "0", code=64)
    operator.run("add", "nowhere", code=64)
    operator.run("layout", "plan", "add", "nowhere", code=64)
    operator.run("layout", "plan", "add", PORT_OF_NOBODY, code=3)
    operator.run("set-weight", members.nodes[0].address, "0", code=64)
    absent = operator.run("add", PORT_OF_NOBODY, code=3)
    assert PORT_OF_NOBODY in absent.errors and "does not answer" in absent.errors
    # What makes no sense is refused whoever asks: a member cannot be restored.
    assert "makes no sense" in operator.run("restore", members.nodes[0].address, code=1).errors
    assert operator.json("layout", "show") == before
