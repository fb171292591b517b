"""The S3 API as clients see it: boto3, and requests signed by hand."""

import base64
import datetime
import hashlib
import threading
import zlib
from urllib.parse import quote, unquote_to_bytes

import pytest
from harness import EmbeddedServer, Fleet, crc32c, make_bytes, run_client
from harness.s3 import ROOT, Signer, error_of, path_of, root_environment, s3_client, send

MIB = 1 << 20


@pytest.fixture(scope="module")
def server():
    with Fleet() as fleet:
        yield EmbeddedServer(fleet, ["--chunk-size", "1MiB"], **root_environment())


@pytest.fixture(scope="module")
def other(server, address):
    """Another account's client."""
    made = run_client(
        "account", "create", "--id", "other", "--display-name", "Other", "--email", "other@example.com", server=server.process.url,
        **root_environment())
    assert made.code == 0, f"{made}"
    pair = run_client("key", "create", "--account", "other", "--json", server=server.process.url, **root_environment()).json()
    return s3_client(address, (pair["accessKey"], pair["secretKey"]))


# Objects


@pytest.mark.parametrize("size", [0, 1, MIB, 3 * MIB + 5])
def test_an_object_comes_back_bit_for_bit_with_its_headers(s3, bucket, size):
    content = make_bytes(size, size)
    put = s3.put_object(
        Bucket=bucket, Key="a/b c", Body=content, ContentType="text/x-a", CacheControl="no-store", Metadata={"Colour": "red", "empty": ""})
    assert put["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="a/b c")
    assert got["Body"].read() == content
    assert (got["ContentType"], got["CacheControl"], got["Metadata"]) == ("text/x-a", "no-store", {"colour": "red", "empty": ""})
    head = s3.head_object(Bucket=bucket, Key="a/b c")
    assert (head["ContentLength"], head["ETag"]) == (size, put["ETag"])


@pytest.mark.parametrize("key", ["../../etc/passwd", "a//b/", "/", "line\nbreak", "🦊", "a+b%c", "ü", "x" * 1_024, ".", "?versionId"])
def test_any_key_is_a_key(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_key_of_1025_bytes_is_refused(s3, bucket):
    assert error_of(s3.put_object, Bucket=bucket, Key="k" * 1_025, Body=b"") == (400, "KeyTooLongError")


def test_ranges(s3, bucket):
    content = make_bytes(2 * MIB, "range")
    s3.put_object(Bucket=bucket, Key="k", Body=content)
    for text, part in [("bytes=4-7", content[4:8]), ("bytes=-7", content[-7:]), (f"bytes={MIB - 1}-{MIB}", content[MIB - 1 : MIB + 1])]:
        got = s3.get_object(Bucket=bucket, Key="k", Range=text)
        assert (got["Body"].read(), got["ResponseMetadata"]["HTTPStatusCode"]) == (part, 206)
    assert error_of(s3.get_object, Bucket=bucket, Key="k", Range=f"bytes={2 * MIB}-") == (416, "InvalidRange")


def test_conditions_of_reads_and_writes(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["ETag"]
    assert error_of(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag)[0] == 304
    assert error_of(s3.get_object, Bucket=bucket, Key="k", IfMatch='"x"') == (412, "PreconditionFailed")
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfNoneMatch="*") == (412, "PreconditionFailed")
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfMatch='"x"') == (412, "PreconditionFailed")
    assert error_of(s3.put_object, Bucket=bucket, Key="none", Body=b"two", IfMatch="*") == (404, "NoSuchKey")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"one"
    s3.put_object(Bucket=bucket, Key="k", Body=b"two", IfMatch=etag)
    s3.put_object(Bucket=bucket, Key="new", Body=b"new", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"two"


def test_of_many_who_want_to_be_first_one_is(s3, bucket):
    results = []

    def put(number: int):
        try:
            s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % number, IfNoneMatch="*")
            results.append(number)
        except Exception:
            pass

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 1
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"%d" % results[0]


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_checksums_are_verified_kept_and_given_back(s3, bucket, algorithm):
    digests = {
        "CRC32C": lambda content: crc32c(content).to_bytes(4, "big"), "CRC32": lambda content: zlib.crc32(content).to_bytes(4, "big"), "SHA1": lambda content: hashlib.sha1(content).digest(),
        "SHA256": lambda content: hashlib.sha256(content).digest(),
    }
    field = f"Checksum{algorithm}"
    good = base64.b64encode(digests[algorithm](b"content")).decode()
    wrong = base64.b64encode(digests[algorithm](b"other")).decode()
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"content", **{field: wrong}) == (400, "BadDigest")
    assert error_of(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"content", **{field: good})[field] == good
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[field] == good


