"""The S3 API through boto3, and requests that boto3 would not send."""

import datetime
import hashlib
import hmac
import http.client
from urllib.parse import quote

ROOT = ("root-access-key", "root-secret-key-0123456789")


def root_environment() -> dict[str, str]:
    return {"CHUNKFLOW_ROOT_ACCESS_KEY": ROOT[0], "CHUNKFLOW_ROOT_SECRET_KEY": ROOT[1]}


def s3_client(address: tuple[str, int], key: tuple[str, str] = ROOT, **options):
    # Imported here: the other tests do not need it, and it is slow to load.
    import boto3
    from botocore.config import Config

    host, port = address
    # boto3 presigns with the second version of signatures unless it is told to use the fourth.
    settings = {"signature_version": "s3v4", "retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}, "connect_timeout": 10, "read_timeout": 40}
    return boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", aws_access_key_id=key[0], aws_secret_access_key=key[1],
        config=Config(**{**settings, **options}))


def error_of(call, *arguments, **named) -> tuple[int, str]:
    """The status and the code with which a call of boto3 is refused."""
    from botocore.exceptions import ClientError

    try:
        call(*arguments, **named)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    raise AssertionError("the call was not refused")


class Signer:
    """Signature V4 by hand, step by step, so that every step can be got wrong."""

    def __init__(self, key: tuple[str, str] = ROOT, region: str = "us-east-1", when: datetime.datetime | None = None):
        self.access, self.secret = key
        self.region = region
        self.when = when or datetime.datetime.now(datetime.timezone.utc)

    @property
    def time(self) -> str:
        return self.when.strftime("%Y%m%dT%H%M%SZ")

    @property
    def scope(self) -> str:
        return f"{self.time[:8]}/{self.region}/s3/aws4_request"

    def key(self) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key

    def sign(self, text: str) -> str:
        return hmac.new(self.key(), text.encode(), hashlib.sha256).hexdigest()

    def headers(self, method: str, host: str, path: str, payload: str, more: dict[str, str] = {}, query: str = "") -> dict[str, str]:
        headers = {"host": host, "x-amz-content-sha256": payload, "x-amz-date": self.time, **{name.lower(): value for name, value in more.items()}}
        names = ";".join(sorted(headers))
        canonical = "\n".join(
            [method, path, query, *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names, payload])
        text = f"AWS4-HMAC-SHA256\n{self.time}\n{self.scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        self.seed = self.sign(text)
        headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={self.access}/{self.scope}, SignedHeaders={names}, Signature={self.seed}"
        return headers

    def chunks(self, content: bytes, size: int, broken: int | None = None, trailer: tuple[str, str] | None = None) -> bytes:
        """`content` in signed chunks; the signature of chunk `broken` is wrong."""
        empty = hashlib.sha256(b"").hexdigest()
        previous, body = self.seed, b""
        pieces = [content[start : start + size] for start in range(0, len(content), size)] + [b""]
        for index, piece in enumerate(pieces):
            previous = self.sign(f"AWS4-HMAC-SHA256-PAYLOAD\n{self.time}\n{self.scope}\n{previous}\n{empty}\n{hashlib.sha256(piece).hexdigest()}")
            sent = previous if index != broken else previous[::-1]
            body += f"{len(piece):x};chunk-signature={sent}\r\n".encode() + piece
            if piece or not trailer:
                body += b"\r\n"
        if trailer:
            line = f"{trailer[0]}:{trailer[1]}"
            hashed = hashlib.sha256(f"{line}\n".encode()).hexdigest()
            signature = self.sign(f"AWS4-HMAC-SHA256-TRAILER\n{self.time}\n{self.scope}\n{previous}\n{hashed}")
            body += f"{line}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()
        return body


def send(address: tuple[str, int], method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*address, timeout=40)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None and "content-length" not in {name.lower() for name in headers}:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders()
        if body:
            connection.send(body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def path_of(bucket: str, key: str) -> str:
    return f"/{bucket}/{quote(key, safe='/~')}"
