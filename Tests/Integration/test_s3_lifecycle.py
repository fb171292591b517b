"""Lifecycles with days of a second: rules, what goes by them, and what clients are told."""

import datetime
import re

import pytest
from harness import EmbeddedServer, Fleet, RESTClient
from harness.s3 import error_of, root_environment
from harness.waiting import wait_until


@pytest.fixture(scope="module")
def server():
    with Fleet() as fleet:
        yield EmbeddedServer(fleet, ["--lifecycle-day", "1"], **root_environment())


def test_rules_are_kept_as_they_are_written(s3, bucket):
    assert error_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")
    rules = [
        {"ID": "a", "Prefix": "a/", "Status": "Enabled", "Expiration": {"Days": 9}},
        {
            "ID": "b", "Filter": {"And": {"Prefix": "b", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 5}}, "Status": "Disabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
        },
        {
            "ID": "c", "Filter": {"Prefix": ""}, "Status": "Enabled",
            "Expiration": {"Date": datetime.datetime(2090, 1, 1, tzinfo=datetime.timezone.utc)},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 4},
        },
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    wrong = {"Rules": [{"ID": "a", "Prefix": "", "Status": "enabled", "Expiration": {"Days": 1}}]}
    assert error_of(s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration=wrong) == (400, "MalformedXML")
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    for _ in range(2):
        s3.delete_bucket_lifecycle(Bucket=bucket)
    assert error_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")


def test_a_client_is_told_when_an_object_expires(s3, bucket):
    rule = {"ID": "one day", "Filter": {"Tag": {"Key": "k", "Value": "v"}}, "Status": "Enabled", "Expiration": {"Days": 90}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    told = s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="k=v")["Expiration"]
    date = datetime.datetime.strptime(told.split('"')[1], "%a, %d %b %Y %H:%M:%S %Z")
    assert told.endswith('rule-id="one%20day"') and date.time() == datetime.time()
    left = date - datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert datetime.timedelta(days=89) < left <= datetime.timedelta(days=91)
    assert s3.head_object(Bucket=bucket, Key="k")["Expiration"] == told
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="other", Body=b"")


def test_what_has_had_its_time_goes_and_is_counted(server, s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("old/1", "old/2", "kept"):
        for _ in range(2):
            s3.put_object(Bucket=bucket, Key=key, Body=b"content")
    s3.create_multipart_upload(Bucket=bucket, Key="old/3")
    rule = {
        "ID": "old", "Prefix": "old/", "Status": "Enabled", "Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})

    def left():
        page = s3.list_object_versions(Bucket=bucket)
        return [found["Key"] for found in page.get("Versions", []) + page.get("DeleteMarkers", [])]

    wait_until(lambda: left() == ["kept", "kept"], 30, "all of old/ is gone, delete markers too")
    wait_until(lambda: "Uploads" not in s3.list_multipart_uploads(Bucket=bucket), 30, "the upload is aborted")
    text = RESTClient(server.process.http_address).request("GET", "/metrics").body.decode()
    counted = dict(re.findall(r'^chunkflow_lifecycle_expired_total\{what="([a-z-]+)"\} (\d+)', text, re.MULTILINE))
    assert counted == {"latest": "2", "noncurrent": "4", "delete-marker": "2", "upload": "1"}