def test_copies_have_the_same_bytes_and_outlive_their_source(s3, bucket):
    content = make_bytes(2 * MIB + 1, "copy")
    s3.put_object(Bucket=bucket, Key="source ü?", Body=content, ContentType="a/b", Metadata={"a": "1"})
    copied = s3.copy_object(Bucket=bucket, Key="target", CopySource={"Bucket": bucket, "Key": "source ü?"})
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'
    s3.delete_object(Bucket=bucket, Key="source ü?")
    got = s3.get_object(Bucket=bucket, Key="target")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (content, "a/b", {"a": "1"})
    same = {"Bucket": bucket, "Key": "target"}
    assert error_of(s3.copy_object, **same, CopySource=same) == (400, "InvalidRequest")
    s3.copy_object(**same, CopySource=same, MetadataDirective="REPLACE", Metadata={"b": "2"})
    assert s3.head_object(**same)["Metadata"] == {"b": "2"}


def test_an_object_that_is_overwritten_or_deleted_while_it_is_read_is_read_whole(s3, bucket):
    first, second = make_bytes(6 * MIB, 1), make_bytes(6 * MIB, 2)
    for change in (lambda: s3.put_object(Bucket=bucket, Key="k", Body=second), lambda: s3.delete_object(Bucket=bucket, Key="k")):
        s3.put_object(Bucket=bucket, Key="k", Body=first)
        body = s3.get_object(Bucket=bucket, Key="k")["Body"]
        start = body.read(1_000)
        change()
        assert start + body.read() == first


def test_tags(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="b=2&a")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "2"}]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    assert s3.head_object(Bucket=bucket, Key="k")["TagCount"] == 1
    many = [{"Key": f"{number}", "Value": ""} for number in range(11)]
    assert error_of(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": many}) == (400, "InvalidTag")
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    assert error_of(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "x", "Value": "y"}]


# Listing


def test_listings_page_through_keys_and_common_prefixes_in_byte_order(s3, bucket):
    keys = sorted(["a", "b/1", "b/2", "b/c/3", "b0", "d/", "z", "ü", "+", "a b"], key=str.encode)
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    for operation in ("list_objects", "list_objects_v2"):
        pages = s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
        assert [found["Key"] for page in pages for found in page.get("Contents", [])] == keys
        pages = list(s3.get_paginator(operation).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}))
        assert [found["Key"] for page in pages for found in page.get("Contents", [])] == [key for key in keys if "/" not in key]
        assert [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])] == ["b/", "d/"]
    page = s3.list_objects_v2(Bucket=bucket, Prefix="b/", Delimiter="/", StartAfter="b/1")
    assert ([found["Key"] for found in page["Contents"]], page["CommonPrefixes"], page["KeyCount"]) == (["b/2"], [{"Prefix": "b/c/"}], 2)
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["IsTruncated"] is False


# Versions


