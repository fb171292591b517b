"""Ports for servers that are stopped and started again on the same address."""

import random
import socket

# Outside the range from which the kernel takes the ports of outgoing connections (32768 to 60999): there, a client that keeps
# trying to reach a stopped server could come to occupy that server's port, or even be connected to itself.
_CANDIDATES = range(30_000, 32_700)
_taken: set[int] = set()


def free_port() -> int:
    while True:
        port = random.SystemRandom().choice(_CANDIDATES)
        if port in _taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _taken.add(port)
        return port
