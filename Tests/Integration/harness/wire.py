"""HTTP by hand, for clients that do not behave."""

import socket
import struct
import time
from email.message import Message

from .rest import Response


class Connection:
    """A TCP connection to an HTTP server, byte by byte."""

    def __init__(self, address: tuple[str, int], timeout: float = 20, receive_buffer: int | None = None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_head(self, method: str, target: str, headers: dict[str, object]) -> None:
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    def end_sending(self) -> None:
        """Half-closes: the server sees the end, and can still answer."""
        self.socket.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        """Resets the connection, as a client that crashes does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes; fewer only when the server ends the connection."""
        parts = [self._received[:count]]
        self._received = self._received[count:]
        missing = count - len(parts[0])
        while missing > 0:
            data = self.socket.recv(min(missing, 1 << 20))
            if not data:
                break
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def read_head(self) -> tuple[int, dict[str, str]]:
        """Status and headers (lower-case names) of the next response, informational ones included."""
        while b"\r\n\r\n" not in self._received:
            data = self.socket.recv(65_536)
            if not data:
                raise ConnectionError(f"the server ended the connection after {self._received!r}")
            self._received += data
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(lines[0].split()[1]), headers

    def read_response(self) -> Response:
        """The next final response."""
        while True:
            status, headers = self.read_head()
            if status >= 200:
                break
        message = _message(headers)
        return Response(status, message, self.read(int(headers.get("content-length", 0))))

    def is_closed_within(self, seconds: float) -> bool:
        """Whether the server ends the connection; what it still sends is thrown away."""
        deadline = time.monotonic() + seconds
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.socket.recv(1 << 20):
                    return True
        except TimeoutError:
            return False
        except OSError:
            return True
        return False


def _message(headers: dict[str, str]) -> Message:
    message = Message()
    for name, value in headers.items():
        message[name] = value
    return message


class PacedUpload:
    """An upload whose bytes go out when the test says so."""

    def __init__(self, address: tuple[str, int], content: bytes, name: str = "paced.bin", timeout: float = 30):
        self.content = memoryview(content)
        self.sent = 0
        self.connection = Connection(address, timeout)
        self.connection.send_head(
            "POST", f"/upload?name={name}", {"Content-Type": "application/octet-stream", "Content-Length": len(content)}
        )

    def send(self, count: int) -> None:
        self.connection.send(self.content[self.sent : self.sent + count])
        self.sent += count

    def finish(self) -> Response:
        self.send(len(self.content) - self.sent)
        try:
            return self.connection.read_response()
        finally:
            self.connection.socket.close()


class PacedDownload:
    """A download that takes bytes when the test says so; little of it is under way meanwhile."""

    def __init__(self, address: tuple[str, int], file_id: str, timeout: float = 30):
        self.connection = Connection(address, timeout, receive_buffer=64 << 10)
        self.connection.send_head("GET", f"/download/{file_id}", {})
        self.status, self.headers = self.connection.read_head()
        self.left = int(self.headers["content-length"])

    def take(self, count: int) -> bytes:
        data = self.connection.read(min(count, self.left))
        self.left -= len(data)
        return data

    def rest(self) -> bytes:
        """Everything to the announced end, or to where the server breaks off."""
        try:
            return self.take(self.left)
        finally:
            self.connection.socket.close()
