#!/usr/bin/env python3
"""How fast everything is whole again when a node is gone for good and nobody else is at work, beside what the disk and loopback allow.

Six nodes with three copies, seven with ec-4-2; one is killed. Timed from the moment when it is taken out of the layout to the line that
says that all fragments are where they should be. The yardsticks are taken in the same run: appending a mebibyte at a time with fdatasync after
each, and a TCP stream through loopback. Ends with 1 when the rate is below half of the lesser of the two.
"""

import argparse
import os
import re
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measuring import GIB, MIB, table

from harness import Cluster, Fleet, make_bytes, wait_until

SHARE = 0.5
GRACE_SECONDS = 3
FILE = 32 * MIB


def disk_rate(directory: Path, byte_count: int = GIB) -> float:
    """MiB a second."""
    path, block = directory / "yardstick", os.urandom(MIB)
    start = time.monotonic()
    with open(path, "wb", buffering=0) as file:
        for _ in range(byte_count // MIB):
            file.write(block)
            os.fdatasync(file.fileno())
    seconds = time.monotonic() - start
    path.unlink()
    return byte_count / MIB / seconds


def loopback_rate(byte_count: int = 2 * GIB) -> float:
    """MiB a second."""
    listener = socket.create_server(("127.0.0.1", 0))
    received = 0

    def receive() -> None:
        nonlocal received
        connection, _ = listener.accept()
        buffer = bytearray(MIB)
        with connection:
            while count := connection.recv_into(buffer):
                received += count

    receiver = threading.Thread(target=receive)
    receiver.start()
    block = bytes(MIB)
    start = time.monotonic()
    with socket.create_connection(listener.getsockname()) as sender:
        for _ in range(byte_count // MIB):
            sender.sendall(block)
    receiver.join()
    seconds = time.monotonic() - start
    listener.close()
    assert received == byte_count
    return byte_count / MIB / seconds


def measure(fleet: Fleet, storage_class: str, node_count: int, byte_count: int, arguments: list[str]) -> tuple[list[str], float]:
    cluster = Cluster(
        fleet, node_count, replicas=3, chunk_size="8MiB", name=f"{storage_class}-",
        distributor_arguments=["--storage-class", storage_class, "--node-grace", str(GRACE_SECONDS), "--log-level", "notice", *arguments])
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda number: cluster.rest.upload(make_bytes(FILE, number))["fileID"], range(byte_count // FILE)))
    wait_until(lambda: cluster.rest.repair_queue_length() == 0, 60, "every fragment is written")
    distributor = cluster.distributor

    def settled() -> list[str]:
        return re.findall(r"movedBytes=(\d+).*all fragments are where", distributor.errors())

    before = len(settled())
    cluster.nodes[1].kill()
    wait_until(lambda: "away for too long" in distributor.errors(), 60, "the node is taken out")
    start = time.monotonic()
    wait_until(lambda: len(settled()) > before, 600, "everything is whole again")
    seconds = time.monotonic() - start
    moved = int(settled()[-1]) - (int(settled()[before - 1]) if before else 0)
    for number, file_id in enumerate(files):
        assert cluster.rest.download(file_id) == make_bytes(FILE, number), f"{file_id} is not what was stored"
    cluster.stop_everything()
    rate = moved / MIB / seconds
    return [storage_class, str(node_count), f"{byte_count / MIB:.0f}", f"{moved / MIB:.0f}", f"{seconds:.1f}", f"{rate:.0f}"], rate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2048, help="MiB stored before (default: 2048)")
    parser.add_argument("--directory", help="where the data go for the time (default: the temporary directory)")
    parser.add_argument("--quick", action="store_true", help="256 MiB")
    parser.add_argument("arguments", nargs="*", help="for the distributor, after --")
    options = parser.parse_args()
    byte_count = (256 if options.quick else options.size) * MIB
    with Fleet(options.directory) as fleet:
        disk, loopback = disk_rate(fleet.directory), loopback_rate()
        results = [
            measure(fleet, storage_class, nodes, byte_count, options.arguments) for storage_class, nodes in (("replicated-3", 6), ("ec-4-2", 7))
        ]
    print(f"disk {disk:.0f} MiB/s, loopback {loopback:.0f} MiB/s")
    table(["class", "nodes", "MiB stored", "MiB restored", "s", "MiB/s"], [row for row, _ in results])
    return 0 if results[0][1] >= SHARE * min(disk, loopback) else 1


if __name__ == "__main__":
    sys.exit(main())
