"""A well-behaved client of the REST API."""

import http.client
import json
import secrets
from dataclasses import dataclass
from email.message import Message


@dataclass
class Response:
    status: int
    headers: Message
    body: bytes

    def json(self):
        return json.loads(self.body)

    def problem(self) -> dict:
        """The problem document of an error, after checking that it is one."""
        assert self.headers["Content-Type"] == "application/problem+json", self.headers["Content-Type"]
        problem = self.json()
        assert problem.get("type"), problem
        assert problem.get("requestID"), problem
        assert problem.get("status", self.status) == self.status, problem
        return problem

    def __str__(self) -> str:
        return f"{self.status} {self.body[:500]!r}"


def multipart_body(
    parts: list[tuple[str, str | None, str | None, bytes]], boundary: str | None = None
) -> tuple[bytes, str]:
    """Parts of (field name, file name, content type, content) as a body and its Content-Type."""
    boundary = boundary or f"boundary{secrets.token_hex(12)}"
    body = bytearray()
    for field, file_name, content_type, content in parts:
        disposition = f'form-data; name="{field}"' + (f'; filename="{file_name}"' if file_name is not None else "")
        body += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n".encode()
        if content_type is not None:
            body += f"Content-Type: {content_type}\r\n".encode()
        body += b"\r\n" + content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return bytes(body), f"multipart/form-data; boundary={boundary}"


class RESTClient:
    """Safe to use from several threads: every request has a connection of its own."""

    def __init__(self, address: tuple[str, int], timeout: float = 30):
        self.address = address
        self.timeout = timeout

    def request(self, method: str, path: str, body=None, headers: dict[str, str] = {}) -> Response:
        connection = http.client.HTTPConnection(*self.address, timeout=self.timeout)
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def request_json(self, method: str, path: str, document: object = None) -> Response:
        if document is None:
            return self.request(method, path)
        return self.request(method, path, json.dumps(document), {"Content-Type": "application/json"})

    # Files

    def upload(self, content: bytes, name: str = "file.bin", content_type: str = "application/octet-stream") -> dict:
        """Uploads as a form does, and returns what the server says of the file."""
        response = self.try_upload(content, name, content_type)
        assert response.status == 201, f"{response}"
        file = response.json()
        assert file["size"] == len(content), file
        return file

    def try_upload(
        self, content: bytes, name: str = "file.bin", content_type: str = "application/octet-stream", storage_class: str | None = None
    ) -> Response:
        body, form_type = multipart_body([("file", name, content_type, content)])
        path = f"/upload?storage-class={storage_class}" if storage_class else "/upload"
        return self.request("POST", path, body, {"Content-Type": form_type})

    def download(self, file_id: str) -> bytes:
        response = self.try_download(file_id)
        assert response.status == 200, f"{response}"
        return response.body

    def try_download(self, file_id: str, byte_range: str | None = None) -> Response:
        return self.request("GET", f"/download/{file_id}", headers={"Range": byte_range} if byte_range else {})

    def delete(self, file_id: str) -> None:
        response = self.request("DELETE", f"/files/{file_id}")
        assert response.status in (200, 204), f"{response}"

    def files(self) -> list[dict]:
        """All of them, page by page."""
        files: list[dict] = []
        cursor = None
        while True:
            response = self.request("GET", "/files?limit=1000" + (f"&cursor={cursor}" if cursor else ""))
            assert response.status == 200, f"{response}"
            page = response.json()
            files += page["files"]
            cursor = page.get("nextCursor")
            if not cursor:
                return files

    # The cluster

    def cluster(self) -> dict:
        response = self.request("GET", "/cluster")
        assert response.status == 200, f"{response}"
        return response.json()

    def node_states(self) -> dict[str, str]:
        """By address."""
        return {node["address"]: node["state"] for node in self.cluster()["nodes"]}

    def fragment_count(self) -> int:
        """Fragments on all nodes, as the nodes last said."""
        return sum(node["fragmentCount"] for node in self.cluster()["nodes"])

    def repair_queue_length(self) -> int:
        return self.cluster()["repairQueueLength"]

    def is_ready(self) -> bool:
        return self.request("GET", "/health/ready").status == 200
