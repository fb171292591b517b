"""Object lock: what is locked goes by no route, and who may unlock it."""

import datetime
import hashlib
import http.client
import itertools

import pytest
from harness import EmbeddedServer, Fleet, run_client
from harness.s3 import Signer, error_of, root_environment, s3_client
from harness.waiting import wait_until

numbers = itertools.count(1)
DAY = datetime.timedelta(days=1)
# No day is a second in these tests but the one of a lifecycle.
LIFECYCLE_DAY = 1


@pytest.fixture(scope="module")
def server():
    with Fleet() as fleet:
        yield EmbeddedServer(fleet, ["--chunk-size", "1MiB", "--lifecycle-day", str(LIFECYCLE_DAY)], **root_environment())


@pytest.fixture
def bucket(s3):
    name = f"locked-{next(numbers)}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def retention(mode="GOVERNANCE", days=1):
    return {"Mode": mode, "RetainUntilDate": now() + days * DAY}


def locks(mode="GOVERNANCE", days=1):
    return {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": now() + days * DAY}


# Configuration


def test_a_bucket_is_told_to_lock_and_says_so(s3):
    name = f"locked-{next(numbers)}"
    s3.create_bucket(Bucket=name)
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}}
    put = lambda configuration: s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=configuration)
    assert error_of(put, rule) == (409, "InvalidBucketState")
    assert error_of(s3.get_object_lock_configuration, Bucket=name) == (404, "ObjectLockConfigurationNotFoundError")
    assert error_of(s3.put_object, Bucket=name, Key="k", Body=b"", **locks()) == (400, "InvalidRequest")
    s3.put_object(Bucket=name, Key="k", Body=b"")
    assert error_of(s3.put_object_retention, Bucket=name, Key="k", Retention=retention()) == (400, "InvalidRequest")
    assert error_of(s3.get_object_legal_hold, Bucket=name, Key="k") == (400, "InvalidRequest")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    put(rule)
    assert s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"] == rule
    suspended = {"Status": "Suspended"}
    assert error_of(s3.put_bucket_versioning, Bucket=name, VersioningConfiguration=suspended) == (409, "InvalidBucketState")


@pytest.mark.parametrize(
    ("default", "code"),
    [
        ({"Mode": "GOVERNANCE", "Days": 1, "Years": 1}, "MalformedXML"), ({"Mode": "GOVERNANCE"}, "MalformedXML"),
        ({"Mode": "governance", "Days": 1}, "MalformedXML"), ({"Mode": "GOVERNANCE", "Days": 0}, "InvalidRetentionPeriod"),
        ({"Mode": "COMPLIANCE", "Years": -1}, "InvalidRetentionPeriod"), ({"Mode": "COMPLIANCE", "Years": 101}, "InvalidRetentionPeriod"),
        ({"Mode": "COMPLIANCE", "Years": 2**62}, "InvalidRetentionPeriod"),
    ])
def test_configurations_that_are_none(s3, bucket, default, code):
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": default}}
    assert error_of(s3.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=configuration) == (400, code)
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled"}


def test_what_is_written_without_a_word_gets_the_retention_of_its_bucket(s3, bucket):
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule)
    s3.put_object(Bucket=bucket, Key="put", Body=b"x")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "put"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    named = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    part = {"PartNumber": 1, "ETag": s3.upload_part(**named, PartNumber=1, Body=b"part")["ETag"]}
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": [part]})
    for key in ("put", "copy", "parts"):
        head = s3.head_object(Bucket=bucket, Key=key)
        assert head["ObjectLockMode"] == "COMPLIANCE"
        assert abs(head["ObjectLockRetainUntilDate"] - now() - 365 * DAY) < datetime.timedelta(minutes=5)
        assert error_of(s3.delete_object, Bucket=bucket, Key=key, VersionId=head["VersionId"]) == (403, "AccessDenied")
    s3.put_object(Bucket=bucket, Key="own", Body=b"x", **locks(days=2))
    assert s3.head_object(Bucket=bucket, Key="own")["ObjectLockMode"] == "GOVERNANCE"


# Retention and legal hold


