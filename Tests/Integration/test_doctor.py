"""`chunkflow doctor`: what it finds, before a server is started and beside it."""

import email.utils
import http.server
import os
import resource
import socket
import subprocess
import threading
import time

import pytest
from harness import Cluster, EmbeddedServer, run_client
from harness.ports import free_port
from harness.process import clean_environment, executable


def examine(*arguments, code: int = 0, **environment: str) -> list[dict]:
    """Its findings, after checking that the document is consistent with itself and the exit code."""
    done = run_client("doctor", *arguments, "--json", **environment)
    assert done.code == code, f"{done}"
    document = done.json()
    findings = document["findings"]
    assert document["problems"] == len([finding for finding in findings if finding["severity"] == "problem"])
    assert document["warnings"] == len([finding for finding in findings if finding["severity"] == "warning"])
    assert (document["problems"] > 0) == (code == 1)
    for finding in findings:
        assert finding["detail"] and bool(finding["advice"]) == (finding["severity"] != "ok"), finding
    return findings


def of(findings: list[dict], subject: str, severity: str) -> dict:
    found = [finding for finding in findings if finding["subject"] == subject and finding["severity"] == severity]
    assert found, f"no {severity} {subject} in {findings}"
    return found[0]


def server_arguments(data, *more: str) -> list[str]:
    return ["server", "--data-dir", str(data), "--http", "127.0.0.1:0", "--s3", "127.0.0.1:0", "--cluster", "127.0.0.1:0", *more]


def test_a_machine_that_is_well_is_well_and_stays_as_it_was(tmp_path):
    findings = examine(*server_arguments(tmp_path / "data"))
    for subject in ("configuration", "disk fsync", "disk space", "directory lock", "port http", "port s3", "port cluster", "open files"):
        of(findings, subject, "ok")
    assert os.listdir(tmp_path) == []
    (tmp_path / "data").mkdir()
    examine(*server_arguments(tmp_path / "data"))
    assert os.listdir(tmp_path / "data") == []


