"""Objects that forms of browsers send, and requests that are signed as they were before Signature V4."""

import base64
import datetime
import email.utils
import hashlib
import hmac
import itertools
import json
import re

import pytest
from harness import EmbeddedServer, Fleet, make_bytes
from harness.s3 import ROOT, error_of, root_environment, s3_client, send

MIB = 1 << 20
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server():
    with Fleet() as fleet:
        yield EmbeddedServer(fleet, ["--chunk-size", "1MiB"], **root_environment())


def form(fields: dict[str, str], content: bytes | None = b"content", name: str = "name.txt") -> tuple[dict[str, str], bytes]:
    boundary = "cHuNkFlOw"
    body = b""
    for field, value in fields.items():
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n'.encode() + value.encode() + b"\r\n"
    if content is not None:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + content + b"\r\n"
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body + f"--{boundary}--\r\n".encode()


def post(address, bucket: str, fields: dict[str, str], content: bytes | None = b"content", **more: str) -> tuple[int, bytes]:
    headers, body = form(fields, content, **more)
    return send(address, "POST", f"/{bucket}", {"host": f"{address[0]}:{address[1]}", **headers}, body)


def policy(bucket: str, *conditions, seconds: int = 60) -> str:
    expiration = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    document = {
        "expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"), "conditions": [{"bucket": bucket}, ["starts-with", "$key", "u/"], *conditions],
    }
    return base64.b64encode(json.dumps(document).encode()).decode()


def sign_v2(text: str, secret: str = ROOT[1]) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def signed(bucket: str, *conditions, key: str = "u/k", seconds: int = 60, **more: str) -> dict[str, str]:
    text = policy(bucket, *conditions, seconds=seconds)
    return {"key": key, "AWSAccessKeyId": ROOT[0], "policy": text, "signature": sign_v2(text), **more}


# Forms


def test_a_form_of_boto3_is_signature_v4(s3, bucket, address):
    content = make_bytes(3 * MIB + 7, "form")
    made = s3.generate_presigned_post(bucket, "u/${filename}", Conditions=[["content-length-range", 1, 4 * MIB]])
    assert post(address, bucket, made["fields"], content, name="C:\\x\\name.bin")[0] == 204
    assert s3.get_object(Bucket=bucket, Key="u/name.bin")["Body"].read() == content
    for field in ("policy", "x-amz-signature", "x-amz-credential"):
        altered = {**made["fields"], field: made["fields"][field][:-6] + "AAAAAA"}
        status, body = post(address, bucket, altered)
        assert status in (400, 403), (field, body)
    status, body = post(address, bucket, {**made["fields"], "acl": "public-read"})
    assert status == 403 and b"Extra input fields" in body
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["u/name.bin"]


def test_fields_are_what_headers_would_be(s3, bucket, address):
    digest = base64.b64encode(hashlib.sha256(b"content").digest()).decode()
    conditions = [["starts-with", f"${name}", ""] for name in ("Content-Type", "x-amz-meta-a", "tagging", "Cache-Control", "x-amz-storage-class")]
    more = {
        "Content-Type": "text/x-a", "x-amz-meta-a": "b", "tagging": "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
        "Cache-Control": "no-store", "x-amz-storage-class": "STANDARD_IA", "x-amz-checksum-sha256": digest, "x-ignore-me": "x",
    }
    assert post(address, bucket, signed(bucket, *conditions, **more))[0] == 204
    head = s3.head_object(Bucket=bucket, Key="u/k", ChecksumMode="ENABLED")
    assert (head["ContentType"], head["Metadata"], head["CacheControl"], head["StorageClass"]) == ("text/x-a", {"a": "b"}, "no-store", "STANDARD_IA")
    assert (head["ChecksumSHA256"], head["TagCount"]) == (digest, 1)
    status, body = post(address, bucket, signed(bucket, *conditions, **{**more, "x-amz-checksum-sha256": digest[::-1]}))
    assert status == 400 and b"BadDigest" in body


def test_answers_are_as_the_form_asks(s3, bucket, address):
    action = ["starts-with", "$success_action_status", ""]
    assert post(address, bucket, signed(bucket, action, success_action_status="200")) == (200, b"")
    assert post(address, bucket, signed(bucket, action, success_action_status="404")) == (204, b"")
    status, body = post(address, bucket, signed(bucket, action, key="u/a b", success_action_status="201"))
    assert status == 201 and b"<PostResponse>" in body and b"<Key>u/a b</Key>" in body and b"/u/a%20b</Location>" in body
    etag = hashlib.md5(b"content").hexdigest()
    for target, expected in [
        ("http://example.com/x", f"http://example.com/x?bucket={bucket}&key=u%2Fk&etag=%22{etag}%22"),
        ("http://example.com/?y=1", f"http://example.com/?y=1&bucket={bucket}&key=u%2Fk&etag=%22{etag}%22"),
        ("http://example.com/\r\nX: y", None), ("javascript:alert(1)", None),
    ]:
        headers, body = form(signed(bucket, ["starts-with", "$success_action_redirect", ""], success_action_redirect=target))
        status, found = redirected(address, bucket, headers, body)
        assert (status, found) == (303, expected) if expected else status == 204, target


