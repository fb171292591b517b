"""The command line client."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .process import bound_to_this_process, clean_environment, executable


@dataclass
class ClientCommand:
    """How one run of the client ended."""

    code: int
    output: str
    errors: str

    def lines(self) -> list:
        """What `--json` printed, one document a line."""
        return [json.loads(line) for line in self.output.splitlines() if line.strip()]

    def json(self):
        return json.loads(self.output)

    def __str__(self) -> str:
        return f"exit code {self.code}, output {self.output[-500:]!r}, errors {self.errors[-1000:]!r}"


def run_client(*arguments: str | Path, server: str | None = None, seconds: float = 40, **environment: str) -> ClientCommand:
    command = [executable("chunkflow"), *map(str, arguments)]
    if server is not None:
        environment["CHUNKFLOW_SERVER"] = server
    done = subprocess.run(
        bound_to_this_process(command), capture_output=True, timeout=seconds, env=clean_environment(**environment), stdin=subprocess.DEVNULL
    )
    return ClientCommand(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
