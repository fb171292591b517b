#!/usr/bin/env python3
"""Uploads and downloads of 4 KiB at 1, 16 and 64 connections, by wrk (Debian package wrk).

CPU microseconds are those of the server processes together, for each operation.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from measuring import CPUMeter, table

from harness import Cluster, EmbeddedServer, Fleet, make_bytes
from harness.process import ServerProcess

PUT_SCRIPT = """
local file = io.open("BODY", "rb")
wrk.method = "POST"
wrk.path = "/upload"
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.body = file:read("*a")
file:close()
"""
GET_SCRIPT = """
local paths = {}
for line in io.lines("IDS") do paths[#paths + 1] = "/download/" .. line end
local next = 0
function request()
  next = next % #paths + 1
  return wrk.format("GET", paths[next])
end
"""
REPORT = """
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\n{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"errors":%d}\\n', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), errors.status + errors.read + errors.write + errors.timeout + errors.connect))
end
"""


def run_wrk(script: Path, address: tuple[str, int], connections: int, seconds: float) -> dict:
    done = subprocess.run(
        ["wrk", "-t", str(min(connections, 2)), "-c", str(connections), "-d", f"{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(script),
         f"http://{address[0]}:{address[1]}"],
        capture_output=True, text=True, timeout=seconds + 60, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(name: str, rest, processes: list[ServerProcess], directory: Path, options) -> list[list[object]]:
    body = make_bytes(options.size, "small object")
    (directory / "body").write_bytes(body)
    put, get, ids = directory / "put.lua", directory / "get.lua", directory / "ids"
    put.write_text(PUT_SCRIPT.replace("BODY", str(directory / "body")) + REPORT)
    get.write_text(GET_SCRIPT.replace("IDS", str(ids)) + REPORT)
    rows = []
    for operation, script in (("PUT", put), ("GET", get)):
        if operation == "GET":
            ids.write_text("\n".join(file["fileID"] for file in rest.files()[:20_000]) + "\n")
        for connections in (1, 16, 64):
            meter = CPUMeter(processes)
            result = run_wrk(script, rest.address, connections, options.seconds)
            cpu = sum(meter.read().values())
            count = result["requests"]
            rows.append([
                f"{name}: {operation}", connections, f"{count / result['microseconds'] * 1e6:.0f}", f"{cpu / max(1, count) * 1e6:.0f}",
                f"{result['p50'] / 1000:.2f}", f"{result['p99'] / 1000:.2f}", result["errors"],
            ])
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096, help="bytes of an object (default: 4096)")
    parser.add_argument("--seconds", type=float, default=8, help="length of each measurement (default: 8)")
    parser.add_argument("--durability", default="fsync", choices=["fsync", "none"])
    parser.add_argument("--directory", help="where the data go for the time (default: the temporary directory)")
    parser.add_argument("--quick", action="store_true", help="one second each")
    options = parser.parse_args()
    if options.quick:
        options.seconds = 1
    if not shutil.which("wrk"):
        sys.exit("wrk was not found: apt-get install wrk")

    rows = []
    for copies in (1, 2):
        with Fleet(options.directory) as fleet:
            server = EmbeddedServer(fleet, ["--replicas", str(copies), "--write-quorum", str(copies), "--durability", options.durability])
            name = f"embedded, {copies} cop{'y' if copies == 1 else 'ies'}"
            rows += measure(name, server.rest, [server.process], fleet.directory, options)
    for copies in (2, 3):
        with Fleet(options.directory) as fleet:
            cluster = Cluster(fleet, 4, replicas=copies, quorum=2, durability=options.durability)
            rows += measure(
                f"4 processes, {copies} copies", cluster.rest, [cluster.distributor, *cluster.nodes], fleet.directory, options)
    print(f"objects of {options.size} bytes, durability {options.durability}, {options.seconds:g} s each")
    table(["set-up", "connections", "per second", "CPU us", "p50 ms", "p99 ms", "errors"], rows)
    return 1 if any(row[-1] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
