"""Who may do what through the S3 API: lists, policies, ownership, the block of public access, CORS."""

import itertools
import json
import socket

import pytest
from harness import EmbeddedServer, Fleet, run_client
from harness.s3 import error_of, root_environment, s3_client, send

numbers = itertools.count(1)
DENIED = (403, "AccessDenied")
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


@pytest.fixture(scope="module")
def server():
    with Fleet() as fleet:
        yield EmbeddedServer(fleet, [], **root_environment())


@pytest.fixture(scope="module")
def accounts(server):
    """Keys of two accounts."""
    keys = {}
    for name in ("owner", "alice"):
        made = run_client(
            "account", "create", "--id", name, "--display-name", name.title(), "--email", f"{name}@example.com", server=server.process.url,
            **root_environment())
        assert made.code == 0, f"{made}"
        pair = run_client("key", "create", "--account", name, "--json", server=server.process.url, **root_environment()).json()
        keys[name] = (pair["accessKey"], pair["secretKey"])
    return keys


@pytest.fixture(scope="module")
def root(address):
    return s3_client(address)


@pytest.fixture(scope="module")
def owner(address, accounts):
    return s3_client(address, accounts["owner"])


@pytest.fixture(scope="module")
def alice(address, accounts):
    return s3_client(address, accounts["alice"])


@pytest.fixture(scope="module")
def anonymous(address):
    from botocore import UNSIGNED

    return s3_client(address, signature_version=UNSIGNED)


@pytest.fixture
def bucket(owner):
    """The owner's, with one object `k`."""
    name = f"bucket-{next(numbers)}"
    owner.create_bucket(Bucket=name)
    owner.put_object(Bucket=name, Key="k", Body=b"content")
    return name


def policy(bucket: str, action, effect="Allow", principal="*", resource=None, condition=None) -> str:
    statement = {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource or [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def grants(answer) -> list[tuple[str, str]]:
    return [(grant["Grantee"].get("ID") or grant["Grantee"]["URI"].rsplit("/", 1)[1], grant["Permission"]) for grant in answer["Grants"]]


# Nobody but the owner


def test_without_a_grant_others_can_do_nothing(owner, alice, anonymous, bucket):
    upload = owner.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    named = {"Bucket": bucket, "Key": "k"}
    parts = {"Bucket": bucket, "Key": "u", "UploadId": upload}
    for client in (alice, anonymous):
        for call, arguments in [
            (client.list_objects_v2, {"Bucket": bucket}), (client.list_object_versions, {"Bucket": bucket}),
            (client.list_multipart_uploads, {"Bucket": bucket}), (client.get_bucket_location, {"Bucket": bucket}),
            (client.get_bucket_acl, {"Bucket": bucket}), (client.put_bucket_acl, {"Bucket": bucket, "ACL": "public-read"}),
            (client.get_bucket_policy, {"Bucket": bucket}), (client.delete_bucket_policy, {"Bucket": bucket}),
            (client.put_bucket_policy, {"Bucket": bucket, "Policy": policy(bucket, "s3:*")}), (client.get_bucket_cors, {"Bucket": bucket}),
            (client.delete_bucket_cors, {"Bucket": bucket}), (client.get_public_access_block, {"Bucket": bucket}),
            (client.delete_public_access_block, {"Bucket": bucket}), (client.get_bucket_ownership_controls, {"Bucket": bucket}),
            (client.get_bucket_versioning, {"Bucket": bucket}), (client.get_bucket_tagging, {"Bucket": bucket}),
            (client.put_bucket_versioning, {"Bucket": bucket, "VersioningConfiguration": {"Status": "Enabled"}}),
            (client.get_object, named), (client.get_object_acl, named), (client.get_object_tagging, named),
            (client.put_object, {**named, "Body": b"x"}), (client.put_object_acl, {**named, "ACL": "public-read"}),
            (client.put_object_tagging, {**named, "Tagging": {"TagSet": []}}), (client.delete_object_tagging, named),
            (client.delete_object, named), (client.delete_objects, {"Bucket": bucket, "Delete": {"Objects": [{"Key": "k"}]}}),
            (client.create_multipart_upload, named), (client.list_parts, parts), (client.abort_multipart_upload, parts),
            (client.upload_part, {**parts, "PartNumber": 1, "Body": b"x"}),
            (client.complete_multipart_upload, {**parts, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "x"}]}}),
            (client.get_object, {"Bucket": bucket, "Key": "missing"}), (client.delete_bucket, {"Bucket": bucket}),
        ]:
            assert error_of(call, **arguments) == DENIED, f"{call} {arguments}"
        assert error_of(client.head_object, **named)[0] == 403
    assert error_of(anonymous.list_buckets) == DENIED
    assert error_of(anonymous.create_bucket, Bucket="anonymous-bucket") == DENIED
    assert owner.get_object(**named)["Body"].read() == b"content"
    assert owner.list_parts(**parts)["Owner"]["ID"] == "owner"