def test_versions_are_kept_listed_and_deleted_for_good(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"null")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % number)["VersionId"] for number in range(3)]
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    assert error_of(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
    listed = s3.list_object_versions(Bucket=bucket)
    assert [version["VersionId"] for version in listed["Versions"]] == versions[::-1] + ["null"]
    assert [found["IsLatest"] for found in listed["DeleteMarkers"]] == [True]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=versions[1])["Body"].read() == b"1"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=versions[2])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    assert error_of(s3.get_object, Bucket=bucket, Key="k", VersionId=versions[2]) == (404, "NoSuchVersion")
    assert error_of(s3.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")
    rest = [{"Key": "k", "VersionId": name} for name in (versions[0], versions[1], "null")]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": rest})
    assert len(answer["Deleted"]) == 3 and "Errors" not in answer
    s3.delete_bucket(Bucket=bucket)
    assert error_of(s3.head_bucket, Bucket=bucket)[0] == 404


# Multipart


def test_an_object_of_parts(s3, bucket):
    parts = [make_bytes(5 * MIB, 1), make_bytes(5 * MIB + 3, 2), make_bytes(10, 3)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ContentType="a/b", Metadata={"m": "1"})["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    s3.upload_part(**named, PartNumber=2, Body=b"replaced later")
    etags = [s3.upload_part(**named, PartNumber=number, Body=part)["ETag"] for number, part in enumerate(parts, 1)]
    s3.upload_part(**named, PartNumber=9, Body=b"not named")
    assert [part["Size"] for part in s3.list_parts(**named)["Parts"]] == [len(part) for part in parts] + [9]
    assert [found["UploadId"] for found in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    assert error_of(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
    listed = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]

    def complete(parts):
        return s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})

    assert error_of(complete, listed[::-1]) == (400, "InvalidPartOrder")
    assert error_of(complete, [*listed, {"PartNumber": 10, "ETag": etags[0]}]) == (400, "InvalidPart")
    assert error_of(complete, [{"PartNumber": 1, "ETag": etags[1]}]) == (400, "InvalidPart")
    done = complete(listed)
    expected = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest() + "-3"
    assert done["ETag"] == f'"{expected}"'
    assert complete(listed)["ETag"] == done["ETag"], "a completion that is repeated is answered the same"
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"".join(parts), "a/b", {"m": "1"})
    second = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert (second["Body"].read(), second["PartsCount"]) == (parts[1], 3)
    assert error_of(s3.upload_part, **named, PartNumber=1, Body=b"") == (404, "NoSuchUpload")


def test_parts_that_are_too_small_are_refused_and_an_abort_leaves_nothing(s3, bucket, server):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    parts = [{"PartNumber": number, "ETag": s3.upload_part(**named, PartNumber=number, Body=b"small")["ETag"]} for number in (1, 2)]
    assert error_of(s3.complete_multipart_upload, **named, MultipartUpload={"Parts": parts}) == (400, "EntityTooSmall")
    assert error_of(s3.upload_part, **named, PartNumber=10_001, Body=b"") == (400, "InvalidArgument")
    s3.abort_multipart_upload(**named)
    assert error_of(s3.list_parts, **named) == (404, "NoSuchUpload")
    s3.delete_bucket(Bucket=bucket)


def test_a_part_is_copied_from_a_range(s3, bucket):
    content = make_bytes(6 * MIB, "source")
    s3.put_object(Bucket=bucket, Key="source", Body=content)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    source = {"Bucket": bucket, "Key": "source"}
    etags = [
        s3.upload_part_copy(**named, PartNumber=number, CopySource=source, CopySourceRange=text)["CopyPartResult"]["ETag"]
        for number, text in ((1, f"bytes=0-{5 * MIB - 1}"), (2, "bytes=7-9"))
    ]
    assert error_of(s3.upload_part_copy, **named, PartNumber=3, CopySource=source, CopySourceRange=f"bytes=0-{6 * MIB}")[0] == 416
    assert error_of(s3.upload_part_copy, **named, PartNumber=3, CopySource=source, CopySourceRange="bytes=5") == (400, "InvalidArgument")
    s3.complete_multipart_upload(
        **named, MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == content[: 5 * MIB] + content[7:10]


def test_of_two_completions_at_once_one_object_comes_and_both_are_answered(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    parts = [{"PartNumber": 1, "ETag": s3.upload_part(**named, PartNumber=1, Body=b"part")["ETag"]}]
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})["ETag"]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4 and len(set(answers)) == 1
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"part"


# Signatures


def test_wrong_keys_signatures_and_times_are_refused(address, bucket):
    assert error_of(s3_client(address, ("nobody", "x" * 40)).list_buckets) == (403, "InvalidAccessKeyId")
    assert error_of(s3_client(address, (ROOT[0], "x" * 40)).list_buckets) == (403, "SignatureDoesNotMatch")
    now = datetime.datetime.now(datetime.timezone.utc)
    for minutes in (-20, 20):
        signer = Signer(when=now + datetime.timedelta(minutes=minutes))
        headers = signer.headers("GET", "h", "/", "UNSIGNED-PAYLOAD")
        status, body = send(address, "GET", "/", headers)
        assert status == 403 and b"RequestTimeTooSkewed" in body
    status, body = send(address, "GET", "/", Signer().headers("GET", "h", "/", "UNSIGNED-PAYLOAD"))
    assert status == 200


def test_nobody_gets_anything_without_a_signature(address, bucket, s3):
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret")
    for method, path in [("GET", "/"), ("GET", f"/{bucket}"), ("GET", f"/{bucket}/k"), ("PUT", f"/{bucket}/n"), ("DELETE", f"/{bucket}/k")]:
        status, body = send(address, method, path, {"host": "h"})
        assert status == 403 and b"AccessDenied" in body and b"secret" not in body, (method, path)


def test_another_account_gets_nothing(other, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret")
    for call, more in [
        (other.list_objects_v2, {}), (other.get_object, {"Key": "k"}), (other.put_object, {"Key": "n", "Body": b""}),
        (other.delete_object, {"Key": "k"}), (other.delete_bucket, {}), (other.head_bucket, {}),
        (other.put_bucket_versioning, {"VersioningConfiguration": {"Status": "Enabled"}}),
    ]:
        assert error_of(call, Bucket=bucket, **more)[0] == 403
    assert error_of(other.copy_object, Bucket=bucket, Key="n", CopySource={"Bucket": bucket, "Key": "k"})[0] == 403
    assert error_of(other.create_bucket, Bucket=bucket) == (409, "BucketAlreadyExists")
    other.create_bucket(Bucket="others-own")
    assert error_of(other.copy_object, Bucket="others-own", Key="n", CopySource={"Bucket": bucket, "Key": "k"})[0] == 403
    assert [found["Name"] for found in other.list_buckets()["Buckets"]] == ["others-own"]
    assert "others-own" not in [found["Name"] for found in s3.list_buckets()["Buckets"]]


def test_a_key_that_is_disabled_signs_no_more(server, address):
    made = run_client(
        "account", "create", "--id", "brief", "--display-name", "Brief", "--email", "brief@example.com", server=server.process.url,
        **root_environment())
    assert made.code == 0, f"{made}"
    key = ("AKBRIEF", "secret/with+signs=")
    run = lambda *words: run_client(*words, server=server.process.url, **root_environment())
    assert run("key", "create", "--account", "brief", "--access-key", key[0], "--secret-key", key[1]).code == 0
    client = s3_client(address, key)
    client.list_buckets()
    assert run("key", "disable", key[0]).code == 0
    assert error_of(client.list_buckets) == (403, "InvalidAccessKeyId")
    assert run("key", "enable", key[0]).code == 0
    client.list_buckets()
    assert run("key", "delete", key[0]).code == 0
    assert error_of(client.list_buckets) == (403, "InvalidAccessKeyId")
    assert run("key", "list", "--account", "nobody").code != 0
    wrong = run_client("account", "ls", server=server.process.url, CHUNKFLOW_ROOT_ACCESS_KEY=ROOT[0], CHUNKFLOW_ROOT_SECRET_KEY="wrong-secret")
    assert wrong.code != 0 and "403" in wrong.errors


@pytest.mark.parametrize("altered", ["key", "expires", "signature", "date", "credential", "method"])
def test_a_presigned_url_serves_as_it_is_and_not_altered(s3, bucket, address, altered):
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    s3.put_object(Bucket=bucket, Key="other", Body=b"hidden")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    host, path = url.removeprefix("http://").split("/", 1)
    path = f"/{path}"
    assert send(address, "GET", path, {"host": host}) == (200, b"content")
    changed = {
        "key": path.replace("/k?", "/other?"), "expires": path.replace("Expires=60", "Expires=600"), "signature": path[:-1] + ("0" if path[-1] != "0" else "1"),
        "date": path.replace("X-Amz-Date=2", "X-Amz-Date=3"), "credential": path.replace(ROOT[0], "nobody"), "method": path,
    }[altered]
    status, body = send(address, "DELETE" if altered == "method" else "GET", changed, {"host": host})
    assert status in (400, 403) and b"content" not in body and b"hidden" not in body


def test_a_presigned_url_expires(address, bucket, s3):
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    for seconds, code in [(0, b"AccessDenied"), (-7, b"AccessDenied"), (700_000, b"Authorization")]:
        url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=seconds)
        host, path = url.removeprefix("http://").split("/", 1)
        status, body = send(address, "GET", f"/{path}", {"host": host})
        assert status in (400, 403) and code in body


