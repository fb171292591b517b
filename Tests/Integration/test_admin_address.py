"""Metrics and administration at an address of their own, and behind a token."""

import json

from harness import Cluster, EmbeddedServer, RESTClient, run_client

ADMINISTRATION = ("/metrics", "/cluster", "/cluster/layout", "/cluster/metadata/backup", "/log-level")
TOKEN = "the-admins-token"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


def status(rest: RESTClient, path: str, headers: dict[str, str] = {}) -> int:
    return rest.request("GET", path, headers=headers).status


def test_an_address_of_its_own(fleet):
    server = EmbeddedServer(fleet, ["--admin", "127.0.0.1:0"])
    admin = RESTClient(server.process.listeners["admin"])
    for path in ADMINISTRATION:
        assert status(admin, path) == 200, path
        assert status(server.rest, path) == 404, path
    for rest in (admin, server.rest):
        assert status(rest, "/health/live") == 200 and status(rest, "/health/ready") == 200
    assert status(admin, "/files") == 404
    file_id = server.rest.upload(b"content")["fileID"]
    assert server.rest.download(file_id) == b"content"
    told = admin.request("GET", "/metrics").body.decode()
    assert 'chunkflow_http_requests_total{api="admin",code="200",method="GET",route="/cluster"} 1' in told


def test_a_token_guards_administration_and_nothing_else(fleet):
    server = EmbeddedServer(fleet, ["--admin-token", TOKEN])
    for path in ADMINISTRATION:
        answer = server.rest.request("GET", path)
        assert answer.status == 401, path
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="chunkflow"'
        assert json.loads(answer.body)["type"] == "urn:chunkflow:problem:token-required"
        assert status(server.rest, path, {"Authorization": f"Bearer {TOKEN[:-1]}"}) == 401
        assert status(server.rest, path, SHOWN) == 200, path
    assert server.rest.request("POST", "/cluster/pause").status == 401
    assert server.rest.request("PUT", "/log-level", b'{"level":"trace"}').status == 401
    for path in ("/health/live", "/health/ready"):
        assert status(server.rest, path) == 200
    assert server.rest.download(server.rest.upload(b"content")["fileID"]) == b"content"


def test_a_storage_node_has_a_token_too(fleet):
    cluster = Cluster(fleet, 1, replicas=1, quorum=1, node_arguments=["--admin-token", TOKEN])
    node = RESTClient(cluster.nodes[0].listeners["http"])
    for path in ("/metrics", "/log-level"):
        assert status(node, path) == 401 and status(node, path, SHOWN) == 200
    assert status(node, "/health/ready") == 200


def test_the_client_shows_the_token(fleet):
    server = EmbeddedServer(fleet, ["--admin-token", TOKEN])
    url = server.process.url
    refused = run_client("status", server=url)
    assert refused.code == 1 and "admin token" in refused.errors
    assert run_client("status", "--token", TOKEN, server=url).code == 0
    assert run_client("cluster", "pause", server=url, CHUNKFLOW_TOKEN=TOKEN).code == 0
    wrong = run_client("status", "--token", "a\nb", server=url)
    assert wrong.code == 64 and "a\nb" not in wrong.errors
