"""One server process, from its start to its end, any number of times."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from .ports import free_port
from .waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
BINARIES = Path(os.environ.get("CHUNKFLOW_BINARIES", ROOT / ".build" / "release"))
START_SECONDS = 30
STOP_SECONDS = 20


def executable(name: str) -> str:
    path = BINARIES / name
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"{path} is missing: run `make build` first")
    return str(path)


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without settings that the caller's shell may hold."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CHUNKFLOW_", "OTEL_")) and key != "STORAGE_NODES"}
    # A crash must end the process at once: the backtrace takes longer than any deadline here.
    environment.setdefault("SWIFT_BACKTRACE", "enable=no")
    # Snapshots of the metadata are fragments too: tests that count them would find some that they did not store.
    environment.setdefault("CHUNKFLOW_METADATA_SNAPSHOT_INTERVAL", "0")
    # Files are no terminals, but people read these logs, beside tests that failed.
    environment["CHUNKFLOW_LOG_FORMAT"] = "text"
    environment.update(extra)
    return environment


def bound_to_this_process(command: list[str]) -> list[str]:
    """`command`, which the kernel kills when the thread that starts it ends: nothing outlives a test run that was killed."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *command] if shutil.which("setpriv") else command


class StartFailure(AssertionError):
    """The process ended, or was not ready in time."""


