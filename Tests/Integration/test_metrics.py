"""What the servers tell Prometheus."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness import Cluster, EmbeddedServer, RESTClient, StorageProcess, make_bytes, wait_until
from harness.cluster import wrong
from harness.s3 import error_of, root_environment, s3_client, send

OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')


def metrics(address: tuple[str, int], accept: str | None = None) -> str:
    response = RESTClient(address).request("GET", "/metrics", headers={"Accept": accept} if accept else {})
    assert response.status == 200, f"{response}"
    wanted = OPEN_METRICS if accept and "openmetrics" in accept else "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["Content-Type"] == wanted
    return response.body.decode()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        key = name, frozenset(re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', labels or ""))
        assert key not in found, f"twice: {line}"
        found[key] = float(value)
    return found


def total(text: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have the labels."""
    wanted = set(labels.items())
    return sum(value for (found, with_labels), value in samples(text).items() if found == name and wanted <= with_labels)


def lint(text: str) -> None:
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=60)
    assert checked.returncode == 0 and not checked.stderr, checked.stderr + checked.stdout


@pytest.fixture(scope="module", autouse=True)
def promtool():
    assert shutil.which("promtool"), "promtool is missing: make test-dependencies installs it"


def test_a_cluster_tells_what_it_does(fleet):
    cluster = Cluster(fleet, 3)
    content = make_bytes(2_500_000, "metrics")
    file_id = cluster.rest.upload(content)["fileID"]
    small = cluster.rest.upload(b"small")["fileID"]
    for _ in range(5):
        assert cluster.rest.download(file_id) == content
    cluster.rest.try_download("no-such-file")
    cluster.rest.delete(small)
    cluster.wait_for_fragments(3 * 3)

    text = metrics(cluster.distributor.http_address)
    lint(text)
    requests = "chunkflow_http_requests_total"
    assert total(text, requests, api="rest", method="POST", route="/upload", code="201") == 2
    assert total(text, requests, method="GET", route="/download/{fileID}", code="200") == 5
    assert total(text, requests, route="/download/{fileID}", code="404") + total(text, requests, route="/download/{fileID}", code="400") == 1
    assert total(text, "chunkflow_http_request_duration_seconds_count", route="/upload") == 2
    assert total(text, "chunkflow_http_response_bytes_total", api="rest") >= 5 * len(content)
    assert total(text, "chunkflow_http_request_bytes_total", api="rest") >= len(content)
    # This very request.
    assert total(text, "chunkflow_http_requests_in_flight", api="rest") == 1
    assert total(text, "chunkflow_cluster_nodes", state="up") == 3
    assert total(text, "chunkflow_cluster_objects") == 1
    assert total(text, "chunkflow_cluster_object_bytes") == len(content)
    assert total(text, "chunkflow_repair_queue_fragments") == 0
    assert total(text, "chunkflow_node_up") == 3
    for reason in ("missed", "missing", "corrupt"):
        assert ("chunkflow_repair_queue_by_reason_fragments", frozenset({("reason", reason)})) in samples(text)
    for outcome in ("restored", "present", "obsolete", "failed"):
        assert ("chunkflow_repair_fragments_total", frozenset({("outcome", outcome)})) in samples(text)
    assert total(text, "chunkflow_metadata_page_cache_hits_total") > 0
    assert total(text, "chunkflow_metadata_commit_duration_seconds_count") >= 3
    assert total(text, "process_resident_memory_bytes") > 1e6
    assert total(text, "process_open_fds") > 5
    for node in cluster.nodes:
        assert total(text, "chunkflow_node_call_duration_seconds_count", address=node.address, method="put") >= 1

    for node in cluster.nodes:
        address = node.listeners["http"]
        told = metrics(address)
        lint(told)
        assert total(told, "chunkflow_store_fragments") == 3
        assert total(told, "chunkflow_store_live_bytes") == len(content)
        assert total(told, "chunkflow_store_sync_duration_seconds_count") >= 3
        assert total(told, "chunkflow_store_commit_records_count") >= 3
        assert total(told, "chunkflow_store_capacity_bytes") > 0
        # What has not happened is told as 0, not left out.
        assert ("chunkflow_store_corrupt_fragments_total", frozenset()) in samples(told)
        assert total(told, "chunkflow_rpc_server_calls_total", method="Put", code="ok") >= 3
        assert total(told, "chunkflow_rpc_server_duration_seconds_count", method="Put") >= 3
        assert total(told, "chunkflow_scrub_period_seconds") == 2_592_000
        assert total(told, "chunkflow_scrub_pass_started_timestamp_seconds") > 1.6e9
        assert total(told, "chunkflow_build_info", role="storage") == 1
        for path in ("/health/live", "/health/ready"):
            assert RESTClient(address).request("GET", path).status == 200
        assert RESTClient(address).request("GET", "/cluster").status == 404

    cluster.nodes[0].kill()
    cluster.wait_for_state("down", cluster.nodes[0])
    text = metrics(cluster.distributor.http_address)
    assert total(text, "chunkflow_cluster_nodes", state="down") == 1
    assert total(text, "chunkflow_node_up") == 2
    assert total(text, "chunkflow_node_call_errors_total", address=cluster.nodes[0].address) >= 1