def test_locks_of_a_write_are_told_on_reading(s3, bucket):
    wanted = locks(days=5)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **wanted, ObjectLockLegalHoldStatus="ON")
    for found in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert found["ObjectLockMode"] == "GOVERNANCE" and found["ObjectLockLegalHoldStatus"] == "ON"
        assert found["ObjectLockRetainUntilDate"] == wanted["ObjectLockRetainUntilDate"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", **wanted)["UploadId"]
    named = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    part = {"PartNumber": 1, "ETag": s3.upload_part(**named, PartNumber=1, Body=b"part")["ETag"]}
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": [part]})
    kept = s3.get_object_retention(Bucket=bucket, Key="parts")["Retention"]
    assert kept == {"Mode": "GOVERNANCE", "RetainUntilDate": wanted["ObjectLockRetainUntilDate"]}
    s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "OFF"})
    assert s3.get_object_legal_hold(Bucket=bucket, Key="k")["LegalHold"] == {"Status": "OFF"}
    # A copy has none of the locks of its source.
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "parts"})
    assert "ObjectLockMode" not in s3.head_object(Bucket=bucket, Key="copy")
    assert error_of(s3.get_object_retention, Bucket=bucket, Key="copy") == (404, "NoSuchObjectLockConfiguration")


@pytest.mark.parametrize(
    "more",
    [
        {"ObjectLockMode": "GOVERNANCE"}, {"ObjectLockRetainUntilDate": now() + DAY}, {"ObjectLockMode": "X", "ObjectLockRetainUntilDate": now() + DAY},
        {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": now() - DAY}, {"ObjectLockLegalHoldStatus": "on"},
    ])
def test_locks_that_are_none_leave_nothing(s3, bucket, more):
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **more) == (400, "InvalidArgument")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_retention_is_made_longer_by_anybody_and_weaker_by_nobody_who_does_not_say_so(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    put = lambda wanted, **more: s3.put_object_retention(Bucket=bucket, Key="k", Retention=wanted, **more)
    put(retention(days=3))
    put(retention(days=4))
    assert error_of(put, retention(days=2)) == (403, "AccessDenied")
    assert error_of(put, retention("COMPLIANCE", days=5)) == (403, "AccessDenied")
    put(retention(days=2), BypassGovernanceRetention=True)
    put(retention("COMPLIANCE", days=2), BypassGovernanceRetention=True)
    for wanted in (retention("COMPLIANCE", days=1), retention("GOVERNANCE", days=9)):
        assert error_of(put, wanted, BypassGovernanceRetention=True) == (403, "AccessDenied")
    put(retention("COMPLIANCE", days=3))
    assert error_of(put, {"Mode": "x", "RetainUntilDate": now() + DAY}) == (400, "MalformedXML")
    assert error_of(s3.put_object_legal_hold, Bucket=bucket, Key="k", LegalHold={"Status": "x"}) == (400, "MalformedXML")


# Routes


@pytest.fixture(params=["retention", "hold"])
def locked(request, s3, bucket):
    """A bucket with a version that is locked in a way that nothing bypasses."""
    more = locks("COMPLIANCE") if request.param == "retention" else {"ObjectLockLegalHoldStatus": "ON"}
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"locked", **more)["VersionId"]
    yield bucket, version
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == b"locked"


def test_a_locked_version_is_not_deleted(s3, locked):
    bucket, version = locked
    for more in ({}, {"BypassGovernanceRetention": True}):
        assert error_of(s3.delete_object, Bucket=bucket, Key="k", VersionId=version, **more) == (403, "AccessDenied")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    assert error_of(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"locked"


def test_a_locked_version_is_not_deleted_among_many(s3, locked):
    bucket, version = locked
    other = s3.put_object(Bucket=bucket, Key="other", Body=b"")["VersionId"]
    objects = [{"Key": "k", "VersionId": version}, {"Key": "other", "VersionId": other}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects}, BypassGovernanceRetention=True)
    assert [(error["Key"], error["VersionId"], error["Code"]) for error in answer["Errors"]] == [("k", version, "AccessDenied")]
    assert [found["Key"] for found in answer["Deleted"]] == ["other"]


def test_a_locked_version_is_not_overwritten_nor_copied_onto(s3, locked):
    bucket, version = locked
    newer = s3.put_object(Bucket=bucket, Key="k", Body=b"newer")["VersionId"]
    source = {"Bucket": bucket, "Key": "k", "VersionId": newer}
    copied = s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE")["VersionId"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    part = {"PartNumber": 1, "ETag": s3.upload_part(**named, PartNumber=1, Body=b"part")["ETag"]}
    completed = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": [part]})["VersionId"]
    assert len({version, newer, copied, completed}) == 4


