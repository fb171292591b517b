"""Nodes that fail together."""

from harness import make_bytes
from test_membership import Members, chunk_count

ZONES = ["north", "south", "west"]


def test_the_copies_of_a_chunk_are_in_different_zones_and_one_zone_is_enough_to_read(fleet):
    members = Members(fleet, 0, replicas=len(ZONES))
    nodes = {zone: [members.make_node(f"{zone}{number}", ["--zone", zone]) for number in range(2)] for zone in ZONES}
    fleet.start(*[node for pair in nodes.values() for node in pair])
    members.wait_for_members(6)
    assert {entry["address"]: entry["zone"] for entry in members.rest.cluster()["nodes"]} == {
        node.address: zone for zone, pair in nodes.items() for node in pair}

    # Each zone has one copy of every partition.
    layout = members.order("GET", "/cluster/layout")
    for zone in ZONES:
        assert sum(member["partitions"] for member in layout["members"] if member["zone"] == zone) == layout["partitionCount"]

    contents = [make_bytes(1_000_000 + number, number) for number in range(12)]
    files = {members.rest.upload(content)["fileID"]: content for content in contents}
    members.wait_until_settled()
    members.wait_for_fragments(len(ZONES) * chunk_count(members))
    held = members.rest.cluster()["nodes"]
    for zone in ZONES:
        assert sum(entry["fragmentCount"] for entry in held if entry["zone"] == zone) == chunk_count(members), (zone, held)

    for zone in ZONES[:2]:
        for node in nodes[zone]:
            node.kill()
    for file_id, content in files.items():
        assert members.rest.download(file_id) == content