def test_a_bucket_that_is_not_there_is_not_there_for_anybody(alice, anonymous, address):
    for client in (alice, anonymous):
        assert error_of(client.get_object, Bucket="not-there", Key="k") == (404, "NoSuchBucket")
    assert send(address, "OPTIONS", "/not-there/k", {"host": "x", "origin": "a", "access-control-request-method": "GET"})[0] == 404


def test_the_root_account_may_do_everything(root, owner, bucket):
    owner.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, "s3:*", "Deny"))
    assert root.get_object(Bucket=bucket, Key="k")["Body"].read() == b"content"
    root.delete_bucket_policy(Bucket=bucket)


def test_the_owner_that_a_client_expects(owner, bucket):
    assert owner.head_bucket(Bucket=bucket, ExpectedBucketOwner="owner")
    assert error_of(owner.get_object, Bucket=bucket, Key="k", ExpectedBucketOwner="alice") == DENIED
    copy = {"Bucket": bucket, "Key": "c", "CopySource": {"Bucket": bucket, "Key": "k"}}
    assert error_of(owner.copy_object, **copy, ExpectedSourceBucketOwner="alice") == DENIED
    assert owner.copy_object(**copy, ExpectedSourceBucketOwner="owner")


def test_a_refused_upload_is_refused_before_it_is_sent(address, owner, bucket):
    def first_line() -> bytes:
        with socket.create_connection(address, timeout=40) as connection:
            connection.sendall(f"PUT /{bucket}/new HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode())
            return connection.makefile("rb").readline()

    assert b" 403 " in first_line()
    owner.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert b" 100 " in first_line()


# Access control lists


def test_lists_of_buckets(owner, alice, anonymous, bucket):
    assert grants(owner.get_bucket_acl(Bucket=bucket)) == [("owner", "FULL_CONTROL")]
    owner.put_bucket_acl(Bucket=bucket, ACL="public-read")
    acl = owner.get_bucket_acl(Bucket=bucket)
    assert grants(acl) == [("AllUsers", "READ"), ("owner", "FULL_CONTROL")]
    assert acl["Owner"] == {"ID": "owner", "DisplayName": "Owner"}
    assert [found["Key"] for found in anonymous.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]
    assert error_of(anonymous.get_object, Bucket=bucket, Key="k") == DENIED
    assert error_of(anonymous.get_object, Bucket=bucket, Key="missing") == (404, "NoSuchKey")
    owner.put_bucket_acl(Bucket=bucket, GrantWrite='id="alice"', GrantReadACP="emailAddress=alice@example.com")
    assert grants(alice.get_bucket_acl(Bucket=bucket)) == [("alice", "WRITE"), ("alice", "READ_ACP")]
    alice.put_object(Bucket=bucket, Key="hers", Body=b"x")
    assert error_of(alice.list_objects_v2, Bucket=bucket) == DENIED
    answer = alice.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}, {"Key": "hers", "VersionId": "null"}]})
    assert [deleted["Key"] for deleted in answer["Deleted"]] == ["k"]
    assert [(error["Key"], error["Code"]) for error in answer["Errors"]] == [("hers", "AccessDenied")]
    owner.put_bucket_acl(Bucket=bucket, AccessControlPolicy={"Grants": [], "Owner": {"ID": "owner"}})
    assert grants(owner.get_bucket_acl(Bucket=bucket)) == []