def test_the_bucket_of_a_locked_version_stays(s3, locked):
    bucket, version = locked
    assert error_of(s3.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")


def test_a_null_version_that_was_locked_later_stays(s3):
    name = f"locked-{next(numbers)}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"null")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    s3.put_object_retention(Bucket=name, Key="k", VersionId="null", Retention=retention("COMPLIANCE"))
    s3.put_object(Bucket=name, Key="k", Body=b"newer")
    s3.delete_object(Bucket=name, Key="k")
    assert error_of(s3.delete_object, Bucket=name, Key="k", VersionId="null") == (403, "AccessDenied")
    assert s3.get_object(Bucket=name, Key="k", VersionId="null")["Body"].read() == b"null"


def test_a_lifecycle_passes_locked_versions_over(s3, locked):
    bucket, version = locked
    for key in ("free", "k", "free"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"later")
    rule = {"ID": "all", "Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})

    def left():
        return {(found["Key"], found["VersionId"]) for found in s3.list_object_versions(Bucket=bucket).get("Versions", [])}

    # All other versions go, the later ones by way of a delete marker.
    wait_until(lambda: left() == {("k", version)}, 30, "nothing is left but what is locked")


def test_governance_gives_way_to_who_owns_the_bucket_and_says_so(s3, bucket):
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"x", **locks())["VersionId"]
    assert error_of(s3.delete_object, Bucket=bucket, Key="k", VersionId=version) == (403, "AccessDenied")
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version, BypassGovernanceRetention=True)
    assert error_of(s3.get_object, Bucket=bucket, Key="k", VersionId=version) == (404, "NoSuchVersion")


def test_another_account_does_not_touch_locks(server, s3, bucket):
    def run(*words):
        answer = run_client(*words, server=server.process.url, **root_environment())
        assert answer.code == 0, f"{answer}"
        return answer

    run("account", "create", "--id", "stranger", "--display-name", "Stranger", "--email", "stranger@example.com")
    pair = run("key", "create", "--account", "stranger", "--json").json()
    stranger = s3_client(server.process.listeners["s3"], (pair["accessKey"], pair["secretKey"]))
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"x", **locks())["VersionId"]
    for call, more in [
        (stranger.put_object_retention, {"Key": "k", "Retention": retention(days=9)}), (stranger.get_object_retention, {"Key": "k"}),
        (stranger.put_object_legal_hold, {"Key": "k", "LegalHold": {"Status": "ON"}}), (stranger.get_object_lock_configuration, {}),
        (stranger.put_object_lock_configuration, {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}),
        (stranger.delete_object, {"Key": "k", "VersionId": version, "BypassGovernanceRetention": True}),
    ]:
        assert error_of(call, Bucket=bucket, **more) == (403, "AccessDenied")


def test_a_lock_is_for_the_version_that_was_there_when_it_was_asked_for(s3, bucket, server):
    """A body that takes its time: the version over which was decided is the one that is locked."""
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    body = b"<LegalHold><Status>ON</Status></LegalHold>"
    host, port = server.process.listeners["s3"]
    path = f"/{bucket}/k"
    headers = Signer().headers("PUT", "h", path, hashlib.sha256(body).hexdigest(), query="legal-hold=")
    connection = http.client.HTTPConnection(host, port, timeout=40)
    connection.putrequest("PUT", f"{path}?legal-hold", skip_host=True, skip_accept_encoding=True)
    for name, value in {**headers, "content-length": str(len(body)), "expect": "100-continue"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    # It was admitted, and its body is waited for.
    assert connection.sock.recv(1_000).startswith(b"HTTP/1.1 100 ")
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"second")["VersionId"]
    connection.send(body)
    assert connection.getresponse().status == 200
    connection.close()
    assert s3.get_object_legal_hold(Bucket=bucket, Key="k", VersionId=first)["LegalHold"]["Status"] == "ON"
    assert error_of(s3.get_object_legal_hold, Bucket=bucket, Key="k", VersionId=second) == (404, "NoSuchObjectLockConfiguration")
    s3.put_object_legal_hold(Bucket=bucket, Key="k", VersionId=first, LegalHold={"Status": "OFF"})
