#!/usr/bin/env python3
"""Upload and download of a large file, beside what this machine can do at best, measured in the same run.

Uploads are sent by curl. Downloads are received as the yardstick's stream is, into one buffer of 256 KiB: curl reads in smaller pieces, and takes
as much of the CPU as an embedded server does.

MB/s are 10^6 bytes a second; CPU seconds per GiB are those of the server processes together. Medians.
"""

import argparse
import hashlib
import json
import os
import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measuring import GIB, MIB, CPUMeter, curl, median, require_space, table, write_content

from harness import Cluster, EmbeddedServer, Fleet
from harness.cluster import Gateway
from harness.process import ServerProcess

BUFFER = 256 << 10
# Least shares of the limits: of one core's MD5 for an upload, of loopback TCP for a download.
WANTED = {"embedded, 1 copy": (0.60, 0.40), "4 processes, 1 copy": (0.45, 0.30)}


# Limits of the machine, in bytes a second


def md5_rate(byte_count: int) -> float:
    block = os.urandom(BUFFER)
    digest = hashlib.md5()
    start = time.perf_counter()
    for _ in range(byte_count // BUFFER):
        digest.update(block)
    return byte_count / (time.perf_counter() - start)


def drain(receiver: socket.socket) -> int:
    """Receives to the end and throws away. Returns the number of bytes."""
    buffer = bytearray(BUFFER)
    received = 0
    while count := receiver.recv_into(buffer):
        received += count
    return received


def loopback_rate(byte_count: int) -> float:
    """Two processes, one TCP stream, buffers of 256 KiB, nothing done with the bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = os.fork()
        if child == 0:
            try:
                block = os.urandom(BUFFER)
                with socket.create_connection(listener.getsockname()) as sender:
                    for _ in range(byte_count // BUFFER):
                        sender.sendall(block)
            finally:
                os._exit(0)
        receiver, _ = listener.accept()
        start = time.perf_counter()
        with receiver:
            received = drain(receiver)
        rate = received / (time.perf_counter() - start)
        os.waitpid(child, 0)
    return rate


def file_rate(path: Path, byte_count: int, sync_every: int) -> float:
    block = os.urandom(MIB)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        start = time.perf_counter()
        for number in range(byte_count // MIB):
            os.write(descriptor, block)
            if (number + 1) % sync_every == 0:
                os.fdatasync(descriptor)
        os.fdatasync(descriptor)
        return byte_count / (time.perf_counter() - start)
    finally:
        os.close(descriptor)
        path.unlink()


# Transfers


class Target:
    def __init__(self, name: str, gateway: Gateway, url: str, processes: list[ServerProcess]):
        self.name = name
        self.gateway = gateway
        self.url = url
        self.processes = processes

    def upload(self, path: Path) -> tuple[str, float]:
        """The fileID, and seconds as curl counts them."""
        answer = curl(
            "-X", "POST", "-T", path, "-H", "Content-Type: application/octet-stream", "-w", "\n%{time_total}", f"{self.url}/upload")
        document, _, seconds = answer.rpartition("\n")
        return json.loads(document)["fileID"], float(seconds)

    def download(self, file_id: str) -> float:
        """Seconds from the request to the last byte."""
        host, port = self.gateway.rest.address
        with socket.create_connection((host, port)) as connection:
            start = time.perf_counter()
            connection.sendall(f"GET /download/{file_id} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(BUFFER)
            fields, _, begun = head.partition(b"\r\n\r\n")
            assert fields.startswith(b"HTTP/1.1 200 "), fields
            length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", fields)[1])
            received = len(begun) + drain(connection)
            assert received == length, f"{received} of {length} bytes"
            return time.perf_counter() - start

    def remove(self, file_ids: list[str]) -> None:
        for file_id in file_ids:
            self.gateway.rest.delete(file_id)
        self.gateway.wait_for_fragments(0, seconds=120)


def measure(target: Target, source: Path, part: Path, runs: int) -> dict[str, float]:
    size, part_size = source.stat().st_size, part.stat().st_size
    file_id, _ = target.upload(part)
    target.download(file_id)
    target.remove([file_id])
    samples: dict[str, list[float]] = {key: [] for key in ("up", "up cpu", "down", "of loopback", "down cpu", "4 up", "4 down")}
    for _ in range(runs):
        meter = CPUMeter(target.processes)
        file_id, seconds = target.upload(source)
        samples["up"].append(size / seconds)
        samples["up cpu"].append(sum(meter.read().values()) * GIB / size)
        # What the machine carries changes from one minute to the next.
        loopback = loopback_rate(4 * size)
        meter = CPUMeter(target.processes)
        samples["down"].append(size / target.download(file_id))
        samples["of loopback"].append(samples["down"][-1] / loopback)
        samples["down cpu"].append(sum(meter.read().values()) * GIB / size)
        target.remove([file_id])
        with ThreadPoolExecutor(4) as pool:
            start = time.perf_counter()
            file_ids = [file_id for file_id, _ in pool.map(lambda _: target.upload(part), range(4))]
            samples["4 up"].append(4 * part_size / (time.perf_counter() - start))
            start = time.perf_counter()
            list(pool.map(target.download, file_ids))
            samples["4 down"].append(4 * part_size / (time.perf_counter() - start))
        target.remove(file_ids)
    return {key: median(values) for key, values in samples.items()}


def make_target(name: str, fleet: Fleet, durability: str) -> Target:
    kind, _, copies_text = name.partition(", ")
    copies = copies_text.split()[0]
    if kind == "embedded":
        server = EmbeddedServer(fleet, ["--replicas", copies, "--write-quorum", copies, "--durability", durability])
        return Target(name, server, server.process.url, [server.process])
    quorum = {"1": 1, "2": 2, "3": 2}[copies]
    cluster = Cluster(fleet, 4, replicas=int(copies), quorum=quorum, chunk_size="8MiB", durability=durability)
    return Target(name, cluster, cluster.distributor.url, [cluster.distributor, *cluster.nodes])


def main() -> int:
    names = ["embedded, 1 copy", "embedded, 2 copies", "4 processes, 1 copy", "4 processes, 2 copies", "4 processes, 3 copies"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-gib", type=float, default=1, help="size of the file (default: 1)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, of which the median counts (default: 3)")
    parser.add_argument("--durability", default="fsync", choices=["fsync", "none"])
    parser.add_argument("--only", action="append", choices=names, help="this set-up only; may be repeated")
    parser.add_argument("--directory", help="where the data go for the time (default: the temporary directory)")
    parser.add_argument("--quick", action="store_true", help="1/8 GiB, one run")
    options = parser.parse_args()
    if options.quick:
        options.size_gib, options.runs = 0.125, 1
    size = int(options.size_gib * GIB) // (4 * MIB) * 4 * MIB

    with Fleet(options.directory) as scratch:
        require_space(scratch.directory, 6 * size + GIB)
        source, part = scratch.directory / "source", scratch.directory / "part"
        write_content(source, size)
        write_content(part, size // 4)

        def best_of(measurement) -> float:
            return median([measurement() for _ in range(options.runs)])

        md5 = best_of(lambda: md5_rate(size))
        loopback = best_of(lambda: loopback_rate(4 * size))
        limits = {
            "MD5, one core": md5,
            "loopback TCP, one stream": loopback,
            "file, one fdatasync at the end": best_of(lambda: file_rate(scratch.directory / "written", size, 1 << 60)),
            "file, fdatasync every 8 MiB": best_of(lambda: file_rate(scratch.directory / "written", size, 8)),
        }
        print(f"limits of this machine ({os.cpu_count()} cores), {options.runs} runs each")
        table(["what", "MB/s"], [[name, f"{rate / 1e6:.0f}"] for name, rate in limits.items()])

        rows, lines = [], []
        for name in options.only or names:
            with Fleet(options.directory) as fleet:
                target = make_target(name, fleet, options.durability)
                result = measure(target, source, part, options.runs)
            rows.append([
                name, f"{result['up'] / 1e6:.0f}", f"{result['up'] / md5:.0%}", f"{result['up cpu']:.2f}", f"{result['4 up'] / 1e6:.0f}",
                f"{result['down'] / 1e6:.0f}", f"{result['of loopback']:.0%}", f"{result['down cpu']:.2f}", f"{result['4 down'] / 1e6:.0f}",
            ])
            if name in WANTED:
                for what, share, wanted, limit in (
                    ("upload", result["up"] / md5, WANTED[name][0], "one core's MD5"),
                    ("download", result["of loopback"], WANTED[name][1], "loopback TCP"),
                ):
                    verdict = "reached" if share >= wanted else "missed"
                    lines.append(f"{what}, {name}: {share:.0%} of {limit}; wanted {wanted:.0%}: {verdict}")
        print(f"file of {options.size_gib:g} GiB, durability {options.durability}, median of {options.runs}; 4 x: four streams of a quarter of it")
        table(["set-up", "up MB/s", "of MD5", "CPU s/GiB", "4 x up", "down MB/s", "of TCP", "CPU s/GiB", "4 x down"], rows)
        print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