def redirected(address, bucket: str, headers: dict[str, str], body: bytes) -> tuple[int, str | None]:
    import http.client

    connection = http.client.HTTPConnection(*address, timeout=40)
    try:
        connection.request("POST", f"/{bucket}", body, headers)
        response = connection.getresponse()
        response.read()
        return response.status, response.getheader("Location")
    finally:
        connection.close()


def test_what_a_form_must_not_do(s3, bucket, address):
    length = ["content-length-range", 3, 10]
    wrong = signed(bucket)
    cases = [
        ({**wrong, "signature": sign_v2(wrong["policy"], "other")}, b"content", 403, b"SignatureDoesNotMatch"),
        ({**wrong, "AWSAccessKeyId": "nobody"}, b"content", 403, b"InvalidAccessKeyId"),
        ({name: value for name, value in wrong.items() if name != "signature"}, b"content", 400, b"InvalidArgument"),
        ({name: value for name, value in wrong.items() if name != "key"}, b"content", 400, b"InvalidArgument"),
        ({**wrong, "policy": "x"}, b"content", 403, b"SignatureDoesNotMatch"),
        (signed(bucket, seconds=-1), b"content", 403, b"AccessDenied"), (signed("other-bucket"), b"content", 403, b"AccessDenied"),
        (signed(bucket, key="other/k"), b"content", 403, b"AccessDenied"), (signed(bucket, length), b"12", 400, b"EntityTooSmall"),
        (signed(bucket, length), b"12345678901", 400, b"EntityTooLarge"), (signed(bucket, {}), b"content", 400, b"InvalidPolicyDocument"),
        (wrong, None, 400, b"InvalidArgument"), ({"key": "u/k"}, b"content", 403, b"AccessDenied"),
        (signed(bucket, key="u/" + "k" * 1_023), b"content", 400, b"KeyTooLongError"),
        (signed(bucket, ["starts-with", "$x-amz-meta-a", ""], **{"x-amz-meta-a": "b\r\nSet-Cookie: c"}), b"content", 400, b"InvalidArgument"),
        ({**wrong, "x-ignore-a": "x" * 21_000}, b"content", 400, b"MaxPostPreDataLengthExceeded"),
    ]
    for fields, content, status, code in cases:
        answer = post(address, bucket, fields, content)
        assert (answer[0], code in answer[1]) == (status, True), (fields, answer)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    status, body = post(address, "no-such-bucket", signed("no-such-bucket"))
    assert status == 404 and b"NoSuchBucket" in body
    status, body = send(address, "POST", f"/{bucket}", {"host": "h", "content-type": "text/plain"}, b"x")
    assert status == 412


def test_a_form_that_is_cut_short_leaves_nothing(s3, bucket, address):
    headers, body = form(signed(bucket), make_bytes(2 * MIB, "cut"))
    status, answer = send(address, "POST", f"/{bucket}", {"host": "h", **headers}, body[: -len("\r\n--cHuNkFlOw--\r\n")])
    assert status == 400 and b"MalformedPOSTRequest" in answer
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_form_takes_the_default_retention_of_its_bucket(s3, address):
    name = f"forms-{next(numbers)}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=rule)
    assert post(address, name, signed(name))[0] == 204
    assert s3.head_object(Bucket=name, Key="u/k")["ObjectLockMode"] == "GOVERNANCE"


# Signature V2


def test_a_client_of_signature_v2_works(address, bucket):
    client = s3_client(address, signature_version="s3")
    own = f"forms-{next(numbers)}"
    client.create_bucket(Bucket=own)
    client.put_object(Bucket=bucket, Key="a b/ü", Body=b"content", Metadata={"b": "1", "a": "2"}, ContentType="text/x-a")
    assert client.get_object(Bucket=bucket, Key="a b/ü", ResponseContentType="a/b; c=d")["ContentType"] == "a/b; c=d"
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    named = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    part = {"PartNumber": 1, "ETag": client.upload_part(**named, PartNumber=1, Body=b"part")["ETag"]}
    client.complete_multipart_upload(**named, MultipartUpload={"Parts": [part]})
    assert len(client.list_objects_v2(Bucket=bucket, Prefix="a")["Contents"]) == 1
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "parts"}, {"Key": "a b/ü"}]})
    assert len(answer["Deleted"]) == 2
    wrong = s3_client(address, (ROOT[0], "x" * 40), signature_version="s3")
    assert error_of(wrong.list_buckets) == (403, "SignatureDoesNotMatch")
    assert error_of(s3_client(address, ("nobody", "x"), signature_version="s3").list_buckets) == (403, "InvalidAccessKeyId")


