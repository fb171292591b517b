#!/usr/bin/env python3
"""What moves when a node is added, and how evenly the nodes are filled afterwards, while clients read and write.

For 4 nodes to which a 5th is added and 6 to which a 7th is: bytes moved over the least possible (bound 1.10), and the fullest node over
the mean (bound 1.05). Ends with 1 when one is passed, or when a client saw anything wrong.
"""

import argparse
import hashlib
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from measuring import MIB, table

from harness import DistributorProcess, Fleet, RESTClient, StorageProcess, make_bytes, wait_until
from harness.load import Load

MOVED_LIMIT = 1.10
FILL_LIMIT = 1.05
COPIES = 2
CHUNK = 64 * 1024


def measure(fleet: Fleet, node_count: int, chunks: int, chunks_a_file: int) -> tuple[list[str], bool]:
    name = f"{node_count}-"
    distributor = fleet.add(
        DistributorProcess(
            f"{name}distributor", fleet.directory, [],
            ["--replicas", str(COPIES), "--chunk-size", "64KiB", "--rebalance-rate", "0", "--log-level", "notice"])).start()
    rest = RESTClient(distributor.http_address)
    join = "{}:{}".format(*distributor.listeners["cluster"])

    def add(number: int) -> StorageProcess:
        return fleet.add(StorageProcess(f"{name}storage{number}", fleet.directory, ["--join", join])).start()

    nodes = [add(number) for number in range(1, node_count + 1)]
    wait_until(lambda: list(rest.node_states().values()).count("up") == node_count, 30, "all nodes are members")

    files = chunks // chunks_a_file
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(lambda number: rest.upload(make_bytes(chunks_a_file * CHUNK, number))["fileID"], range(files)))
    wait_until(lambda: rest.repair_queue_length() == 0, 60, "every copy is written")
    time.sleep(1.5)  # Figures of nodes are a second old at most.
    before = {entry["id"]: entry["fragmentCount"] for entry in rest.cluster()["nodes"]}
    total = sum(before.values())

    load = Load(rest, 2, seed=node_count, largest=256 * 1024)
    start = time.monotonic()
    nodes.append(add(node_count + 1))
    found: list[int] = []

    def settled() -> bool:
        found[:] = [int(moved) for moved in re.findall(r"movedBytes=(\d+).*all fragments are where", distributor.errors())]
        return bool(found) and rest.cluster()["rebalance"] is None

    wait_until(settled, 600, "everything has moved")
    seconds = time.monotonic() - start
    load.finish()
    for number, file_id in enumerate(stored):
        assert rest.download(file_id) == make_bytes(chunks_a_file * CHUNK, number), f"{file_id} is not what was stored"
    for file_id, digest in load.files.items():
        assert hashlib.sha256(rest.download(file_id)).digest() == digest, f"{file_id} is not what was stored"
    moved = found[-1]
    wait_until(lambda: rest.repair_queue_length() == 0, 60, "repairs")
    time.sleep(3)
    after = {entry["id"]: entry["fragmentCount"] for entry in rest.cluster()["nodes"]}
    fill = max(after.values()) / (sum(after.values()) / len(after))
    ratio = moved / (total / (node_count + 1) * CHUNK)
    for process in (distributor, *nodes):
        process.stop()
    row = [
        f"{node_count} + 1", f"{total // COPIES}", f"{moved / MIB:.0f}", f"{ratio:.3f}", f"{fill:.3f}", f"{seconds:.1f}",
        f"{moved / MIB / seconds:.0f}", f"{sum(load.counts.values())}", f"{len(load.failures) + len(load.wrong)}",
    ]
    return row, ratio <= MOVED_LIMIT and fill <= FILL_LIMIT and not load.wrong and not load.failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=10_000, help="chunks of 64 KiB stored before (default: 10000)")
    parser.add_argument("--chunks-a-file", type=int, default=20, help="(default: 20)")
    parser.add_argument("--directory", help="where the data go for the time (default: the temporary directory)")
    parser.add_argument("--quick", action="store_true", help="2,000 chunks")
    options = parser.parse_args()
    chunks = 2_000 if options.quick else options.chunks
    with Fleet(options.directory) as fleet:
        results = [measure(fleet, node_count, chunks, options.chunks_a_file) for node_count in (4, 6)]
    table(
        ["nodes", "chunks", "MiB moved", "of the least", "fullest of mean", "s", "MiB/s", "requests meanwhile", "failed"],
        [row for row, _ in results])
    return 0 if all(passed for _, passed in results) else 1


if __name__ == "__main__":
    sys.exit(main())
