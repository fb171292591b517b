"""A TCP proxy that breaks connections."""

import socket
import threading


class CuttingProxy:
    """Passes bytes between its clients and a server; resets the connections that `limits` names.

    `limits[n]` is after how many bytes of the server's answer connection n is cut; connections beyond the list live.
    """

    def __init__(self, target: tuple[str, int], limits: list[int | None]):
        self.target = target
        self.limits = limits
        self.connection_count = 0
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "CuttingProxy":
        return self

    def __exit__(self, *_) -> None:
        self._listener.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.address[1]}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            number = self.connection_count
            self.connection_count += 1
            limit = self.limits[number] if number < len(self.limits) else None
            threading.Thread(target=self._serve, args=(client, limit), daemon=True).start()

    def _serve(self, client: socket.socket, limit: int | None) -> None:
        try:
            server = socket.create_connection(self.target)
        except OSError:
            client.close()
            return
        threading.Thread(target=self._forward_requests, args=(client, server), daemon=True).start()
        passed = 0
        try:
            while data := server.recv(65_536):
                if limit is not None and passed + len(data) >= limit:
                    client.sendall(data[: limit - passed])
                    break
                client.sendall(data)
                passed += len(data)
        except OSError:
            pass
        for end in (client, server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def _forward_requests(self, client: socket.socket, server: socket.socket) -> None:
        first = True
        try:
            while data := client.recv(65_536):
                if first:
                    self.requests.append(data)
                    first = False
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass
