"""Encryption at rest through the S3 API: SSE-S3, SSE-KMS, SSE-C, the default of a bucket, and what happens to lost keys."""

import base64
import hashlib
import random
import shutil
import sqlite3
import stat

import pytest
from harness import EmbeddedServer, Fleet, make_bytes
from harness.s3 import error_of, root_environment, s3_client

MIB = 1 << 20
SEGMENT = 64 << 10
KEYS = {name: base64.b64encode(hashlib.sha256(name.encode()).digest()).decode() for name in ("first-key", "second-key")}


def customer(name: str, prefix: str = "") -> dict[str, str]:
    """The arguments that name a client's key."""
    key = hashlib.sha256(name.encode()).digest()
    return {
        f"{prefix}SSECustomerAlgorithm": "AES256", f"{prefix}SSECustomerKey": base64.b64encode(key).decode(),
        f"{prefix}SSECustomerKeyMD5": base64.b64encode(hashlib.md5(key).digest()).decode(),
    }


# The arguments of a request that writes, those of one that reads, and those of a copy that reads.
MODES = {
    "none": ({}, {}, {}),
    "sse-s3": ({"ServerSideEncryption": "AES256"}, {}, {}),
    "sse-kms": ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "first-key"}, {}, {}),
    "sse-c": (customer("a"), customer("a"), customer("a", "CopySource")),
}
ENCRYPTED = [mode for mode in MODES if mode != "none"]


def write_keys(path, keys=KEYS) -> str:
    path.write_text("".join(f"{name}: {key}\n" for name, key in keys.items()))
    return str(path)


@pytest.fixture(scope="module")
def server():
    with Fleet() as fleet:
        keys = write_keys(fleet.directory / "keys.yaml")
        yield EmbeddedServer(fleet, ["--chunk-size", "1MiB", "--kms-keys-file", keys, "--durability", "none"], **root_environment())


def says(answer: dict, mode: str) -> bool:
    """Whether an answer says of the encryption what it should."""
    # Not as boto3 has it, whose model of some answers leaves them out.
    prefix = "x-amz-server-side-encryption"
    found = {name.removeprefix(prefix): value for name, value in answer["ResponseMetadata"]["HTTPHeaders"].items() if name.startswith(prefix)}
    return found == {
        "none": {}, "sse-s3": {"": "AES256"}, "sse-kms": {"": "aws:kms", "-aws-kms-key-id": "first-key"},
        "sse-c": {"-customer-algorithm": "AES256", "-customer-key-md5": customer("a")["SSECustomerKeyMD5"]},
    }[mode]


@pytest.mark.parametrize("mode", ENCRYPTED)
@pytest.mark.parametrize("size", [0, 1, SEGMENT, SEGMENT + 1, 2 * MIB + 3])
def test_objects_come_back_whole_and_by_ranges(s3, bucket, mode, size):
    write, read, _ = MODES[mode]
    content = make_bytes(size, size)
    put = s3.put_object(Bucket=bucket, Key="a/b", Body=content, Metadata={"m": "1"}, **write)
    assert says(put, mode)
    plain_tag = f'"{hashlib.md5(content).hexdigest()}"'
    assert (put["ETag"] == plain_tag) == (mode == "sse-s3")
    got = s3.get_object(Bucket=bucket, Key="a/b", **read)
    assert says(got, mode) and got["Body"].read() == content and got["ETag"] == put["ETag"] and got["Metadata"] == {"m": "1"}
    head = s3.head_object(Bucket=bucket, Key="a/b", **read)
    assert says(head, mode) and head["ContentLength"] == size
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == size
    chance = random.Random(size)
    edges = [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, MIB, size - 1]
    for _ in range(4 if size else 0):
        start = min(chance.choice([*edges, chance.randrange(size)]), size - 1)
        end = min(chance.choice([*edges, chance.randrange(size)]) + start, size - 1)
        part = s3.get_object(Bucket=bucket, Key="a/b", Range=f"bytes={start}-{end}", **read)
        assert part["Body"].read() == content[start : end + 1], (start, end)


def test_no_plain_text_is_on_any_disk(server, s3, bucket):
    mark = b"a text that must not be seen on any disk; " * 40
    for mode in ENCRYPTED:
        s3.put_object(Bucket=bucket, Key=mode, Body=mark + make_bytes(2 * MIB, mode) + mark, **MODES[mode][0])
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", **MODES["sse-s3"][0])["UploadId"]
    s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=mark)
    seen = b"a text that may be seen on a disk"
    s3.put_object(Bucket=bucket, Key="plain", Body=seen)
    files = [path for path in server.process.data.rglob("*") if path.is_file()]
    contents = [path.read_bytes() for path in files]
    assert any(seen in content for content in contents), "where objects are"
    assert not any(mark[:40] in content for content in contents)
    for mode in ("a", *KEYS):
        key = hashlib.sha256(mode.encode()).digest()
        for form in (key, base64.b64encode(key), key.hex().encode(), base64.b64encode(hashlib.md5(key).digest())):
            assert not any(form in content for content in contents), f"a key is kept: {mode}"


def test_a_clients_key_must_be_the_same(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret", **customer("a"))
    s3.put_object(Bucket=bucket, Key="plain", Body=b"plain")
    for call in (s3.get_object, s3.head_object):
        assert error_of(call, Bucket=bucket, Key="k")[0] == 400
        assert error_of(call, Bucket=bucket, Key="k", **customer("b"))[0] == 400
        assert error_of(call, Bucket=bucket, Key="plain", **customer("a"))[0] == 400
    attributes = {"Bucket": bucket, "Key": "k", "ObjectAttributes": ["ObjectSize"]}
    assert error_of(s3.get_object_attributes, **attributes) == (400, "InvalidRequest")
    assert error_of(s3.get_object_attributes, **attributes, **customer("b")) == (400, "InvalidRequest")
    assert s3.get_object_attributes(**attributes, **customer("a"))["ObjectSize"] == 6
    wrong = {**customer("a"), "SSECustomerKeyMD5": customer("b")["SSECustomerKeyMD5"]}
    assert error_of(s3.put_object, Bucket=bucket, Key="x", Body=b"", **wrong) == (400, "InvalidArgument")


def test_what_contradicts_itself_is_refused(s3, bucket):
    put = {"Bucket": bucket, "Key": "k", "Body": b"x"}
    assert error_of(s3.put_object, **put, ServerSideEncryption="AES256", **customer("a")) == (400, "InvalidArgument")
    assert error_of(s3.put_object, **put, ServerSideEncryption="AES256", SSEKMSKeyId="first-key") == (400, "InvalidArgument")
    assert error_of(s3.put_object, **put, ServerSideEncryption="aws:kms") == (400, "InvalidArgument")
    assert error_of(s3.put_object, **put, ServerSideEncryption="aws:kms", SSEKMSKeyId="no-key") == (400, "KMS.NotFoundException")
    assert error_of(s3.put_object, **put, ServerSideEncryption="aes:kms") == (400, "InvalidArgument")
    assert error_of(s3.put_object, **put, SSEKMSKeyId="first-key") == (400, "InvalidArgument")
    assert error_of(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
    s3.put_object(**put)

    def declare(params, **_):
        params["headers"]["x-amz-server-side-encryption"] = "AES256"

    for operation, call in (("GetObject", s3.get_object), ("HeadObject", s3.head_object)):
        s3.meta.events.register(f"before-call.s3.{operation}", declare, unique_id="declare")
        try:
            assert error_of(call, Bucket=bucket, Key="k")[0] == 400
        finally:
            s3.meta.events.unregister(f"before-call.s3.{operation}", unique_id="declare")


@pytest.mark.parametrize("mode", ENCRYPTED)
def test_parts_of_any_size_have_one_key(s3, bucket, mode):
    write, read, _ = MODES[mode]
    contents = {1: make_bytes(5 * MIB + 1, 1), 2: make_bytes(5 * MIB + SEGMENT - 1, 2), 7: make_bytes(SEGMENT + 3, 7)}
    named = {"Bucket": bucket, "Key": "k"}
    created = s3.create_multipart_upload(**named, **write)
    assert says(created, mode)
    named["UploadId"] = created["UploadId"]
    parts = []
    for number, content in contents.items():
        part = s3.upload_part(**named, PartNumber=number, Body=content, **read)
        assert says(part, mode)
        again = s3.upload_part(**named, PartNumber=number, Body=content, **read)
        assert again["ETag"] == part["ETag"], "the same bytes"
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    assert [part["Size"] for part in s3.list_parts(**named)["Parts"]] == [len(content) for content in contents.values()]
    completed = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts}, **read)
    assert says(completed, mode)
    repeated = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts}, **read)
    assert says(repeated, mode) and repeated["ETag"] == completed["ETag"]
    whole = b"".join(contents.values())
    got = s3.get_object(Bucket=bucket, Key="k", **read)
    assert says(got, mode) and got["Body"].read() == whole
    for number, content in contents.items():
        part = s3.get_object(Bucket=bucket, Key="k", PartNumber=number, **read)
        assert part["Body"].read() == content and part["PartsCount"] == 3
    borders = [5 * MIB + 1, 10 * MIB + SEGMENT]
    for start, end in [(borders[0] - 2, borders[0] + 2), (borders[0], borders[1]), (borders[1] - SEGMENT, len(whole) - 1), (SEGMENT, 3 * MIB)]:
        part = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={start}-{end}", **read)
        assert part["Body"].read() == whole[start : end + 1], (start, end)


def test_an_upload_that_began_with_a_clients_key_goes_on_with_it(s3, bucket):
    named = {"Bucket": bucket, "Key": "k"}
    named["UploadId"] = s3.create_multipart_upload(**named, **customer("a"))["UploadId"]
    source = {"Bucket": bucket, "Key": "source"}
    s3.put_object(**source, Body=b"source")
    for wrong in ({}, customer("b")):
        assert error_of(s3.upload_part, **named, PartNumber=1, Body=b"x", **wrong) == (400, "InvalidRequest")
        assert error_of(s3.upload_part_copy, **named, PartNumber=1, CopySource=source, **wrong) == (400, "InvalidRequest")
    part = s3.upload_part(**named, PartNumber=1, Body=b"x", **customer("a"))
    parts = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}
    for wrong in ({}, customer("b")):
        assert error_of(s3.complete_multipart_upload, **named, **parts, **wrong) == (400, "InvalidRequest")
    s3.complete_multipart_upload(**named, **parts, **customer("a"))
    plain = {"Bucket": bucket, "Key": "plain"}
    plain["UploadId"] = s3.create_multipart_upload(**plain)["UploadId"]
    assert error_of(s3.upload_part, **plain, PartNumber=1, Body=b"x", **customer("a")) == (400, "InvalidRequest")


@pytest.mark.parametrize("target", MODES)
@pytest.mark.parametrize("source", MODES)
def test_copies_are_encrypted_as_they_are_told_to_be(s3, bucket, source, target):
    content = make_bytes(MIB + 77, source + target)
    s3.put_object(Bucket=bucket, Key="source", Body=content, **MODES[source][0])
    place = {"Bucket": bucket, "Key": "source"}
    write, read, _ = MODES[target]
    reading = MODES[source][2]
    if source == "sse-c":
        assert error_of(s3.copy_object, Bucket=bucket, Key="copy", CopySource=place, **write)[0] == 400
        assert error_of(s3.copy_object, Bucket=bucket, Key="copy", CopySource=place, **write, **customer("b", "CopySource"))[0] == 400
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=place, **write, **reading)
    assert says(copied, target)
    got = s3.get_object(Bucket=bucket, Key="copy", **read)
    assert says(got, target) and got["Body"].read() == content
    upload = s3.create_multipart_upload(Bucket=bucket, Key="part", **write)["UploadId"]
    named = {"Bucket": bucket, "Key": "part", "UploadId": upload}
    part = s3.upload_part_copy(
        **named, PartNumber=3, CopySource=place, CopySourceRange=f"bytes=5-{MIB}", **reading, **read)
    assert says(part, target)
    s3.complete_multipart_upload(
        **named, MultipartUpload={"Parts": [{"PartNumber": 3, "ETag": part["CopyPartResult"]["ETag"]}]}, **read)
    assert s3.get_object(Bucket=bucket, Key="part", **read)["Body"].read() == content[5 : MIB + 1]
    s3.delete_object(Bucket=bucket, Key="source")
    assert s3.get_object(Bucket=bucket, Key="copy", **read)["Body"].read() == content


def test_a_copy_onto_itself_changes_the_encryption(s3, bucket):
    place = {"Bucket": bucket, "Key": "k"}
    put = s3.put_object(**place, Body=b"content", ChecksumAlgorithm="SHA256", **customer("a"))
    assert error_of(s3.copy_object, **place, CopySource={"Bucket": bucket, "Key": "none"})[0] == 404
    copied = s3.copy_object(**place, CopySource=place, ServerSideEncryption="AES256", **customer("a", "CopySource"))
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(b"content").hexdigest()}"'
    got = s3.get_object(**place)
    assert says(got, "sse-s3") and got["Body"].read() == b"content" and got["ChecksumSHA256"] == put["ChecksumSHA256"]


def test_checksums_are_of_the_plain_bytes(s3, bucket):
    content = make_bytes(3 * SEGMENT, "sum")
    good = base64.b64encode(hashlib.sha256(content).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    for mode in ENCRYPTED:
        write, read, _ = MODES[mode]
        assert error_of(s3.put_object, Bucket=bucket, Key=mode, Body=content, ChecksumSHA256=wrong, **write) == (400, "BadDigest")
        assert error_of(s3.put_object, Bucket=bucket, Key=mode, Body=content, ContentMD5=wrong[:22] + "==", **write)[0] == 400
        assert error_of(s3.get_object, Bucket=bucket, Key=mode, **read) == (404, "NoSuchKey")
        md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
        assert s3.put_object(Bucket=bucket, Key=mode, Body=content, ChecksumSHA256=good, ContentMD5=md5, **write)["ChecksumSHA256"] == good
        assert s3.head_object(Bucket=bucket, Key=mode, ChecksumMode="ENABLED", **read)["ChecksumSHA256"] == good


def configuration(algorithm: str, key: str | None = None) -> dict:
    by_default = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key} if key else {})}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]}


def test_a_buckets_default_holds_for_what_says_nothing(s3, bucket):
    missing = (404, "ServerSideEncryptionConfigurationNotFoundError")
    assert error_of(s3.get_bucket_encryption, Bucket=bucket) == missing
    s3.delete_bucket_encryption(Bucket=bucket)
    set_default = lambda *rule: s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=configuration(*rule))
    set_default("aws:kms", "first-key")
    found = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert [rule["ApplyServerSideEncryptionByDefault"] for rule in found] == [{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "first-key"}]
    for mode in ENCRYPTED:
        assert says(s3.put_object(Bucket=bucket, Key=mode, Body=b"x", **MODES[mode][0]), mode)
    assert says(s3.put_object(Bucket=bucket, Key="said-nothing", Body=b"x"), "sse-kms")
    assert says(s3.create_multipart_upload(Bucket=bucket, Key="parts"), "sse-kms")
    assert says(s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "sse-s3"}), "sse-kms")
    set_default("AES256")
    assert says(s3.put_object(Bucket=bucket, Key="said-nothing", Body=b"x"), "sse-s3")
    for rule, code in [
        (("AES256", "first-key"), "InvalidArgument"), (("aws:kms",), "InvalidArgument"), (("aws:kms", "no-key"), "KMS.NotFoundException"),
        (("AES128",), "InvalidArgument"),
    ]:
        assert error_of(set_default, *rule) == (400, code)
    assert error_of(s3.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": []}) == (400, "MalformedXML")
    s3.delete_bucket_encryption(Bucket=bucket)
    assert error_of(s3.get_bucket_encryption, Bucket=bucket) == missing
    assert says(s3.put_object(Bucket=bucket, Key="said-nothing", Body=b"x"), "none")
    assert error_of(s3.put_bucket_encryption, Bucket="files", ServerSideEncryptionConfiguration=configuration("AES256"))[0] == 501


def test_what_is_encrypted_is_never_held_as_a_whole(server, s3, bucket):
    def pass_through(mebibytes: int) -> None:
        content = make_bytes(MIB, mebibytes) * mebibytes
        s3.put_object(Bucket=bucket, Key="k", Body=content, ServerSideEncryption="AES256")
        got, digest = s3.get_object(Bucket=bucket, Key="k")["Body"], hashlib.sha256()
        while piece := got.read(MIB):
            digest.update(piece)
        assert digest.digest() == hashlib.sha256(content).digest()

    pass_through(24)
    before = server.process.memory_bytes("VmHWM")
    pass_through(192)
    grown = server.process.memory_bytes("VmHWM") - before
    assert grown < 96 * MIB, f"{grown / MIB:.0f} MiB more for an object of 192 MiB"


def test_the_rest_api_has_no_files_that_were_encrypted(server, s3):
    file = server.rest.upload(b"plain")["fileID"]
    assert s3.get_object(Bucket="files", Key=file)["Body"].read() == b"plain"
    s3.copy_object(Bucket="files", Key=file, CopySource={"Bucket": "files", "Key": file}, ServerSideEncryption="AES256")
    assert s3.get_object(Bucket="files", Key=file)["Body"].read() == b"plain"
    assert server.rest.try_download(file).status == 404
    s3.delete_object(Bucket="files", Key=file)


def test_no_key_is_in_the_log(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **customer("a"))
    error_of(s3.get_object, Bucket=bucket, Key="k", **customer("b"))
    log = server.process.errors() + server.process.output()
    for secret in (*KEYS.values(), customer("a")["SSECustomerKey"], customer("b")["SSECustomerKey"]):
        assert secret not in log
    assert "SSE-S3" in log, "that a master key was made is said"


# Keys that are lost, and bytes that are not what was written


@pytest.fixture
def own(fleet):
    """A server that a test stops and starts, with an object of every mode."""
    keys = fleet.directory / "keys.yaml"
    write_keys(keys)
    server = EmbeddedServer(
        fleet, ["--chunk-size", "1MiB", "--kms-keys-file", str(keys), "--durability", "none", "--nodes", "1", "--replicas", "1"],
        **root_environment())
    server.keys = keys
    s3 = s3_client(server.process.listeners["s3"])
    s3.create_bucket(Bucket="bucket")
    for mode, (write, _, _) in MODES.items():
        s3.put_object(Bucket="bucket", Key=mode, Body=mode.encode() * 1000, **write)
    return server


def again(server: EmbeddedServer):
    server.process.restart()
    return s3_client(server.process.listeners["s3"])


def readable(s3) -> set[str]:
    def reads(mode: str) -> bool:
        try:
            return s3.get_object(Bucket="bucket", Key=mode, **MODES[mode][1])["Body"].read() == mode.encode() * 1000
        except s3.exceptions.ClientError:
            return False

    return {mode for mode in MODES if reads(mode)}


def test_lost_keys_are_named_and_break_nothing_else(own):
    master = own.process.data / "metadata" / "sse-s3.key"
    assert stat.S_IMODE(master.stat().st_mode) == 0o600
    kept = master.with_suffix(".kept")
    shutil.copy(master, kept)
    assert readable(again(own)) == set(MODES)
    # The master key's file is gone: none is made in its place.
    master.unlink()
    s3 = again(own)
    assert readable(s3) == {"none", "sse-kms", "sse-c"}
    assert error_of(s3.put_object, Bucket="bucket", Key="new", Body=b"x", ServerSideEncryption="AES256") == (500, "InternalError")
    assert str(master) in own.process.errors() and "is gone" in own.process.errors() and not master.exists()
    assert s3.head_object(Bucket="bucket", Key="sse-s3")["ServerSideEncryption"] == "AES256"
    assert len(s3.list_objects_v2(Bucket="bucket")["Contents"]) == 4
    # It can be given in the key file as well.
    own.keys.write_text(own.keys.read_text() + kept.read_text())
    s3 = again(own)
    assert readable(s3) == set(MODES)
    # Another master key for what is new, the earlier one for what is there.
    earlier = kept.read_text().replace("sse-s3:", "sse-s3-2026:")
    write_keys(own.keys, {"first-key": KEYS["second-key"], "sse-s3": KEYS["first-key"]})
    own.keys.write_text(own.keys.read_text() + earlier)
    s3 = again(own)
    assert readable(s3) == {"none", "sse-s3", "sse-c"}, "the named key is another"
    assert error_of(s3.get_object, Bucket="bucket", Key="sse-kms") == (500, "InternalError")
    s3.put_object(Bucket="bucket", Key="sse-s3", Body=b"sse-s3" * 1000, ServerSideEncryption="AES256")
    # Without the earlier one, and without the named one.
    write_keys(own.keys, {"sse-s3": KEYS["first-key"]})
    s3 = again(own)
    assert readable(s3) == {"none", "sse-s3", "sse-c"}
    assert error_of(s3.get_object, Bucket="bucket", Key="sse-kms") == (400, "KMS.NotFoundException")
    assert "a key of encryption at rest is missing" in own.process.errors()
    s3.delete_object(Bucket="bucket", Key="sse-kms")


def test_bytes_that_are_not_those_that_were_written_are_never_sent(own):
    s3 = again(own)
    contents = [make_bytes(5 * MIB, 1), make_bytes(5 * MIB, 2), make_bytes(5 * MIB, 3)]
    upload = s3.create_multipart_upload(Bucket="bucket", Key="parts", ServerSideEncryption="AES256")["UploadId"]
    named = {"Bucket": "bucket", "Key": "parts", "UploadId": upload}
    tags = [s3.upload_part(**named, PartNumber=number + 1, Body=content)["ETag"] for number, content in enumerate(contents)]
    s3.complete_multipart_upload(
        **named, MultipartUpload={"Parts": [{"PartNumber": number + 1, "ETag": tag} for number, tag in enumerate(tags)]})
    own.process.stop()
    # Somebody puts the second part where the third is, and the other way round.
    with sqlite3.connect(own.process.data / "metadata" / "chunkflow.sqlite") as database:
        rows = database.execute("SELECT version, position, blob FROM object_blobs ORDER BY position").fetchall()
        assert len(rows) == 3
        for (version, position, _), (_, _, blob) in zip(rows[1:], reversed(rows[1:])):
            database.execute("UPDATE object_blobs SET blob = ? WHERE version = ? AND position = ?", (blob, version, position))
    s3 = again(own)
    sound = s3.get_object(Bucket="bucket", Key="parts", Range=f"bytes=0-{5 * MIB - 1}")
    assert sound["Body"].read() == contents[0]
    assert error_of(s3.get_object, Bucket="bucket", Key="parts", PartNumber=2) == (500, "InternalError")
    got = s3.get_object(Bucket="bucket", Key="parts")
    received = b""
    with pytest.raises(Exception):
        while piece := got["Body"].read(SEGMENT):
            received += piece
    assert len(received) <= 5 * MIB and contents[0].startswith(received)
    assert "fail their authentication" in own.process.errors()