def test_lists_of_objects_and_of_their_versions(owner, alice, anonymous, bucket):
    owner.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = owner.put_object(Bucket=bucket, Key="v", Body=b"1", ACL="public-read")["VersionId"]
    owner.put_object(Bucket=bucket, Key="v", Body=b"2")
    assert error_of(anonymous.get_object, Bucket=bucket, Key="v") == DENIED
    assert anonymous.get_object(Bucket=bucket, Key="v", VersionId=first)["Body"].read() == b"1"
    changed = owner.get_object(Bucket=bucket, Key="v")["LastModified"]
    owner.put_object_acl(Bucket=bucket, Key="v", GrantFullControl="id=alice")
    assert alice.get_object(Bucket=bucket, Key="v")["LastModified"] == changed
    alice.put_object_acl(
        Bucket=bucket, Key="v",
        AccessControlPolicy={"Owner": {"ID": "owner"}, "Grants": [{"Grantee": {"Type": "Group", "URI": ALL_USERS}, "Permission": "READ_ACP"}]})
    assert anonymous.get_object_acl(Bucket=bucket, Key="v")["Owner"]["ID"] == "owner"
    assert error_of(alice.get_object, Bucket=bucket, Key="v") == DENIED


def test_the_list_of_an_object_is_not_copied_and_one_of_parts_has_that_of_its_upload(owner, anonymous, bucket):
    owner.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    source = {"Bucket": bucket, "Key": "k"}
    owner.copy_object(Bucket=bucket, Key="private", CopySource=source)
    owner.copy_object(Bucket=bucket, Key="public", CopySource=source, ACL="authenticated-read")
    assert error_of(anonymous.get_object, Bucket=bucket, Key="private") == DENIED
    assert grants(owner.get_object_acl(Bucket=bucket, Key="public")) == [("AuthenticatedUsers", "READ"), ("owner", "FULL_CONTROL")]
    upload = {"Bucket": bucket, "Key": "parts", "UploadId": owner.create_multipart_upload(Bucket=bucket, Key="parts", ACL="public-read")["UploadId"]}
    etag = owner.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
    owner.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert anonymous.get_object(Bucket=bucket, Key="parts")["Body"].read() == b"x"


@pytest.mark.parametrize("grantee, error", [
    ({"Type": "CanonicalUser", "ID": "nobody"}, (400, "InvalidArgument")),
    ({"Type": "AmazonCustomerByEmail", "EmailAddress": "nobody@example.com"}, (400, "UnresolvableGrantByEmailAddress")),
    ({"Type": "Group", "URI": "http://acs.amazonaws.com/groups/s3/LogDelivery"}, (400, "InvalidArgument")),
])
def test_grants_to_nobody(owner, bucket, grantee, error):
    given = {"Owner": {"ID": "owner"}, "Grants": [{"Grantee": grantee, "Permission": "READ"}]}
    assert error_of(owner.put_bucket_acl, Bucket=bucket, AccessControlPolicy=given) == error
    assert error_of(owner.put_object_acl, Bucket=bucket, Key="k", AccessControlPolicy=given) == error
    assert grants(owner.get_bucket_acl(Bucket=bucket)) == [("owner", "FULL_CONTROL")]


def test_an_owner_cannot_be_changed_by_a_list(owner, bucket):
    given = {"Owner": {"ID": "alice"}, "Grants": []}
    assert error_of(owner.put_object_acl, Bucket=bucket, Key="k", AccessControlPolicy=given) == DENIED


# Policies


def test_a_policy_opens_what_it_names(owner, alice, anonymous, bucket):
    text = policy(bucket, ["s3:GetObject", "s3:ListBucket"], principal={"AWS": "arn:aws:iam::alice:root"})
    owner.put_bucket_policy(Bucket=bucket, Policy=text)
    assert owner.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert alice.get_object(Bucket=bucket, Key="k")["Body"].read() == b"content"
    assert alice.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert error_of(alice.put_object, Bucket=bucket, Key="k", Body=b"") == DENIED
    assert error_of(anonymous.get_object, Bucket=bucket, Key="k") == DENIED
    owner.delete_bucket_policy(Bucket=bucket)
    assert error_of(alice.get_object, Bucket=bucket, Key="k") == DENIED
    assert error_of(owner.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")


def test_a_policy_that_denies_its_author_can_be_taken_back(owner, bucket):
    text = policy(bucket, "s3:*", "Deny")
    owner.put_bucket_policy(Bucket=bucket, Policy=text)
    for call, arguments in [
        (owner.get_object, {"Key": "k"}), (owner.put_object, {"Key": "k", "Body": b"x"}), (owner.delete_object, {"Key": "k"}),
        (owner.list_objects_v2, {}), (owner.get_bucket_acl, {}), (owner.delete_bucket, {}), (owner.get_public_access_block, {}),
    ]:
        assert error_of(call, Bucket=bucket, **arguments) == DENIED
    assert owner.get_bucket_policy(Bucket=bucket)["Policy"] == text
    owner.delete_bucket_policy(Bucket=bucket)
    assert owner.get_object(Bucket=bucket, Key="k")["Body"].read() == b"content"


def test_an_author_can_give_up_the_right_to_take_a_policy_back(owner, root, bucket):
    text = policy(bucket, "s3:*", "Deny")
    owner.put_bucket_policy(Bucket=bucket, Policy=text, ConfirmRemoveSelfBucketAccess=True)
    assert error_of(owner.get_bucket_policy, Bucket=bucket) == DENIED
    assert error_of(owner.put_bucket_policy, Bucket=bucket, Policy=text) == DENIED
    assert error_of(owner.delete_bucket_policy, Bucket=bucket) == DENIED
    assert root.get_bucket_policy(Bucket=bucket)["Policy"] == text
    root.delete_bucket_policy(Bucket=bucket)
    assert owner.get_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"Version": "2012-10-17", "Statement": []}', "<Policy/>", "{" * 10_000, " " * 20_481])