def test_a_request_of_signature_v2_has_a_date_that_is_now(address, bucket):
    now = datetime.datetime.now(datetime.timezone.utc)
    for minutes, status in [(0, 200), (-20, 403), (20, 403)]:
        date = email.utils.format_datetime(now + datetime.timedelta(minutes=minutes), usegmt=True)
        headers = {"host": "h", "date": date, "authorization": f"AWS {ROOT[0]}:" + sign_v2(f"GET\n\n\n{date}\n/{bucket}")}
        answer = send(address, "GET", f"/{bucket}", headers)
        assert answer[0] == status and (status == 200 or b"RequestTimeTooSkewed" in answer[1]), answer
    for date in ("", "Bad Date"):
        headers = {"host": "h", "x-amz-date": date, "date": email.utils.format_datetime(now, usegmt=True)}
        headers["authorization"] = f"AWS {ROOT[0]}:" + sign_v2(f"GET\n\n\n\nx-amz-date:{date}\n/{bucket}")
        status, body = send(address, "GET", f"/{bucket}", headers)
        assert status == 403 and b"AccessDenied" in body


@pytest.mark.parametrize("altered", [None, "key", "expires", "signature", "credential", "method", "header"])
def test_a_presigned_url_of_signature_v2_serves_as_it_is_and_not_altered(s3, bucket, address, altered):
    s3.put_object(Bucket=bucket, Key="k", Body=b"what is signed for")
    s3.put_object(Bucket=bucket, Key="other", Body=b"what is not")
    url = s3_client(address, signature_version="s3").generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    path = "/" + url.removeprefix("http://").split("/", 1)[1]
    assert "AWSAccessKeyId" in path
    changed = {
        "key": path.replace("/k?", "/other?"), "expires": re.sub(r"Expires=\d", "Expires=9", path), "credential": path.replace(ROOT[0], "nobody"),
        "signature": re.sub(r"Signature=..", "Signature=AA", path),
    }.get(altered, path)
    more = {"x-amz-meta-a": "b"} if altered == "header" else {}
    status, body = send(address, "DELETE" if altered == "method" else "GET", changed, {"host": "h", **more})
    if altered is None:
        assert (status, body) == (200, b"what is signed for")
    else:
        assert status in (400, 403) and b"what is" not in body


def test_a_presigned_url_of_signature_v2_expires(s3, bucket, address):
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    url = s3_client(address, signature_version="s3").generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=-5)
    status, body = send(address, "GET", "/" + url.removeprefix("http://").split("/", 1)[1], {"host": "h"})
    assert status == 403 and b"Request has expired" in body


@pytest.mark.parametrize("added", ["%61cl", "version%49d=null", "%74agging", "retention", "legal-hold", "attributes", "att%72ibutes"])
def test_nothing_is_added_to_a_presigned_url_of_signature_v2(s3, bucket, address, added):
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    for method, operation in [("GET", "get_object"), ("PUT", "put_object"), ("DELETE", "delete_object")]:
        url = s3_client(address, signature_version="s3").generate_presigned_url(operation, {"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
        path = "/" + url.removeprefix("http://").split("/", 1)[1]
        status, body = send(address, method, f"{path}&{added}", {"host": "h"}, b"" if method == "PUT" else None)
        # Or there is no such operation at all.
        assert status in (403, 405, 501), f"{method} {added}: {status} {body}"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"content"


@pytest.mark.parametrize("added", ["ownershipControls", "publicAccessBlock", "encryption", "policyStatus", "%70olicy"])
def test_nothing_is_added_to_a_presigned_url_of_a_bucket(s3, bucket, address, added):
    url = s3_client(address, signature_version="s3").generate_presigned_url("list_objects", {"Bucket": bucket}, ExpiresIn=60)
    path = "/" + url.removeprefix("http://").split("/", 1)[1]
    assert send(address, "GET", path, {"host": "h"})[0] == 200
    assert send(address, "GET", f"{path}&{added}", {"host": "h"})[0] == 403
