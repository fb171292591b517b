"""Small file systems that fill up."""

import os
import subprocess
from pathlib import Path

from .fleet import Fleet


class SmallDisk:
    """A tmpfs of `mebibytes` until the fleet ends. Needs the right to mount: root, or sudo without a password."""

    def __init__(self, fleet: Fleet, name: str, mebibytes: int):
        self.path: Path = fleet.directory / name
        self.path.mkdir()
        _privileged("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=777", "tmpfs", str(self.path))
        fleet.defer(self.unmount)

    def resize(self, mebibytes: int) -> None:
        _privileged("mount", "-o", f"remount,size={mebibytes}m", str(self.path))

    def unmount(self) -> None:
        _privileged("umount", "--lazy", str(self.path))


def _privileged(*command: str) -> None:
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    done = subprocess.run([*prefix, *command], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"this test needs the right to mount a small file system: {done.stderr.strip()}")