def test_what_is_not_a_policy_is_refused(owner, bucket, text):
    assert error_of(owner.put_bucket_policy, Bucket=bucket, Policy=text) == (400, "MalformedPolicy")
    assert error_of(owner.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")


def test_a_policy_of_another_bucket_or_of_what_is_not_understood_is_refused(owner, bucket):
    for text in [
        policy(bucket, "s3:GetObject", resource="arn:aws:s3:::other/*"), policy(bucket, "sqs:SendMessage"),
        policy(bucket, "s3:GetObject", condition={"StringEquals": {"aws:Invented": "x"}}),
    ]:
        assert error_of(owner.put_bucket_policy, Bucket=bucket, Policy=text) == (400, "MalformedPolicy")


def test_conditions_look_at_the_request(owner, alice, bucket):
    def put(condition, action="s3:PutObject"):
        owner.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, action, condition=condition))

    put({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}})
    alice.put_object(Bucket=bucket, Key="new", Body=b"x")
    put({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}})
    assert error_of(alice.put_object, Bucket=bucket, Key="new", Body=b"x") == DENIED
    put({"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}})
    assert error_of(alice.put_object, Bucket=bucket, Key="new", Body=b"x") == DENIED
    alice.put_object(Bucket=bucket, Key="new", Body=b"x", ACL="bucket-owner-full-control")
    assert owner.get_object(Bucket=bucket, Key="new")["Body"].read() == b"x"
    put({"StringLike": {"s3:prefix": "public/*"}}, action="s3:ListBucket")
    assert alice.list_objects_v2(Bucket=bucket, Prefix="public/x")["KeyCount"] == 0
    assert error_of(alice.list_objects_v2, Bucket=bucket) == DENIED
    assert error_of(alice.get_object, Bucket=bucket, Key="public/missing") == (404, "NoSuchKey")
    assert error_of(alice.get_object, Bucket=bucket, Key="private/missing") == DENIED


def test_conditions_look_at_tags_those_of_the_object_and_those_of_the_body(owner, alice, bucket):
    tags = lambda **given: {"TagSet": [{"Key": key, "Value": value} for key, value in given.items()]}
    owner.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags(shown="yes"))
    condition = {"StringEquals": {"s3:ExistingObjectTag/shown": "yes"}}
    owner.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, ["s3:GetObject", "s3:GetObjectTagging"], condition=condition))
    assert alice.get_object(Bucket=bucket, Key="k") and alice.get_object_tagging(Bucket=bucket, Key="k")
    owner.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags(shown="no"))
    assert error_of(alice.get_object, Bucket=bucket, Key="k") == DENIED
    condition = {"StringEquals": {"s3:RequestObjectTag/by": "alice"}}
    owner.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, ["s3:PutObject", "s3:PutObjectTagging"], condition=condition))
    alice.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags(by="alice"))
    assert error_of(alice.put_object_tagging, Bucket=bucket, Key="k", Tagging=tags(by="owner")) == DENIED
    assert owner.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "by", "Value": "alice"}]
    alice.put_object(Bucket=bucket, Key="tagged", Body=b"x", Tagging="by=alice")
    assert error_of(alice.put_object, Bucket=bucket, Key="tagged", Body=b"x") == DENIED


