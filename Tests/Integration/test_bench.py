"""`chunkflow bench` against a real cluster."""

import signal
import subprocess

from harness import run_client, wait_until
from harness.ports import free_port
from harness.process import bound_to_this_process, clean_environment, executable


def bench_files(rest) -> list[str]:
    return [file["fileID"] for file in rest.files() if file["name"].startswith("chunkflow-bench-")]


def test_it_measures_and_leaves_nothing_behind(shared_cluster):
    url = shared_cluster.distributor.url
    done = run_client("bench", "--size", "1KiB,3MiB", "--concurrency", "3", "--count", "12", "--verify", "--json", server=url)
    assert done.code == 0, f"{done}"
    rows = done.lines()
    assert [(row["operation"], row["size"]) for row in rows] == [("put", 1 << 10), ("get", 1 << 10), ("put", 3 << 20), ("get", 3 << 20)]
    for row in rows:
        assert row["count"] == 12 and row["failed"] == 0 and row["concurrency"] == 3
        times = [row["latencySeconds"][name] for name in ("p50", "p90", "p95", "p99", "p999", "max")]
        assert times == sorted(times) and 0 < times[0] <= times[-1] <= row["seconds"]
        assert abs(row["bytesPerSecond"] - row["count"] * row["size"] / row["seconds"]) <= 1
    assert bench_files(shared_cluster.rest) == []


def test_it_can_be_read_by_people(shared_cluster):
    done = run_client("bench", "--workload", "mixed", "--size", "10KiB", "--duration", "1", server=shared_cluster.distributor.url)
    assert done.code == 0, f"{done}"
    first, header, *rows = done.output.splitlines()
    assert first.endswith(": 4 nodes, 3 copies; 8 at a time, 1 s each part")
    assert header.split()[:3] == ["SIZE", "OPERATION", "COUNT"] and [row.split()[2] for row in rows] == ["put", "get"]


def test_what_is_broken_off_is_cleaned_up(shared_cluster):
    bench = subprocess.Popen(
        bound_to_this_process([executable("chunkflow"), "bench", "--size", "1KiB", "--duration", "600"]), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=clean_environment(CHUNKFLOW_SERVER=shared_cluster.distributor.url))
    try:
        wait_until(lambda: len(bench_files(shared_cluster.rest)) > 10, 30, "it uploads")
        bench.send_signal(signal.SIGINT)
        output, errors = bench.communicate(timeout=40)
    finally:
        bench.kill()
    assert bench.returncode == 1 and "removing what was uploaded" in errors and " put " in output
    assert bench_files(shared_cluster.rest) == []


def test_a_cluster_that_is_away_is_3():
    assert run_client("bench", "--retries", "0", server=f"http://127.0.0.1:{free_port()}").code == 3
