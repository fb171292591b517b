"""Two hosts on one machine: network namespaces with a cable between them that can be pulled."""

import ctypes
import os
import subprocess

from .fleet import Fleet

CLONE_NEWNET = 0x40000000


class TwoHosts:
    """The test's own thread, and with it all that it starts, moves to the near host; `far` is where nothing else runs.

    Everything ends with the fleet, which is told to move back first. Needs the right to make namespaces: root.
    """

    near_address = "10.231.7.1"
    far_address = "10.231.7.2"

    def __init__(self, fleet: Fleet):
        self.near, self.far = f"cf-near-{os.getpid()}", f"cf-far-{os.getpid()}"
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        fleet.defer(self._remove)
        for name in (self.near, self.far):
            _run("ip", "netns", "add", name)
        _run("ip", "-n", self.near, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", self.far)
        for name, address in ((self.near, self.near_address), (self.far, self.far_address)):
            _run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            _run("ip", "-n", name, "link", "set", "lo", "up")
            _run("ip", "-n", name, "link", "set", "cable", "up")
        with open(f"/run/netns/{self.near}") as namespace:
            _enter(namespace.fileno())

    @property
    def on_far_host(self) -> list[str]:
        return ["ip", "netns", "exec", self.far]

    def cut(self) -> None:
        """Nothing passes any more, and nobody is told: connections hang."""
        _run("ip", "-n", self.far, "link", "set", "cable", "down")

    def mend(self) -> None:
        _run("ip", "-n", self.far, "link", "set", "cable", "up")

    def _remove(self) -> None:
        _enter(self._home)
        os.close(self._home)
        for name in (self.near, self.far):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "this test needs the right to enter network namespaces")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"this test needs the right to make network namespaces: {' '.join(command)}: {done.stderr.strip()}")