class ServerProcess:
    """A server. Start it from the main thread: it dies with the thread that started it."""

    def __init__(
        self, name: str, command: list[str], directory: Path, environment: dict[str, str] | None = None, ready_line: str = "ready"
    ):
        self.name = name
        self.command = command
        self.directory = directory
        self.environment = environment or {}
        self.ready_line = ready_line
        self.process: subprocess.Popen | None = None
        self.started_count = 0
        self.listeners: dict[str, tuple[str, int]] = {}
        # What went wrong at ends that nobody asked for.
        self.problems: list[str] = []
        directory.mkdir(parents=True, exist_ok=True)

    # Life

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was not started"
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def launch(self) -> "ServerProcess":
        """Starts without waiting."""
        assert not self.is_running, f"{self.name} runs already"
        self.started_count += 1
        with open(self._output("out"), "wb") as out, open(self._output("err"), "wb") as err:
            self.process = subprocess.Popen(
                bound_to_this_process(self.command), stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.directory,
                env=clean_environment(**self.environment),
            )
        return self

    def wait_ready(self, seconds: float = START_SECONDS) -> "ServerProcess":
        def is_ready() -> bool:
            # Ended first, read second: what it wrote before its end is there.
            ended = not self.is_running
            if self.ready_line in self.output().splitlines():
                return True
            if ended:
                raise StartFailed(f"{self.name} ended with {self.process.returncode} instead of getting ready: {self.errors()[-2000:]}")
            return False

        try:
            wait_until(is_ready, seconds, f"{self.name} is ready", interval=0.01)
        except StartFailed as failure:
            raise StartFailure(str(failure)) from None
        for line in self.output().splitlines():
            if match := re.fullmatch(r"listening (\w+)=(.+):(\d+)", line):
                self.listeners[match[1]] = (match[2].strip("[]"), int(match[3]))
        return self

    def start(self) -> "ServerProcess":
        return self.launch().wait_ready()

    def terminate(self, signal_number: int = signal.SIGTERM) -> None:
        """Asks it to stop, without waiting."""
        if self.is_running:
            self.process.send_signal(signal_number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Waits for the end that was asked for. Returns the exit code; negative for a signal."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still ran {seconds:g} s after it was asked to stop") from None

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        self.terminate()
        code = self.wait(seconds)
        assert code == 0, f"{self.name} ended with {code} on SIGTERM: {self.errors()[-2000:]}"

    def kill(self) -> None:
        """SIGKILL: no last words."""
        assert self.is_running, f"{self.name} has ended by itself: {self.errors()[-2000:]}"
        self.process.kill()
        self.process.wait()
        self.process = None

    def pause(self) -> None:
        """SIGSTOP: alive for the kernel, deaf for everybody else."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def restart(self) -> "ServerProcess":
        if self.is_running:
            self.stop()
        return self.start()

    def clean_up(self) -> None:
        """Ends it by force and notes an end that nobody asked for."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        elif self.process.returncode < 0:
            self.problems.append(f"{self.name} was ended by signal {-self.process.returncode} ({signal.Signals(-self.process.returncode).name})")

    # What it says

    def _output(self, kind: str) -> Path:
        return self.directory / f"{self.name}.{self.started_count}.{kind}"

    def output(self) -> str:
        """Standard output of the current or last run."""
        return self._output("out").read_text(errors="replace")

    def errors(self) -> str:
        """Standard error, the log, of the current or last run."""
        return self._output("err").read_text(errors="replace")

    def tail(self, lines: int = 40) -> str:
        text = []
        for number in range(max(1, self.started_count - 1), self.started_count + 1):
            for kind in ("out", "err"):
                path = self.directory / f"{self.name}.{number}.{kind}"
                if path.exists() and path.stat().st_size:
                    text += [f"-- {path.name}", *path.read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(text)

    # What the kernel says

    def memory_bytes(self, field: str = "VmRSS") -> int:
        """`VmRSS` now, or `VmHWM`, the most so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class StartFailed(Exception):
    """Ends the waiting for a start at once; never leaves this file."""


class StorageProcess(ServerProcess):
    def __init__(
        self, name: str, directory: Path, arguments: list[str] = [], data: Path | None = None, port: int | None = None,
        host: str = "127.0.0.1", within: list[str] = [], **more
    ):
        """`within`: a command that runs the node somewhere else, as `ip netns exec NAME` does."""
        self.data = data or directory / f"{name}-data"
        self.address = f"{host}:{port or free_port()}"
        command = [*within, executable("storage"), "--listen", self.address, "--http", "127.0.0.1:0", "--data-dir", str(self.data), *arguments]
        super().__init__(name, command, directory, **more)

    def segments(self) -> list[Path]:
        return sorted(self.data.rglob("*.segment"))


class GatewayProcess(ServerProcess):
    """What has a REST address: a distributor or an embedded server."""

    @property
    def http_address(self) -> tuple[str, int]:
        return self.listeners["http"]

    @property
    def url(self) -> str:
        host, port = self.http_address
        return f"http://{host}:{port}"


class DistributorProcess(GatewayProcess):
    def __init__(self, name: str, directory: Path, storage_nodes: list[str], arguments: list[str] = [], data: Path | None = None, **more):
        self.data = data or directory / f"{name}-data"
        command = [
            executable("distributor"), "--http", f"127.0.0.1:{free_port()}", "--cluster", f"127.0.0.1:{free_port()}",
            "--s3", "127.0.0.1:0", "--data-dir", str(self.data), *(["--storage-nodes", ",".join(storage_nodes)] if storage_nodes else []), *arguments,
        ]
        super().__init__(name, command, directory, **more)


class EmbeddedProcess(GatewayProcess):
    def __init__(self, name: str, directory: Path, arguments: list[str] = [], data: Path | None = None, **more):
        self.data = data or directory / f"{name}-data"
        command = [
            executable("chunkflow"), "server", "--http", f"127.0.0.1:{free_port()}", "--cluster", f"127.0.0.1:{free_port()}",
            "--s3", "127.0.0.1:0", "--data-dir", str(self.data), *arguments,
        ]
        super().__init__(name, command, directory, **more)


def processes_end_within(processes: list[ServerProcess], seconds: float) -> list[str]:
    """Waits for processes that were asked to stop. Returns what was wrong with their ends."""
    problems = []
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            code = process.wait(max(0.1, deadline - time.monotonic()))
            if code != 0:
                problems.append(f"{process.name} ended with {code} on SIGTERM")
        except AssertionError as error:
            problems.append(str(error))
    return problems
