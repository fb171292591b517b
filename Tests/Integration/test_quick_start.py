"""What the README tells a new user to type."""

import hashlib
import json
import re
import subprocess

from harness import Cluster, EmbeddedServer, make_bytes, wait_until
from harness.process import ServerProcess, clean_environment, executable

# Loopback only, and every port free, whatever else this machine serves: the documented default ports can be used.
OWN_NETWORK = ["unshare", "--user", "--map-root-user", "--net"]
LOOPBACK_UP = (
    "import fcntl, socket, struct;"
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH14s', b'lo', 0x41, b''))"
)
QUICK_START = f"""
set -euo pipefail
python3 -c "{LOOPBACK_UP}"
"$CHUNKFLOW" server > server.out 2> server.err &
server=$!
trap 'kill -KILL $server 2> /dev/null || true' EXIT
until grep -qx ready server.out; do kill -0 $server; sleep 0.05; done
curl -sS -X POST http://localhost:8080/upload -H "Content-Type: multipart/form-data" -F "file=@path/to/file.bin" > upload.json
fileID=$(python3 -c 'import json; print(json.load(open("upload.json"))["fileID"])')
curl -sS http://localhost:8080/download/$fileID -o result.bin
cmp path/to/file.bin result.bin
kill -TERM $server
trap - EXIT
wait $server
"""


def test_the_documented_lines_work_word_for_word_with_every_default(tmp_path):
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / "file.bin").write_bytes(make_bytes(20_000_003, "quick start"))
    done = subprocess.run(
        [*OWN_NETWORK, "bash", "-c", QUICK_START], cwd=tmp_path, capture_output=True, text=True, timeout=50,
        env={**clean_environment(), "CHUNKFLOW": executable("chunkflow")},
    )
    log = (tmp_path / "server.err").read_text() if (tmp_path / "server.err").exists() else ""
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{log}"
    assert (tmp_path / "data").is_dir()
    output = (tmp_path / "server.out").read_text().splitlines()
    assert "listening http=127.0.0.1:8080" in output
    assert "listening cluster=127.0.0.1:7070" in output


def test_curl_stores_and_returns_a_file_through_separate_processes(shared_cluster, tmp_path):
    source, result = tmp_path / "file.bin", tmp_path / "result.bin"
    source.write_bytes(make_bytes(12_345_678, "curl"))
    url = shared_cluster.distributor.url
    answer = subprocess.run(
        ["curl", "-sS", "-X", "POST", f"{url}/upload", "-H", "Content-Type: multipart/form-data", "-F", f"file=@{source}"],
        capture_output=True, check=True, timeout=30,
    )
    file = json.loads(answer.stdout)
    subprocess.run(["curl", "-sS", f"{url}/download/{file['fileID']}", "-o", str(result)], check=True, timeout=30)
    assert hashlib.sha256(result.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()
    assert file["name"] == "file.bin"


def test_an_upload_of_more_than_a_mebibyte_by_curl_does_not_wait_for_100_continue(shared_server, tmp_path):
    source = tmp_path / "file.bin"
    source.write_bytes(make_bytes(3 << 20, "expect"))
    answer = subprocess.run(
        ["curl", "-sS", "-v", "-o", "/dev/null", "-w", "%{time_total}", "-F", f"file=@{source}", f"{shared_server.process.url}/upload"],
        capture_output=True, text=True, check=True, timeout=30,
    )
    assert "Expect: 100-continue" in answer.stderr
    assert "HTTP/1.1 100 Continue" in answer.stderr
    # curl sends the body after a second without an answer.
    assert float(answer.stdout) < 0.9


def test_port_zero_takes_free_ports_and_says_which(fleet):
    server = fleet.add(
        ServerProcess(
            "server",
            [executable("chunkflow"), "server", "--http", "127.0.0.1:0", "--cluster", "127.0.0.1:0", "--s3", "127.0.0.1:0", "--data-dir", "d"],
            fleet.directory,
        )
    )
    storage = fleet.add(ServerProcess("storage", [executable("storage"), "--listen", "127.0.0.1:0", "--data-dir", "s"], fleet.directory))
    fleet.start(server, storage)
    for process, names in ((server, {"http", "cluster"}), (storage, set())):
        lines = process.output().splitlines()
        assert lines.count("ready") == 1 and lines[-1] == "ready", lines
        assert names <= set(process.listeners), lines
        assert process.listeners
        assert all(re.fullmatch(r"listening \w+=127\.0\.0\.1:[1-9]\d*", line) for line in lines[:-1]), lines


def test_an_embedded_server_has_the_documented_defaults(shared_server):
    cluster = shared_server.rest.cluster()
    assert len(cluster["nodes"]) == 4
    assert cluster["layout"]["replicas"] == 2
    assert cluster["layout"]["writeQuorum"] == 2
    assert cluster["layout"]["version"] == 1
    assert cluster["layout"]["partitionCount"] == 1024


def test_a_distributor_has_the_documented_defaults(shared_cluster):
    layout = shared_cluster.rest.cluster()["layout"]
    assert (layout["replicas"], layout["writeQuorum"]) == (3, 2)


def test_a_server_with_fewer_nodes_than_copies_starts_with_a_warning(fleet):
    cluster = Cluster(fleet, 2, replicas=3, quorum=2)
    content = make_bytes(100_000, 1)
    file = cluster.rest.upload(content)
    assert cluster.rest.download(file["fileID"]) == content
    cluster.wait_for_fragments(2)
    assert "fewer storage nodes than copies" in cluster.distributor.errors()


def test_settings_from_the_environment_and_from_a_file_work_like_flags(fleet):
    settings = fleet.directory / "settings.yaml"
    settings.write_text("nodes: 3\nreplicas: 3\nwrite-quorum: 1\n")
    server = EmbeddedServer(fleet, ["--write-quorum", "3"], CHUNKFLOW_CONFIG=str(settings), CHUNKFLOW_NODES="5")
    cluster = server.rest.cluster()
    # The environment before the file, the flag before both.
    assert len(cluster["nodes"]) == 5
    assert (cluster["layout"]["replicas"], cluster["layout"]["writeQuorum"]) == (3, 3)


def test_a_ready_server_says_so(shared_cluster):
    rest = shared_cluster.rest
    assert rest.request("GET", "/health/live").status == 200
    wait_until(rest.is_ready, 10, "the distributor is ready")