def test_a_copy_needs_rights_on_both_sides(owner, alice, bucket):
    target = f"bucket-{next(numbers)}"
    alice.create_bucket(Bucket=target)
    copy = {"Bucket": target, "Key": "c", "CopySource": {"Bucket": bucket, "Key": "k"}}
    assert error_of(alice.copy_object, **copy) == DENIED
    owner.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, "s3:GetObject", principal={"AWS": "alice"}))
    alice.copy_object(**copy)
    assert alice.get_object(Bucket=target, Key="c")["Body"].read() == b"content"
    assert error_of(owner.copy_object, **copy) == DENIED
    upload = alice.create_multipart_upload(Bucket=target, Key="p")["UploadId"]
    part = {"Bucket": target, "Key": "p", "UploadId": upload, "PartNumber": 1}
    alice.upload_part_copy(**part, CopySource={"Bucket": bucket, "Key": "k"})
    owner.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert error_of(alice.copy_object, **copy) == DENIED
    alice.copy_object(**copy, TaggingDirective="REPLACE")
    owner.delete_bucket_policy(Bucket=bucket)
    assert error_of(alice.upload_part_copy, **part, CopySource={"Bucket": bucket, "Key": "k"}) == DENIED


# The block of public access


def test_the_status_of_a_policy(owner, bucket):
    status = lambda: owner.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    assert status() is False
    owner.put_bucket_acl(Bucket=bucket, ACL="authenticated-read")
    assert status() is True
    owner.put_bucket_acl(Bucket=bucket, ACL="private")
    owner.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, "s3:GetObject"))
    assert status() is True
    owner.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, "s3:GetObject", condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))
    assert status() is False


def test_public_access_can_be_blocked(owner, alice, anonymous, bucket):
    def block(**on):
        owner.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=on)

    assert error_of(owner.get_public_access_block, Bucket=bucket) == (404, "NoSuchPublicAccessBlockConfiguration")
    block(BlockPublicAcls=True, BlockPublicPolicy=True)
    assert owner.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True, "IgnorePublicAcls": False, "BlockPublicPolicy": True, "RestrictPublicBuckets": False}
    for acl in ("public-read", "public-read-write", "authenticated-read"):
        assert error_of(owner.put_bucket_acl, Bucket=bucket, ACL=acl) == DENIED
        assert error_of(owner.put_object_acl, Bucket=bucket, Key="k", ACL=acl) == DENIED
        assert error_of(owner.put_object, Bucket=bucket, Key="k", Body=b"x", ACL=acl) == DENIED
        assert error_of(owner.create_multipart_upload, Bucket=bucket, Key="k", ACL=acl) == DENIED
    assert error_of(owner.put_bucket_policy, Bucket=bucket, Policy=policy(bucket, "s3:GetObject")) == DENIED
    owner.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, "s3:GetObject", "Deny", resource=f"arn:aws:s3:::{bucket}/x"))
    block(IgnorePublicAcls=True, RestrictPublicBuckets=True)
    owner.put_bucket_acl(Bucket=bucket, ACL="public-read")
    owner.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    assert error_of(alice.list_objects_v2, Bucket=bucket) == DENIED
    assert error_of(anonymous.get_object, Bucket=bucket, Key="k") == DENIED
    owner.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, "s3:GetObject"))
    assert error_of(anonymous.get_object, Bucket=bucket, Key="k") == DENIED
    assert owner.get_object(Bucket=bucket, Key="k")
    owner.delete_public_access_block(Bucket=bucket)
    owner.delete_public_access_block(Bucket=bucket)
    assert anonymous.get_object(Bucket=bucket, Key="k")["Body"].read() == b"content"


# Ownership


@pytest.mark.parametrize("ownership, preferred, plain", [
    ("BucketOwnerEnforced", "owner", "owner"), ("BucketOwnerPreferred", "owner", "alice"), ("ObjectWriter", "alice", "alice")])
