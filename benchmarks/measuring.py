"""What the benchmarks share: processes from the tests' harness, content, samples, tables."""

import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests" / "Integration"))

from harness import ServerProcess  # noqa: E402

MIB = 1 << 20
GIB = 1 << 30


def write_content(path: Path, byte_count: int) -> str:
    """A file in which no two mebibytes are the same. Returns its SHA-256 in hexadecimal."""
    block = bytearray(os.urandom(MIB))
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for number in range(-(-byte_count // MIB)):
            block[:8] = number.to_bytes(8, "big")
            piece = memoryview(block)[: min(MIB, byte_count - number * MIB)]
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def curl(*arguments: str | Path, seconds: float = 3600) -> str:
    done = subprocess.run(["curl", "-sS", "--fail-with-body", *map(str, arguments)], capture_output=True, text=True, timeout=seconds)
    if done.returncode != 0:
        raise RuntimeError(f"curl ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}")
    return done.stdout


def require_space(directory: Path, byte_count: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < byte_count:
        sys.exit(f"{directory} has {free / GIB:.1f} GiB free; this takes {byte_count / GIB:.1f} GiB (choose another with --directory)")


def table(header: list[str], rows: list[list[object]]) -> None:
    cells = [header, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for number, row in enumerate(cells):
        print("  ".join(cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))))
        if number == 0:
            print("  ".join("-" * width for width in widths))
    print(flush=True)


def median(values: list[float]) -> float:
    return statistics.median(values)


class CPUMeter:
    """CPU seconds of processes between its making and `read`."""

    def __init__(self, processes: list[ServerProcess]):
        self.processes = processes
        self.before = [process.cpu_seconds() for process in processes]

    def read(self) -> dict[str, float]:
        return {process.name: process.cpu_seconds() - before for process, before in zip(self.processes, self.before)}


class MemorySampler:
    """The resident memory of processes, sampled until `stop`, as the most seen in each phase."""

    def __init__(self, processes: list[ServerProcess], interval_seconds: float = 0.05):
        self.processes = processes
        self.interval_seconds = interval_seconds
        self.peaks: dict[str, dict[str, int]] = {}
        self.sample_count = 0
        self._phase: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def phase(self, name: str, work: Callable[[], object]) -> object:
        self.peaks[name] = {process.name: process.memory_bytes() for process in self.processes}
        self._phase = name
        start = time.monotonic()
        try:
            return work()
        finally:
            self._phase = None
            print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self.interval_seconds):
            if (phase := self._phase) is None:
                continue
            peaks = self.peaks[phase]
            for process in self.processes:
                peaks[process.name] = max(peaks[process.name], process.memory_bytes())
            self.sample_count += 1
