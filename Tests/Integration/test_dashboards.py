"""The dashboards of deploy/grafana: their form, and that every panel shows something of a cluster that works."""

import json
import re
from pathlib import Path
from typing import Callable

import pytest
import yaml
from harness import Cluster, Prometheus, make_bytes, wait_until
from harness.load import Load
from harness.process import ROOT as SOURCES
from harness.s3 import ROOT, s3_client

GRAFANA = SOURCES / "deploy" / "grafana"
BOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
# A window of several scrapes, as Grafana takes it.
RATE_INTERVAL = "8s"
PANEL_SECONDS = 30
# Units of Grafana's that fit what chunkFlow counts, all in base units.
UNITS = {"none", "short", "bytes", "Bps", "s", "ops", "reqps", "percentunit", "bool_yes_no"}

by_board = pytest.mark.parametrize("board", [json.loads(path.read_text()) for path in BOARDS], ids=[path.stem for path in BOARDS])


def panels(board: dict) -> list[dict]:
    """Those that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions(board: dict) -> list[tuple[str, str]]:
    """The title of a panel and a query of it."""
    return [(panel["title"], target["expr"]) for panel in panels(board) for target in panel["targets"]]


def variables(board: dict) -> dict[str, dict]:
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def label_query(variable: dict) -> tuple[str, str]:
    """Metric and label of label_values(metric, label)."""
    assert variable["query"]["query"] == variable["definition"]
    return re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()


# Form


def test_there_are_two_boards_with_names_of_their_own():
    boards = [json.loads(path.read_text()) for path in BOARDS]
    assert [path.stem for path in BOARDS] == ["cluster", "node"]
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == 2


@by_board
def test_a_board_works_with_any_source_of_data(board):
    defined = variables(board)
    assert defined["datasource"]["type"] == "datasource" and defined["datasource"]["query"] == "prometheus"
    sources = [panel["datasource"] for panel in panels(board)]
    sources += [target["datasource"] for panel in panels(board) for target in panel["targets"]]
    sources += [variable["datasource"] for variable in defined.values() if variable["type"] == "query"]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    # It has no id: that is given by the Grafana that loads it.
    assert "id" not in board and board["schemaVersion"] >= 39 and board["tags"] == ["chunkflow"]


@by_board
def test_panels_stand_beside_each_other(board):
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["w"] > 0 and place["h"] > 0 and place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


@by_board
def test_a_panel_says_what_it_shows_in_units_that_fit(board):
    titles = [panel["title"] for panel in panels(board)]
    assert len(set(titles)) == len(titles)
    for panel in panels(board):
        assert panel["title"] and panel["description"], panel
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] in UNITS, f"{panel['title']}: {defaults['unit']}"
        steps = [step["value"] for step in defaults.get("thresholds", {"steps": []})["steps"]]
        assert steps in ([], [None]) or (steps[0] is None and steps[1:] == sorted(steps[1:])), f"{panel['title']}: {steps}"
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])
        assert len(panel["targets"]) == 1 or all(target["legendFormat"] for target in panel["targets"]), panel["title"]


@by_board
def test_a_query_takes_only_variables_that_there_are_and_failures_of_nothing_are_none(board):
    known = set(variables(board)) | {"__rate_interval"}
    for title, expression in expressions(board):
        assert set(re.findall(r"\$\{?(\w+)", expression)) <= known, title
        # No failure leaves no series: the panel would say "no data" when all is well.
        assert "5.." not in expression or "or vector(0)" in expression, title


def test_grafana_finds_the_boards_where_the_compose_file_puts_them():
    compose = yaml.safe_load((SOURCES / "docker-compose.yaml").read_text())["services"]
    mounts = dict(reversed(volume.split(":")[:2]) for volume in compose["grafana"]["volumes"])
    assert mounts["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/chunkflow.yaml").read_text())["providers"]
    assert (SOURCES / mounts[provider["options"]["path"]]).resolve() == (GRAFANA / "dashboards")
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus" and source["url"] == "http://prometheus:9090"
    scrape = yaml.safe_load((SOURCES / "deploy/prometheus/prometheus.yaml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scrape


# Content


def substituted(expression: str, values: dict[str, str]) -> str:
    for name, value in {**values, "__rate_interval": RATE_INTERVAL}.items():
        expression = expression.replace(f"${name}", value)
    return expression


@pytest.mark.timeout(150)
def test_no_panel_is_empty(fleet):
    cluster = Cluster(
        fleet, 4, chunk_size="256KiB", node_arguments=["--scrub-period", "2"],
        distributor_arguments=["--metadata-snapshot-interval", "1", "--root-access-key", ROOT[0], "--root-secret-key", ROOT[1]])
    s3 = s3_client(cluster.distributor.listeners["s3"])
    s3.create_bucket(Bucket="shown")

    def use_s3() -> None:
        s3.put_object(Bucket="shown", Key="key", Body=b"content")
        s3.list_objects_v2(Bucket="shown")

    prometheus = fleet.add(
        Prometheus(
            "prometheus", fleet.directory, {
                "chunkflow-distributor": [cluster.distributor.http_address],
                "chunkflow-storage": [node.listeners["http"] for node in cluster.nodes],
            })).start()
    load = Load(cluster.rest, 2, seed=4, largest=1 << 20)
    try:
        # A node that misses fragments, is asked in vain, and gets them when it is back.
        cluster.nodes[3].kill()
        cluster.wait_for_state("down", cluster.nodes[3])
        for number in range(4):
            cluster.rest.upload(make_bytes(300_000, number))
        cluster.nodes[3].start()
        assert cluster.rest.request("GET", "/cluster/metadata/backup").status == 200
        for board in [json.loads(path.read_text()) for path in BOARDS]:
            show(board, prometheus, use_s3)
    finally:
        load.finish()
    assert not load.wrong, load.wrong


def show(board: dict, prometheus: Prometheus, go_on: Callable[[], None]) -> None:
    """Asks everything that a board asks. Queries that find nothing are asked again until the deadline: rates need two scrapes.

    `go_on`: called again and again meanwhile."""
    values = {}
    for name, variable in variables(board).items():
        if variable["type"] == "query":
            metric, label = label_query(variable)
            found = wait_until(lambda: prometheus.label_values(metric, label), PANEL_SECONDS, f"${name} of {board['title']} has a value")
            answering = [value for value in found if prometheus.values(f'up{{{label}="{value}"}} == 1')]
            values[name] = variable["allValue"] if variable["includeAll"] else answering[0]
    waiting = expressions(board)

    def all_found() -> bool:
        go_on()
        waiting[:] = [(title, text) for title, text in waiting if not prometheus.values(substituted(text, values))]
        assert not waiting, f"empty: {[f'{title}: {substituted(text, values)}' for title, text in waiting]}"
        return True

    wait_until(all_found, PANEL_SECONDS, f"no panel of {board['title']} is empty", interval=0.5)
