"""All processes and directories of one test, and their end."""

import shutil
import tempfile
from pathlib import Path

from .process import STOP_SECONDS, GatewayProcess, ServerProcess, processes_end_within
from .waiting import DeadlineExceeded

# Everything that runs at the moment, for the report of a test that fails.
fleets: list["Fleet"] = []


class Fleet:
    """Use it as a context manager: whatever happens, what it started ends and what it wrote goes."""

    def __init__(self, parent: str | None = None):
        self.directory = Path(tempfile.mkdtemp(prefix="chunkflow-", dir=parent))
        self.processes: list[ServerProcess] = []
        self._cleanups: list = []

    def __enter__(self) -> "Fleet":
        fleets.append(self)
        return self

    def __exit__(self, kind, error, traceback) -> None:
        problems = []
        try:
            # Gateways before the nodes that they use, as an operator would.
            problems = self.stop() if kind is None else []
        finally:
            for process in self.processes:
                process.clean_up()
            for cleanup in reversed(self._cleanups):
                cleanup()
            problems += [problem for process in self.processes for problem in process.problems]
            tails = "\n".join(process.tail() for process in self.processes) if problems else ""
            fleets.remove(self)
            shutil.rmtree(self.directory, ignore_errors=True)
        if problems and kind is None:
            raise AssertionError("\n".join(problems) + "\n" + tails)

    def add(self, process: ServerProcess) -> ServerProcess:
        self.processes.append(process)
        return process

    def defer(self, cleanup) -> None:
        """Runs `cleanup` after all processes have ended."""
        self._cleanups.append(cleanup)

    def start(self, *processes: ServerProcess) -> None:
        """Starts them side by side."""
        for process in processes:
            process.launch()
        for process in processes:
            process.wait_ready()

    def stop(self) -> list[str]:
        """Stops what still runs, in an orderly way. Returns what was wrong."""
        running = [process for process in self.processes if process.is_running]
        gateways = [process for process in running if isinstance(process, GatewayProcess)]
        problems = []
        for group in (gateways, [process for process in running if process not in gateways]):
            for process in group:
                process.terminate()
            problems += processes_end_within(group, STOP_SECONDS)
        return problems


def tails() -> str:
    """The last words of everything that runs."""
    try:
        return "\n".join(process.tail() for fleet in fleets for process in fleet.processes)
    except (OSError, DeadlineExceeded) as error:
        return f"no logs: {error}"
