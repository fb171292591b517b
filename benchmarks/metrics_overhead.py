#!/usr/bin/env python3
"""What metrics cost: 4 KiB uploads and downloads with them and without, in turns, by wrk (Debian package wrk).

"With" is scraped every second, fifteen times as often as deploy/prometheus does. CPU is that of the server process for each operation; the
machine's noise is larger than what is measured here, so look at the medians of many rounds, and at their spread.
"""

import argparse
import shutil
import sys
import threading

from measuring import CPUMeter, median, table
from small_objects import GET_SCRIPT, PUT_SCRIPT, REPORT, run_wrk

from harness import EmbeddedServer, Fleet, RESTClient, make_bytes

SIZE = 4096


class Scraper:
    """Asks for /metrics every second until it is stopped."""

    def __init__(self, rest: RESTClient):
        self._rest = rest
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(1):
            assert self._rest.request("GET", "/metrics").status == 200

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()


def measure(with_metrics: bool, options) -> dict[str, tuple[float, float]]:
    """Operations a second and CPU microseconds of each, by operation."""
    with Fleet(options.directory) as fleet:
        environment = {} if with_metrics else {"CHUNKFLOW_WITHOUT_METRICS": "1"}
        server = EmbeddedServer(fleet, ["--durability", options.durability, "--log-level", "warning"], **environment)
        directory = fleet.directory
        (directory / "body").write_bytes(make_bytes(SIZE, "small object"))
        put, get, ids = directory / "put.lua", directory / "get.lua", directory / "ids"
        put.write_text(PUT_SCRIPT.replace("BODY", str(directory / "body")) + REPORT)
        get.write_text(GET_SCRIPT.replace("IDS", str(ids)) + REPORT)
        found = {}
        scraper = Scraper(server.rest) if with_metrics else None
        for operation, script in (("PUT", put), ("GET", get)):
            if operation == "GET":
                ids.write_text("\n".join(file["fileID"] for file in server.rest.files()[:20_000]) + "\n")
            run_wrk(script, server.rest.address, options.connections, 1)
            meter = CPUMeter([server.process])
            result = run_wrk(script, server.rest.address, options.connections, options.seconds)
            cpu = sum(meter.read().values())
            assert result["errors"] == 0, result
            found[operation] = result["requests"] / result["microseconds"] * 1e6, cpu / max(1, result["requests"]) * 1e6
        if scraper:
            scraper.stop()
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of each, in turns (default: 7)")
    parser.add_argument("--seconds", type=float, default=6, help="length of each measurement (default: 6)")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--durability", default="none", choices=["fsync", "none"], help="none, so that the disk hides nothing (the default)")
    parser.add_argument("--directory", help="where the data go for the time (default: the temporary directory)")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk was not found: apt-get install wrk")
    found: dict[bool, list[dict[str, tuple[float, float]]]] = {True: [], False: []}
    for number in range(options.rounds):
        # Who goes first changes, so that what drifts harms both alike.
        for with_metrics in (number % 2 == 0, number % 2 != 0):
            found[with_metrics].append(measure(with_metrics, options))
    rows = []
    for operation in ("PUT", "GET"):
        for column, what in ((0, "per second"), (1, "CPU us")):
            with_metrics, without = ([round_[operation][column] for round_ in found[kind]] for kind in (True, False))
            change = median(with_metrics) / median(without) - 1
            spread = max(max(values) / min(values) - 1 for values in (with_metrics, without))
            rows.append([f"{operation}, {what}", f"{median(without):.0f}", f"{median(with_metrics):.0f}", f"{change:+.1%}", f"{spread:.1%}"])
    table(["", "without", "with metrics", "change", "spread"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
