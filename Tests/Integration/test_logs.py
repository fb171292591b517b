"""What the servers write in their logs, in which form, and how much."""

import http.client
import json
import random

from harness import Cluster, EmbeddedServer, RESTClient, make_bytes, wait_until
from harness.segment import living_fragments


def lines(process) -> list[dict]:
    """Every line of the log; each is a JSON object, and nothing else is there."""
    found = [json.loads(line) for line in process.errors().splitlines()]
    for line in found:
        assert {"time", "level", "logger", "source", "message"} <= line.keys(), line
    return found


def requests(process) -> list[dict]:
    return [line for line in lines(process) if line["message"] == "request"]


def put_level(rest: RESTClient, level: str) -> int:
    return rest.request("PUT", "/log-level", json.dumps({"level": level}).encode(), {"Content-Type": "application/json"}).status


def test_one_line_a_request_that_says_what_was_done(fleet):
    server = EmbeddedServer(fleet, ["--log-format", "json"])
    file_id = server.rest.upload(b"content")["fileID"]
    answer = server.rest.request("GET", f"/download/{file_id}?signature=very-secret", headers={"X-Request-ID": "my-request"})
    assert answer.status == 200
    wait_until(lambda: len(requests(server.process)) == 2, 10, "both requests are in the log")
    upload, download = requests(server.process)
    assert upload["level"] == "info" and upload["method"] == "POST" and upload["route"] == "/upload" and upload["status"] == 201
    assert upload["bytes_in"] >= 7 and upload["duration_ms"] > 0
    assert download["request_id"] == "my-request" and download["route"] == "/download/{fileID}" and download["bytes_out"] == 7
    assert "very-secret" not in server.process.errors()


def test_no_line_can_be_forged(fleet):
    server = EmbeddedServer(fleet, ["--log-format", "json", "--log-level", "trace"])
    evil = '%0A{"message":"forged"}%0D%0A%1B[2J%E2%80%A8'
    for path in (f"/download/{evil}", f"/{evil}", f"/upload?name={evil}"):
        server.rest.request("POST" if "upload" in path else "GET", path, b"x" if "upload" in path else None)
    connection = http.client.HTTPConnection(*server.process.http_address)
    connection.putrequest("GET", "/files")
    connection.putheader("X-Request-ID", "a\x1b[2J forged")
    connection.putheader("User-Agent", "\x0b\x0c forged")
    connection.endheaders()
    connection.getresponse().read()
    wait_until(lambda: len(requests(server.process)) >= 4, 10, "the requests are in the log")
    assert [line for line in lines(server.process) if line["message"] == "forged"] == []
    assert "\x1b" not in server.process.errors() and "\u2028" not in server.process.errors()


def test_the_level_changes_while_the_server_runs(fleet):
    cluster = Cluster(
        fleet, 3, distributor_arguments=["--log-format", "json", "--log-level", "error"], node_arguments=["--log-level", "error"])
    for process in (cluster.distributor, cluster.nodes[0]):
        rest = RESTClient(process.listeners["http"])
        before = json.loads(rest.request("GET", "/log-level").body)
        assert put_level(rest, "verbose") == 400 and json.loads(rest.request("GET", "/log-level").body) == before
        assert put_level(rest, "info") == 200
        assert json.loads(rest.request("GET", "/log-level").body) == {"level": "info"}
        wait_until(lambda: '"route":"/log-level"' in process.errors() or "route=/log-level" in process.errors(), 10, "requests are logged")
        assert put_level(rest, "error") == 200
        rest.request("GET", "/unlogged")
        assert put_level(rest, "info") == 200
        rest.request("GET", "/logged")
        wait_until(lambda: "/logged" in process.errors(), 10, "requests are logged again")
        assert "/unlogged" not in process.errors()


def test_the_nodes_write_the_id_of_the_request_that_they_are_called_for(fleet):
    cluster = Cluster(fleet, 3, node_arguments=["--log-format", "json", "--log-level", "debug"])

    def calls(method: str) -> list[str | None]:
        found = [line for node in cluster.nodes for line in lines(node) if line["message"] == "call" and line["method"] == method]
        assert all(line["code"] == "ok" and line["duration_ms"] >= 0 for line in found), found
        return [line["request_id"] for line in found]

    content = make_bytes(2_500_000, "request")
    upload = cluster.rest.request("POST", "/upload?name=x", content, {"Content-Type": "text/plain", "X-Request-ID": "the.upload"})
    assert upload.status == 201
    # Three chunks on three nodes each.
    wait_until(lambda: calls("Put").count("the.upload") == 9, 10, "all nodes have said that they were called")
    file_id = upload.json()["fileID"]
    assert cluster.rest.request("GET", f"/download/{file_id}", headers={"X-Request-ID": "the.download"}).body == content
    wait_until(lambda: calls("Get").count("the.download") >= 3, 10, "nodes have said that they were read")
    # What cannot stand in a log is replaced before it gets anywhere.
    hostile = 'x{"forged":1}'
    answer = cluster.rest.request("GET", f"/download/{file_id}", headers={"X-Request-ID": hostile})
    wait_until(lambda: answer.headers["X-Request-ID"] in calls("Get"), 10, "the id that the server made up has come")
    for process in (cluster.distributor, *cluster.nodes):
        assert "forged" not in process.errors()
    assert None not in calls("Put") + calls("Get")


def test_damage_that_a_request_finds_is_logged_under_its_id(fleet):
    cluster = Cluster(fleet, 3, node_arguments=["--log-format", "json"])
    file_id = cluster.rest.upload(make_bytes(200_000, "damage"))["fileID"]
    cluster.wait_for_fragments(3)
    for node in cluster.nodes:
        for record in living_fragments(node).values():
            record.flip_bit(random.Random(1))
    # Every copy is asked for, and none can be given.
    answer = cluster.rest.request("GET", f"/download/{file_id}", headers={"X-Request-ID": "the-reader"})
    assert answer.status == 503 and answer.problem()["requestID"] == "the-reader"
    for node in cluster.nodes:
        found = [line for line in lines(node) if line["message"] == "a fragment is corrupt"]
        assert [line.get("request_id") for line in found] == ["the-reader"], node.errors()


def test_secrets_are_in_no_line_at_any_level(fleet):
    secrets = {"cluster": "the-cluster-secret", "token": "the-admin-token", "root": "the-root-secret"}
    server = EmbeddedServer(
        fleet,
        ["--log-level", "trace", "--cluster-secret", secrets["cluster"], "--admin-token", secrets["token"],
         "--root-access-key", "root", "--root-secret-key", secrets["root"]],
    )
    server.rest.upload(b"content")
    for path in ("/cluster", "/metrics", "/log-level"):
        assert server.rest.request("GET", path, headers={"Authorization": f"Bearer {secrets['token']}"}).status == 200
        assert server.rest.request("GET", path, headers={"Authorization": f"Bearer {secrets['token']}x"}).status == 401
    server.process.stop()
    log = server.process.output() + server.process.errors()
    assert "route=/metrics" in log
    assert [name for name, secret in secrets.items() if secret in log] == []