def chunked(signer, address, bucket, content, size, declared=None, payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD", more={}, **options):
    host = f"{address[0]}:{address[1]}"
    path = path_of(bucket, "chunked")
    headers = signer.headers(
        "PUT", host, path, payload,
        {"x-amz-decoded-content-length": str(len(content) if declared is None else declared), "content-encoding": "aws-chunked", **more})
    return send(address, "PUT", path, headers, signer.chunks(content, size, **options))


def test_a_body_of_signed_chunks_is_stored_without_its_framing(address, bucket, s3):
    content = make_bytes(200_000, "chunks")
    assert chunked(Signer(), address, bucket, content, 65_536)[0] == 200
    got = s3.get_object(Bucket=bucket, Key="chunked")
    assert got["Body"].read() == content and "ContentEncoding" not in got


@pytest.mark.parametrize("broken", [0, 1, 3])
def test_a_chunk_with_a_broken_signature_leaves_nothing(address, bucket, s3, broken):
    status, body = chunked(Signer(), address, bucket, make_bytes(200_000, "chunks"), 65_536, broken=broken)
    assert status == 403 and b"SignatureDoesNotMatch" in body
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_signed_trailer_is_verified(address, bucket, s3):
    content = make_bytes(100_000, "trailer")
    crc = base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
    more = {"x-amz-trailer": "x-amz-checksum-crc32"}
    payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    status, _ = chunked(Signer(), address, bucket, content, 65_536, payload=payload, more=more, trailer=("x-amz-checksum-crc32", crc))
    assert status == 200
    assert s3.head_object(Bucket=bucket, Key="chunked", ChecksumMode="ENABLED")["ChecksumCRC32"] == crc
    s3.delete_object(Bucket=bucket, Key="chunked")
    status, body = chunked(Signer(), address, bucket, content, 65_536, payload=payload, more=more, trailer=("x-amz-checksum-crc32", "AAAAAA=="))
    assert status == 400 and b"BadDigest" in body
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("declared", [99_999, 100_001])
def test_a_chunked_body_of_another_length_leaves_nothing(address, bucket, s3, declared):
    assert chunked(Signer(), address, bucket, make_bytes(100_000, "length"), 65_536, declared=declared)[0] == 400
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_body_that_is_not_the_one_that_was_signed_leaves_nothing(address, bucket, s3):
    path = path_of(bucket, "k")
    headers = Signer().headers("PUT", "h", path, hashlib.sha256(b"signed").hexdigest())
    status, body = send(address, "PUT", path, headers, b"change")
    assert status == 400 and b"XAmzContentSHA256Mismatch" in body
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


# Bad input


def test_an_expectation_that_nobody_knows_of_counts_for_nothing(address, s3, bucket):
    for expected in ("200-ok", ""):
        path = path_of(bucket, "k")
        headers = Signer().headers("PUT", "h", path, hashlib.sha256(b"content").hexdigest())
        assert send(address, "PUT", path, {**headers, "expect": expected}, b"content")[0] == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"content"


@pytest.mark.parametrize("name", ["a", "A_b", "192.168.1.1", "xn--a", "a..b", "-ab", "files"])
def test_names_that_buckets_cannot_have(address, name):
    path = f"/{name}"
    status, body = send(address, "PUT", path, Signer().headers("PUT", "h", path, "UNSIGNED-PAYLOAD"))
    assert status == 400 and b"InvalidBucketName" in body


@pytest.mark.parametrize(
    "document",
    [
        b"", b"<Delete>", b"<Delete></Delete>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><Delete><Object><Key>&b;</Key></Object></Delete>",
        b"<Delete>" + b"<a>" * 1_000 + b"</a>" * 1_000 + b"</Delete>", b"<Other/>", b"\xff\xfe",
        b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1_001 + b"</Delete>",
    ])
def test_documents_that_are_none_are_refused(address, bucket, document):
    # The query is part of what is signed; by hand the path alone is.
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    url = f"http://{address[0]}:{address[1]}/{bucket}?delete"
    request = AWSRequest("POST", url, data=document, headers={"x-amz-content-sha256": hashlib.sha256(document).hexdigest()})
    SigV4Auth(Credentials(*ROOT), "s3", "us-east-1").add_auth(request)
    status, body = send(address, "POST", f"/{bucket}?delete", {"host": f"{address[0]}:{address[1]}", **dict(request.headers)}, document)
    assert status == 400 and b"<Code>MalformedXML</Code>" in body


def test_ten_megabytes_of_xml_are_refused(address, bucket):
    path = f"/{bucket}"
    document = b"<CreateBucketConfiguration>" + b" " * (10 * MIB) + b"</CreateBucketConfiguration>"
    status, body = send(address, "PUT", path, Signer().headers("PUT", "h", path, hashlib.sha256(document).hexdigest()), document)
    assert status == 400 and b"EntityTooLarge" in body


def test_what_is_not_there_says_so(s3, bucket):
    for call, more in [
        (s3.get_bucket_website, {}), (s3.get_bucket_logging, {}), (s3.get_bucket_replication, {}),
        (s3.put_object, {"Key": "k", "Body": b"", "ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": "k"}),
    ]:
        assert error_of(call, Bucket=bucket, **more) == (501, "NotImplemented")


# Attributes


def test_what_attributes_say(s3, bucket):
    asked = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    content = make_bytes(1_000, "attributes")
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    put = s3.put_object(Bucket=bucket, Key="k", Body=content, ChecksumAlgorithm="SHA256")
    said = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=asked)
    assert said["ETag"] == put["ETag"].strip('"') and (said["ObjectSize"], said["StorageClass"]) == (1_000, "STANDARD")
    assert said["Checksum"] == {"ChecksumSHA256": digest, "ChecksumType": "FULL_OBJECT"} and "ObjectParts" not in said
    assert said["LastModified"] == s3.head_object(Bucket=bucket, Key="k")["LastModified"] and "VersionId" not in said
    only = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert not {"ETag", "Checksum", "StorageClass"} & only.keys()
    assert error_of(s3.get_object_attributes, Bucket=bucket, Key="none", ObjectAttributes=asked) == (404, "NoSuchKey")
    assert error_of(s3.get_object_attributes, Bucket=bucket, Key="k", ObjectAttributes=["Colour"]) == (400, "InvalidArgument")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    named = {"Bucket": bucket, "Key": "parts"}
    named["UploadId"] = s3.create_multipart_upload(**named, ChecksumAlgorithm="SHA256")["UploadId"]
    contents = {2: make_bytes(5 * MIB, 2), 5: make_bytes(5 * MIB, 5), 6: b"end"}
    digests = {number: hashlib.sha256(part).digest() for number, part in contents.items()}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**named, PartNumber=number, Body=part, ChecksumAlgorithm="SHA256")["ETag"]}
        for number, part in contents.items()]
    version = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})["VersionId"]
    whole = base64.b64encode(hashlib.sha256(b"".join(digests.values())).digest()).decode()
    for more, numbers_of_page, next_marker, is_truncated in [
        ({}, [2, 5, 6], 6, False), ({"MaxParts": 1}, [2], 2, True), ({"MaxParts": 1, "PartNumberMarker": 2}, [5], 5, True),
        ({"MaxParts": 2, "PartNumberMarker": 2}, [5, 6], 6, False), ({"PartNumberMarker": 6}, [], 0, False),
    ]:
        said = s3.get_object_attributes(Bucket=bucket, Key="parts", VersionId=version, ObjectAttributes=asked, **more)
        assert said["Checksum"] == {"ChecksumSHA256": f"{whole}-3", "ChecksumType": "COMPOSITE"} and said["VersionId"] == version
        page = said["ObjectParts"]
        assert (page["TotalPartsCount"], page["IsTruncated"], page["NextPartNumberMarker"]) == (3, is_truncated, next_marker), more
        assert page.get("Parts", []) == [
            {"PartNumber": number, "Size": len(contents[number]), "ChecksumSHA256": base64.b64encode(digests[number]).decode()}
            for number in numbers_of_page]