def test_it_can_be_read_by_people(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_client("doctor", *server_arguments(tmp_path), "--http", address)
    assert done.code == 1, f"{done}"
    assert f"problem  port http       {address}: Address already in use, by another process" in done.output
    assert "-> stop that (ss -ltnp shows it), or give --http another address" in done.output
    assert done.output.splitlines()[-1].startswith("problems: 1, ")


def test_a_wrong_setting_is_named(tmp_path):
    finding = of(examine(*server_arguments(tmp_path, "--replicas", "many"), code=1), "configuration", "problem")
    assert "replicas" in finding["detail"] and "many" in finding["detail"]


def test_a_directory_that_cannot_be_one_is_a_problem(tmp_path):
    (tmp_path / "file").write_text("")
    of(examine(*server_arguments(tmp_path / "file" / "data"), code=1), "disk", "problem")


def test_memory_is_no_disk():
    findings = examine(*server_arguments("/dev/shm/chunkflow-doctor"))
    assert "memory" in of(findings, "disk", "warning")["detail"]


def test_few_open_files_are_a_warning_and_very_few_a_problem(tmp_path):
    def with_limit(limit: int) -> str:
        done = subprocess.run(
            [executable("chunkflow"), "doctor", *server_arguments(tmp_path)], capture_output=True, text=True, timeout=40,
            env=clean_environment(), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        return next(line for line in done.stdout.splitlines() if " open files " in line)

    assert with_limit(600).startswith("warning")
    assert with_limit(128).startswith("problem")


def test_a_server_that_runs_is_recognised(fleet):
    server = EmbeddedServer(fleet)
    host, port = server.process.http_address
    cluster_host, cluster_port = server.process.listeners["cluster"]
    arguments = ["--data-dir", str(server.process.data), "--http", f"{host}:{port}", "--s3", "127.0.0.1:0"]
    findings = examine("server", *arguments, "--cluster", f"{cluster_host}:{cluster_port}")
    assert "held" in of(findings, "directory lock", "ok")["detail"]
    assert "by the server that runs" in of(findings, "port http", "ok")["detail"]
    # Settings that are not those that it runs with.
    of(examine("server", *arguments, "--cluster", f"127.0.0.1:{free_port()}"), "port cluster", "warning")


def test_peers_answer_or_are_away_or_want_another_secret(fleet):
    cluster = Cluster(fleet, 2, replicas=2, secret="the right secret")
    nodes = ",".join(node.address for node in cluster.nodes)
    arguments = ["--data-dir", str(fleet.directory / "new"), "--http", "127.0.0.1:0", "--s3", "127.0.0.1:0", "--cluster", "127.0.0.1:0"]
    findings = examine("distributor", *arguments, "--storage-nodes", nodes, CHUNKFLOW_CLUSTER_SECRET="the right secret")
    for node in cluster.nodes:
        of(findings, f"peer {node.address}", "ok")
    findings = examine("distributor", *arguments, "--storage-nodes", nodes, code=1, CHUNKFLOW_CLUSTER_SECRET="the wrong secret")
    assert "secret" in of(findings, f"peer {cluster.nodes[0].address}", "problem")["detail"]
    cluster.nodes[1].kill()
    findings = examine("distributor", *arguments, "--storage-nodes", nodes, code=1, CHUNKFLOW_CLUSTER_SECRET="the right secret")
    of(findings, f"peer {cluster.nodes[0].address}", "ok")
    assert "does not answer" in of(findings, f"peer {cluster.nodes[1].address}", "problem")["detail"]

    # From the other side, which changes nothing at the distributor.
    host, port = cluster.distributor.listeners["cluster"]
    arguments = ["storage", "--data-dir", str(fleet.directory / "new"), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    findings = examine(*arguments, "--join", f"{host}:{port}", CHUNKFLOW_CLUSTER_SECRET="the right secret")
    of(findings, f"peer {host}:{port}", "ok")
    findings = examine(*arguments, "--join", f"{host}:{port}", code=1, CHUNKFLOW_CLUSTER_SECRET="the wrong secret")
    of(findings, f"peer {host}:{port}", "problem")
    # A storage node is no distributor.
    findings = examine(*arguments, "--join", cluster.nodes[0].address, code=1, CHUNKFLOW_CLUSTER_SECRET="the right secret")
    of(findings, f"peer {cluster.nodes[0].address}", "problem")
    assert len(cluster.rest.cluster()["nodes"]) == 2


def test_an_address_that_the_distributor_cannot_reach_is_a_problem(tmp_path):
    arguments = ["storage", "--data-dir", str(tmp_path), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--join", "no.such.host.invalid:7070"]
    findings = examine(*arguments, code=1)
    of(findings, "address", "problem")
    assert "does not resolve" in of(findings, "peer no.such.host.invalid:7070", "problem")["detail"]


@pytest.mark.parametrize("seconds, severity", [(0, "ok"), (20, "warning"), (-20, "warning"), (3600, "problem")])
def test_a_clock_that_differs_is_seen(tmp_path, seconds, severity):
    class Clock(http.server.BaseHTTPRequestHandler):
        def date_time_string(self, timestamp=None):
            return email.utils.formatdate(time.time() + seconds, usegmt=True)

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Clock) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        peer = f"127.0.0.1:{server.server_port}"
        findings = examine(*server_arguments(tmp_path), "--http-peer", peer, code=1 if severity == "problem" else 0)
        server.shutdown()
    compared = [finding for finding in findings if finding["subject"] == "clock" and peer in finding["detail"]]
    assert [finding["severity"] for finding in compared] == [severity], findings
    if seconds:
        assert ("behind" if seconds > 0 else "ahead") in compared[0]["detail"]


def test_without_a_secret_a_port_that_others_reach_is_a_warning(tmp_path):
    arguments = ["storage", "--data-dir", str(tmp_path), "--listen", "0.0.0.0:0", "--http", "127.0.0.1:0"]
    assert "secret" in of(examine(*arguments), "configuration", "warning")["detail"]
    of(examine(*arguments, CHUNKFLOW_CLUSTER_SECRET="a long enough secret"), "configuration", "ok")