def test_whom_objects_belong_to(owner, alice, ownership, preferred, plain):
    bucket = f"bucket-{next(numbers)}"
    owner.create_bucket(Bucket=bucket, ObjectOwnership=ownership)
    assert owner.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"] == [{"ObjectOwnership": ownership}]
    owner.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, "s3:*", principal={"AWS": "alice"}))
    for acl, expected in [({"ACL": "bucket-owner-full-control"}, preferred), ({}, plain)]:
        alice.put_object(Bucket=bucket, Key="k", Body=b"x", **acl)
        assert alice.get_object_acl(Bucket=bucket, Key="k")["Owner"]["ID"] == expected
        upload = alice.create_multipart_upload(Bucket=bucket, Key="u", **acl)["UploadId"]
        parts = alice.list_parts(Bucket=bucket, Key="u", UploadId=upload)
        assert (parts["Owner"]["ID"], parts["Initiator"]["ID"]) == (expected, "alice")
    if ownership == "BucketOwnerEnforced":
        for call, arguments in [
            (alice.put_object, {"Key": "k", "Body": b"x", "ACL": "private"}), (alice.create_multipart_upload, {"Key": "k", "ACL": "private"}),
            (alice.put_object_acl, {"Key": "k", "ACL": "private"}), (alice.put_bucket_acl, {"ACL": "private"}),
        ]:
            assert error_of(call, Bucket=bucket, **arguments) == (400, "AccessControlListNotSupported")


def test_lists_are_turned_off_only_where_they_grant_nothing(owner, alice, bucket):
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert error_of(owner.get_bucket_ownership_controls, Bucket=bucket) == (404, "OwnershipControlsNotFoundError")
    owner.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    alice.put_object(Bucket=bucket, Key="hers", Body=b"x")
    refused = (400, "InvalidBucketAclWithObjectOwnership")
    assert error_of(owner.put_bucket_ownership_controls, Bucket=bucket, OwnershipControls=enforced) == refused
    assert error_of(owner.create_bucket, Bucket=f"{bucket}-x", ObjectOwnership="BucketOwnerEnforced", ACL="public-read") == refused
    owner.put_bucket_acl(Bucket=bucket, ACL="private")
    assert error_of(owner.get_object, Bucket=bucket, Key="hers") == DENIED
    owner.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=enforced)
    assert owner.get_object(Bucket=bucket, Key="hers")["Body"].read() == b"x"
    assert error_of(alice.get_object, Bucket=bucket, Key="hers") == DENIED
    owner.delete_bucket_ownership_controls(Bucket=bucket)
    assert alice.get_object(Bucket=bucket, Key="hers")


# Scripts of web pages


def test_answers_to_scripts(owner, address, bucket):
    import http.client

    def ask(method, path, **headers):
        connection = http.client.HTTPConnection(*address, timeout=40)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            response.read()
            return response.status, response.getheader("Access-Control-Allow-Origin"), response.getheader("Access-Control-Allow-Methods")
        finally:
            connection.close()

    assert error_of(owner.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["http://*.example"], "AllowedHeaders": ["x-amz-*"], "MaxAgeSeconds": 5}]
    owner.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert owner.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    owner.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    path, origin = f"/{bucket}/k", "http://a.example"
    assert ask("GET", path) == (200, None, None)
    assert ask("GET", path, Origin=origin) == (200, origin, "GET")
    assert ask("GET", path, Origin="http://a.elsewhere") == (200, None, None)
    # Errors, too: else a script could not see what is wrong.
    assert ask("GET", f"/{bucket}/missing", Origin=origin) == (403, origin, "GET")
    assert ask("GET", path, Origin=origin, Authorization="AWS4-HMAC-SHA256 nonsense")[1] == origin
    assert ask("PUT", path, Origin=origin) == (403, None, None)
    assert ask("OPTIONS", path) == (400, None, None)
    assert ask("OPTIONS", "/") [0] == 400
    assert ask("OPTIONS", path, Origin=origin) == (400, None, None)
    wanted = {"Origin": origin, "Access_Control_Request_Method": "GET"}
    assert ask("OPTIONS", path, **wanted) == (200, origin, "GET")
    assert ask("OPTIONS", path, **wanted, Access_Control_Request_Headers="X-Amz-Date, x-amz-meta-a") == (200, origin, "GET")
    assert ask("OPTIONS", path, **wanted, Access_Control_Request_Headers="Content-Type") == (403, None, None)
    assert ask("OPTIONS", path, Origin=origin, Access_Control_Request_Method="PUT") == (403, None, None)
    url = owner.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}).replace("Signature=", "Signature=00")
    assert ask("OPTIONS", "/" + url.split("/", 3)[3], **wanted) == (200, origin, "GET")
    owner.delete_bucket_cors(Bucket=bucket)
    assert ask("OPTIONS", path, **wanted) == (403, None, None)