# Beside REST


def test_what_rest_uploaded_is_an_object_of_the_bucket_files(server, s3):
    content = make_bytes(300_000, "rest")
    file = server.rest.upload(content)
    got = s3.get_object(Bucket="files", Key=file["fileID"])
    assert got["Body"].read() == content and got["ETag"].strip('"') == file["etag"]
    assert "files" in [found["Name"] for found in s3.list_buckets()["Buckets"]]


def test_objects_stay_across_a_restart(fleet):
    server = EmbeddedServer(fleet, **root_environment())
    s3 = s3_client(server.process.listeners["s3"])
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="k", Body=b"content")
    server.process.kill()
    server.process.start()
    s3 = s3_client(server.process.listeners["s3"])
    assert s3.get_object(Bucket="kept", Key="k")["Body"].read() == b"content"


# Buckets


def test_where_a_bucket_is(s3, server):
    s3.create_bucket(Bucket="here")
    s3.create_bucket(Bucket="there", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    assert s3.get_bucket_location(Bucket="here")["LocationConstraint"] is None
    assert s3.get_bucket_location(Bucket="there")["LocationConstraint"] == "eu-west-3"
    assert s3.head_bucket(Bucket="here")["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"


def test_buckets_are_listed_on_pages(s3):
    names = [f"page-{number:02}" for number in range(7)]
    for name in reversed(names):
        s3.create_bucket(Bucket=name)
    found, more = [], {}
    while True:
        page = s3.list_buckets(Prefix="page-", MaxBuckets=3, **more)
        assert len(page["Buckets"]) <= 3
        found += [bucket["Name"] for bucket in page["Buckets"]]
        if "ContinuationToken" not in page:
            break
        more = {"ContinuationToken": page["ContinuationToken"]}
    assert found == names
    assert not any(bucket["Name"].startswith(".") for bucket in s3.list_buckets()["Buckets"]), "the store's own are nobody's business"
    assert error_of(s3.list_objects_v2, Bucket=".metadata")[0] in (400, 404)


# What clients should not send


def test_a_key_that_is_no_text_or_has_a_nul_is_refused(address, s3, bucket):
    for key in ("a%00b", "%FF", "a%C3", "%ED%A0%80", "%zz"):
        path = f"/{bucket}/{key}"
        status, body = send(address, "PUT", path, Signer().headers("PUT", "h", path, "UNSIGNED-PAYLOAD"), b"content")
        assert status == 400 and b"<Code>InvalidURI</Code>" in body, f"{key}: {status} {body}"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a%00b", "a%0d%0ax-injected:%20y", "a'%20OR%20'1'='1", "%24%7Bjndi%7D", "a%2Fb", ".metadata"])
def test_a_buckets_name_is_nothing_but_a_name(address, name):
    path = f"/{name}"
    canonical = quote(unquote_to_bytes(path), safe="/-_.~")
    for method in ("PUT", "GET", "DELETE"):
        status, body = send(address, method, path, Signer().headers(method, "h", canonical, "UNSIGNED-PAYLOAD"))
        assert status in (400, 404), f"{method} {name}: {status} {body}"
        assert b"\r" not in body, "a name is escaped where it is shown"


def test_a_flood_of_headers_is_refused_and_the_server_lives(address, bucket, s3):
    path = path_of(bucket, "k")
    many = Signer().headers("PUT", "h", path, "UNSIGNED-PAYLOAD", {f"x-amz-meta-{number}": "y" * 100 for number in range(2_000)})
    try:
        status, _ = send(address, "PUT", path, many, b"content")
        assert status in (400, 431)
    except (BrokenPipeError, ConnectionResetError):
        pass  # It was answered, and closed, before all of it was sent.
    large = Signer().headers("PUT", "h", path, "UNSIGNED-PAYLOAD", {"x-amz-meta-large": "y" * 3_000})
    status, body = send(address, "PUT", path, large, b"content")
    assert status == 400 and b"MetadataTooLarge" in body
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_an_announced_trailer_that_does_not_come_leaves_nothing(address, bucket, s3):
    path = path_of(bucket, "k")
    body = b"7\r\ncontent\r\n0\r\n\r\n"
    headers = Signer().headers(
        "PUT", "h", path, "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        {"x-amz-decoded-content-length": "7", "content-encoding": "aws-chunked", "x-amz-trailer": "x-amz-checksum-crc32"})
    status, answer = send(address, "PUT", path, headers, body)
    assert status == 400 and b"InvalidRequest" in answer
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_completion_names_parts_that_are_there_in_their_order(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    etags = {number: s3.upload_part(**named, PartNumber=number, Body=make_bytes(5 * MIB, number))["ETag"] for number in (1, 2)}

    def complete(*parts):
        return error_of(s3.complete_multipart_upload, **named, MultipartUpload={"Parts": [{"PartNumber": n, "ETag": e} for n, e in parts]})

    assert complete((1, etags[1]), (3, etags[2])) == (400, "InvalidPart")
    assert complete((1, etags[2])) == (400, "InvalidPart")
    assert complete((2, etags[2]), (1, etags[1])) == (400, "InvalidPartOrder")
    assert complete((1, etags[1]), (10_001, etags[2])) == (400, "InvalidArgument")
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": etags[2]}]})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == make_bytes(5 * MIB, 2)


def test_a_name_of_the_server_has_buckets_before_it(fleet):
    server = EmbeddedServer(fleet, ["--s3-domain", "s3.example.com,other.example"], **root_environment())
    address = server.process.listeners["s3"]
    s3_client(address).create_bucket(Bucket="hosted")
    host = "hosted.s3.example.com"
    assert send(address, "PUT", "/a/b", Signer().headers("PUT", host, "/a/b", "UNSIGNED-PAYLOAD"), b"content")[0] == 200
    assert s3_client(address).get_object(Bucket="hosted", Key="a/b")["Body"].read() == b"content"
    host = "HOSTED.other.example:9000"
    assert send(address, "GET", "/a/b", Signer().headers("GET", host, "/a/b", "UNSIGNED-PAYLOAD")) == (200, b"content")


# Through the REST API


def test_what_everybody_may_read_the_rest_api_gives(s3, bucket, server):
    s3.put_object(Bucket=bucket, Key="a/b c", Body=b"content", ContentType="text/html", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="mine", Body=b"hidden")
    path = f"/objects/{bucket}?key=" + quote("a/b c", safe="")
    found = server.rest.request("GET", path)
    assert (found.status, found.body) == (200, b"content")
    assert found.headers["Content-Type"] == "text/html" and found.headers["Content-Security-Policy"] == "sandbox"
    assert server.rest.request("GET", path, headers={"Range": "bytes=1-3"}).body == b"ont"
    assert server.rest.request("GET", path, headers={"If-None-Match": found.headers["ETag"]}).status == 304
    assert server.rest.request("HEAD", path).headers["Content-Length"] == "7"
    for other, status, kind in [
        (f"/objects/{bucket}?key=mine", 403, "object-not-public"), (f"/objects/{bucket}?key=none", 403, "object-not-public"),
        ("/objects/none-such?key=a", 404, "object-not-found"), (f"/objects/{bucket}", 400, "malformed-request"),
    ]:
        refused = server.rest.request("GET", other)
        assert refused.status == status and refused.problem()["type"].endswith(kind), f"{other}: {refused}"


def test_a_range_of_what_has_changed_since_is_the_whole(s3, bucket, address, server):
    s3.put_object(Bucket=bucket, Key="k", Body=b"content", ACL="public-read")
    etag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    path = f"/{bucket}/k"
    assert send(address, "GET", path, {"host": "h", "range": "bytes=2-3", "if-range": etag}) == (206, b"nt")
    assert send(address, "GET", path, {"host": "h", "range": "bytes=2-3", "if-range": '"another"'}) == (200, b"content")


def test_a_condition_of_a_deletion_that_cannot_be_read_deletes_nothing(s3, bucket, address):
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    path = path_of(bucket, "k")
    for name, value in [("x-amz-if-match-size", "7k"), ("x-amz-if-match-last-modified-time", "yesterday")]:
        status, body = send(address, "DELETE", path, Signer().headers("DELETE", "h", path, "UNSIGNED-PAYLOAD", {name: value}))
        assert status == 400 and b"InvalidArgument" in body
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    document = "<Delete><Object><Key>k</Key><LastModifiedTime>%s</LastModifiedTime></Object></Delete>"
    for text, is_deleted in [("yesterday", False), ("2020-01-01T00:00:00Z", False), (modified.strftime("%Y-%m-%dT%H:%M:%SZ"), True)]:
        headers = Signer().headers("POST", "h", f"/{bucket}", "UNSIGNED-PAYLOAD", query="delete=")
        status, body = send(address, "POST", f"/{bucket}?delete", headers, (document % text).encode())
        assert status == 200 and (b"<Deleted>" in body) == is_deleted, f"{text}: {body}"
    assert error_of(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")


def test_a_bucket_is_in_a_region_and_not_in_a_text(s3):
    for location in ("a b", "x" * 65, "<x>"):
        refused = error_of(s3.create_bucket, Bucket="nowhere", CreateBucketConfiguration={"LocationConstraint": location})
        assert refused == (400, "InvalidLocationConstraint"), location
