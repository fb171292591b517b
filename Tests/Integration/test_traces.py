"""Traces: W3C Trace Context from HTTP through gRPC to the nodes, sent to a collector over OTLP."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import Cluster, EmbeddedServer, make_bytes, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


class Collector:
    """Takes OTLP over HTTP, as JSON."""

    def __init__(self):
        self.spans: list[dict] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                assert self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json"
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for resource in document["resourceSpans"]:
                    service = attributes(resource["resource"])["service.name"]
                    for scope in resource["scopeSpans"]:
                        collector.spans += [{"service": service, **span} for span in scope["spans"]]
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of_trace(self, trace: str) -> list[dict]:
        return [span for span in list(self.spans) if span["traceId"] == trace]

    def named(self, name: str, trace: str = TRACE) -> list[dict]:
        return [span for span in self.of_trace(trace) if span["name"] == name]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def attributes(holder: dict) -> dict[str, str]:
    return {entry["key"]: next(iter(entry["value"].values())) for entry in holder["attributes"]}


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.stop()


def chain(collector: Collector, span: dict) -> list[str]:
    """The names from a span up to the first of its trace."""
    by_id = {other["spanId"]: other for other in collector.of_trace(span["traceId"])}
    names = [span["name"]]
    while span.get("parentSpanId") in by_id:
        span = by_id[span["parentSpanId"]]
        names.append(span["name"])
    return names


def test_an_upload_and_a_download_are_one_trace_across_distributor_and_nodes(fleet, collector):
    arguments = ["--otlp-endpoint", collector.url]
    cluster = Cluster(fleet, 3, chunk_size="1MiB", distributor_arguments=arguments, node_arguments=arguments)
    content = make_bytes(2_500_000, "traces")
    answer = cluster.rest.request("POST", "/upload?name=x", content, {"Content-Type": "application/octet-stream", **CALLER})
    assert answer.status == 201
    download = cluster.rest.request("GET", f"/download/{answer.json()['fileID']}", headers=CALLER)
    assert download.status == 200 and download.body == content

    def complete() -> bool:
        # Three chunks, each put on three nodes and read from one; a span comes when it has ended, so its parent after it.
        spans = collector.of_trace(TRACE)
        parents = {PARENT} | {span["spanId"] for span in spans}
        return all(span.get("parentSpanId") in parents for span in spans) and (
            len(collector.named("store put")) >= 9 and len(collector.named("store get")) >= 3
            and len(collector.named("POST /upload")) == 1 and len(collector.named("GET /download/{fileID}")) == 1
            and len(collector.named("commit metadata")) == 1
        )

    wait_until(complete, 20, "all spans have come")
    for name in ("POST /upload", "GET /download/{fileID}"):
        (server,) = collector.named(name)
        assert server["parentSpanId"] == PARENT and server["kind"] == 2 and server["service"] == "chunkflow-distributor"
    upload = attributes(collector.named("POST /upload")[0])
    assert upload["http.response.status_code"] == "201" and upload["chunkflow.request_id"] == answer.headers["X-Request-ID"]
    puts = collector.named("store put")
    assert {span["service"] for span in puts} == {"chunkflow-storage"}
    for put in puts:
        names = chain(collector, put)
        assert names[1].endswith("/Put") and names[2:] == ["node put", "write fragment", "write object", "POST /upload"], names
    for get in collector.named("store get"):
        names = chain(collector, get)
        assert names[1].endswith("/Get"), names
        assert names[2:] == ["node get", "read from node", "read chunk", "GET /download/{fileID}"], names
    # A parent is there before its children, and until they are done, but for what a node goes on with by itself.
    by_id = {span["spanId"]: span for span in collector.of_trace(TRACE)}
    for span in by_id.values():
        if parent := by_id.get(span.get("parentSpanId")):
            assert int(parent["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]) + 1_000_000
    # The lines of the log are of the trace too.
    assert f"trace_id={TRACE}" in cluster.distributor.errors()
    # What nobody asked for has no trace: the distributor asks its nodes every second how they are.
    assert [span for span in collector.spans if span["name"] == "node information"] == []


def test_the_collector_can_be_named_by_opentelemetrys_variable_and_ours_comes_before_it(fleet, collector):
    nowhere = "http://127.0.0.1:9"
    for name, arguments, environment in (
        ("by-otel", [], {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}),
        ("by-flag", ["--otlp-endpoint", collector.url], {"OTEL_EXPORTER_OTLP_ENDPOINT": nowhere}),
    ):
        server = EmbeddedServer(fleet, ["--nodes", "1", "--replicas", "1", *arguments], name=name, **environment)
        before = len(collector.named("GET /files"))
        server.rest.request("GET", "/files", headers=CALLER)
        wait_until(lambda: len(collector.named("GET /files")) > before, 20, f"{name}: the span has come")


def test_without_a_collector_the_trace_of_the_caller_reaches_the_nodes(fleet, collector):
    cluster = Cluster(fleet, 3, node_arguments=["--otlp-endpoint", collector.url])
    assert cluster.rest.request("POST", "/upload?name=x", b"content", {"Content-Type": "text/plain", **CALLER}).status == 201
    wait_until(lambda: len(collector.named("store put")) >= 2, 20, "the nodes' spans have come")
    for put in collector.named("store put"):
        (call,) = [span for span in collector.of_trace(TRACE) if span["spanId"] == put["parentSpanId"]]
        assert call["parentSpanId"] == PARENT


def test_what_is_sampled(fleet, collector):
    server = EmbeddedServer(fleet, ["--otlp-endpoint", collector.url, "--trace-sample", "0"])
    for _ in range(20):
        server.rest.request("GET", "/files")
    server.rest.request("GET", "/files", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    server.rest.request("GET", "/files", headers={"traceparent": "00-nonsense"})
    server.rest.request("GET", "/files", headers=CALLER)
    wait_until(lambda: collector.named("GET /files"), 20, "the span of whoever decided it has come")
    assert len(collector.spans) == 1


def times(server: EmbeddedServer) -> float:
    start = time.monotonic()
    for number in range(20):
        content = make_bytes(20_000, number)
        assert server.rest.download(server.rest.upload(content)["fileID"]) == content
    return time.monotonic() - start


def outcomes(server: EmbeddedServer) -> dict[str, float]:
    text = server.rest.request("GET", "/metrics").body.decode()
    lines = [line for line in text.splitlines() if line.startswith("chunkflow_trace_spans_total")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


def test_a_collector_that_is_away_hangs_or_answers_nonsense_costs_no_request(fleet):
    with socket.create_server(("127.0.0.1", 0)) as hanging, socket.create_server(("127.0.0.1", 0)) as rude:

        def answer_nonsense():
            while True:
                try:
                    connection, _ = rude.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    connection.sendall(b"HTTP/1.1 nonsense\r\n\r\n")

        threading.Thread(target=answer_nonsense, daemon=True).start()
        with socket.create_server(("127.0.0.1", 0)) as gone:
            away = gone.getsockname()[1]
        for name, port in (("away", away), ("hanging", hanging.getsockname()[1]), ("rude", rude.getsockname()[1])):
            server = EmbeddedServer(fleet, ["--otlp-endpoint", f"http://127.0.0.1:{port}"], name=name)
            # A hanging collector is given 5 s for each batch: forty requests would wait for minutes.
            assert times(server) < 30
            wait_until(lambda: outcomes(server)["failed"] > 0, 20, "the failure is counted")
            assert outcomes(server)["sent"] == 0
            assert server.process.errors().count("traces cannot be sent to the collector") == 1
            server.process.stop()