def test_openmetrics_for_who_asks_for_it(fleet):
    server = EmbeddedServer(fleet)
    server.rest.upload(b"content")
    text = metrics(server.process.http_address, "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
    assert text.endswith("\n# EOF\n")
    assert "# TYPE chunkflow_http_requests counter\n" in text
    # The strictest reader of the format that there is.
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["chunkflow_http_requests"].type == "counter" and families["chunkflow_http_request_duration_seconds"].type == "histogram"
    # Calls inside the process are timed as those across a network are.
    assert total(text, "chunkflow_node_call_duration_seconds_count", method="put") >= 2
    # Four nodes in one process.
    assert len([key for key in samples(text) if key[0] == "chunkflow_store_fragments"]) == 4


def test_what_clients_send_does_not_become_a_label(fleet):
    server = EmbeddedServer(fleet)
    before = {key for key in samples(metrics(server.process.http_address))}
    for number in range(50):
        server.rest.request("GET", f"/download/{number}%22%0Aforged_metric%201")
        server.rest.request("GET", f'/nowhere/{number}%22}}%0A1')
        server.rest.request(f"METHOD{number}", "/upload")
    text = metrics(server.process.http_address)
    lint(text)
    fresh = {key for key in samples(text)} - before
    # A few routes, statuses and buckets; not one for each request.
    assert len({labels for name, labels in fresh if name == "chunkflow_http_requests_total"}) <= 6, fresh
    assert "forged" not in text and "METHOD" not in text


def test_a_second_node_on_a_machine_does_without_the_default_address(fleet):
    def node(name: str) -> StorageProcess:
        process = StorageProcess(name, fleet.directory)
        at = process.command.index("--http")
        del process.command[at : at + 2]
        return fleet.add(process)

    # Somebody, one of these or another, has the address; both start.
    first, second = node("first").start(), node("second").start()
    assert not ("http" in first.listeners and "http" in second.listeners)
    if "http" not in second.listeners:
        wait_until(lambda: "no metrics and health checks over HTTP" in second.errors(), 10, "the log says so")


def test_a_node_that_was_given_up_is_still_missed(fleet):
    cluster = Cluster(fleet, 4, distributor_arguments=["--node-grace", "1"])
    lost = cluster.nodes[3]
    lost.kill()
    cluster.wait_for_state("left", lost, seconds=30)
    text = metrics(cluster.distributor.http_address)
    assert {dict(labels)["address"]: value for (name, labels), value in samples(text).items() if name == "chunkflow_node_up"} == {
        node.address: 0 if node is lost else 1 for node in cluster.nodes}
    # What it last said of its disk is not told any more.
    assert len([key for key in samples(text) if key[0] == "chunkflow_node_capacity_bytes"]) == 3


def test_repair_and_scrub_are_counted(fleet):
    cluster = Cluster(fleet, 3, node_arguments=["--scrub-period", "1"])
    cluster.nodes[0].kill()
    content = make_bytes(300_000, "repair")
    cluster.rest.upload(content)
    cluster.nodes[0].start()
    cluster.wait_for_repairs()
    text = metrics(cluster.distributor.http_address)
    assert total(text, "chunkflow_repair_fragments_total", outcome="restored") == 1
    assert total(text, "chunkflow_repair_bytes_total") == len(content)
    address = cluster.nodes[1].listeners["http"]
    wait_until(lambda: total(metrics(address), "chunkflow_scrub_last_finished_timestamp_seconds") > 1.6e9, 30, "a pass of the scrub has ended")
    assert total(metrics(address), "chunkflow_scrub_bytes_total") >= len(content)


def test_requests_of_s3_are_counted_by_operation_whatever_clients_send(fleet):
    server = EmbeddedServer(fleet, **root_environment())
    address = server.process.listeners["s3"]
    s3 = s3_client(address)
    s3.create_bucket(Bucket="counted")
    for number in range(3):
        s3.put_object(Bucket="counted", Key=f"key-{number}", Body=b"content")
        s3.get_object(Bucket="counted", Key=f"key-{number}")
    assert error_of(s3.get_object, Bucket="counted", Key="nothing") == (404, "NoSuchKey")
    for number in range(30):
        # No key, no operation, no method that there is: none of them is a label of its own.
        send(address, "GET", f"/counted/{number}?website", {"host": "localhost"})
        send(address, f"M{number}", f"/bucket-{number}/key", {"host": "localhost"})
        send(address, "GET", f"/{number}%zz", {"host": "localhost"})

    def requests() -> dict[tuple[str, str, str], float]:
        found = samples(metrics(server.process.http_address))
        labels = [(dict(labels), value) for (name, labels), value in found.items() if name == "chunkflow_http_requests_total"]
        return {(had["method"], had["route"], had["code"]): value for had, value in labels if had["api"] == "s3"}

    wait_until(lambda: sum(requests().values()) >= 8 + 90 or wrong(requests(), "all requests"), 10, "all requests are counted")
    counted = requests()
    assert counted["PUT", "CreateBucket", "200"] == 1 and counted["PUT", "PutObject", "200"] == 3
    assert counted["GET", "GetObject", "200"] == 3 and counted["GET", "GetObject", "404"] == 1
    assert {route for _, route, _ in counted} <= {"CreateBucket", "PutObject", "GetObject", "none"}
    assert {method for method, _, _ in counted} <= {"GET", "PUT", "other"}
    assert total(metrics(server.process.http_address), "chunkflow_http_response_bytes_total", api="s3") >= 21


def test_the_time_of_the_last_backup_outlives_a_restart(fleet):
    server = EmbeddedServer(fleet)
    name = "chunkflow_metadata_last_backup_timestamp_seconds"
    assert total(metrics(server.process.http_address), name) == 0
    before = time.time()
    assert server.rest.request("GET", "/cluster/metadata/backup").status == 200

    def told() -> float:
        return total(metrics(server.process.http_address), name)

    wait_until(lambda: before - 1 <= told() <= time.time() + 1, 10, "the backup is known")
    backed_up_at = told()
    server.process.restart()
    assert told() == backed_up_at


DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"


def test_the_alerts_speak_when_they_should_and_are_silent_when_not():
    for arguments in (["check", "rules", "alerts.yaml"], ["check", "config", "--syntax-only", "prometheus.yaml"], ["test", "rules", "alerts_test.yaml"]):
        checked = subprocess.run(["promtool", *arguments], cwd=DEPLOY, text=True, capture_output=True, timeout=60)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_has_a_test_and_asks_for_what_there_is(fleet):
    rules = (DEPLOY / "alerts.yaml").read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    tests = (DEPLOY / "alerts_test.yaml").read_text()
    assert alerts and [alert for alert in alerts if f"alertname: {alert}" not in tests] == []
    server = EmbeddedServer(fleet, ["--metadata-snapshot-interval", "1"])
    server.rest.upload(b"content")
    wait_until(lambda: "\nchunkflow_metadata_snapshot_timestamp" in metrics(server.process.http_address), 30, "there is a snapshot")
    wait_until(lambda: "chunkflow_scrub_pass_started" in metrics(server.process.http_address), 10, "the scrub has begun")
    told = metrics(server.process.http_address)
    expressions = re.findall(r"expr: (.*?)\n +for:", rules, re.DOTALL)
    assert len(expressions) == len(alerts)
    for name in set(re.findall(r"\bchunkflow_\w+", " ".join(expressions))):
        assert re.search(rf"^{name}[ {{]", told, re.MULTILINE), f"nobody tells {name}"
