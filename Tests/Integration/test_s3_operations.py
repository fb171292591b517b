"""docs/s3-compatibility.md against what boto3 can ask for: every operation stands there, what works names a test, what does not is refused."""

import datetime
import re

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from harness import EmbeddedServer, Fleet
from harness.process import ROOT as REPOSITORY
from harness.s3 import root_environment, s3_client

PAGE = REPOSITORY / "docs" / "s3-compatibility.md"
ROW = re.compile(r"^\| `(\w+)` \| (works|not implemented) \| (.*) \|$")
# These do not stand for an operation of their own.
OLDER_NAMES = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration", "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration", "PutBucketNotification": "PutBucketNotificationConfiguration",
}


def rows() -> dict[str, tuple[str, str]]:
    return {match[1]: (match[2], match[3]) for line in PAGE.read_text().splitlines() if (match := ROW.match(line))}


def test_every_operation_stands_in_the_table():
    model = s3_client(("127.0.0.1", 1)).meta.service_model
    missing = {name for name in model.operation_names if OLDER_NAMES.get(name, name) not in rows()}
    # Those that a later boto3 brings are refused, or this server's answer to them is looked at when they are added here.
    assert not missing, f"docs/s3-compatibility.md lacks {sorted(missing)}"


def test_what_works_names_a_test_that_exists():
    sources = "\n".join(path.read_text() for path in (REPOSITORY / "Tests").rglob("*") if path.suffix in (".py", ".swift"))
    for operation, (state, test) in rows().items():
        if state == "works":
            names = re.findall(r"`(\w+)`", test)
            assert names, f"{operation} names no test"
            for name in names:
                assert f"def {name}(" in sources or f"func {name}(" in sources, f"{operation}: there is no test {name}"


@pytest.fixture(scope="module")
def s3():
    with Fleet() as fleet:
        server = EmbeddedServer(fleet, **root_environment())
        client = s3_client(server.process.listeners["s3"], inject_host_prefix=False)
        client.create_bucket(Bucket="bucket")
        yield client


def least(shape, name: str = ""):
    """The least that a request of this shape can hold."""
    if name in ("Bucket", "Key"):
        return name.lower()
    match shape.type_name:
        case "structure":
            members = shape.required_members or (list(shape.members)[:1] if not name.endswith("Configuration") else [])
            return {member: least(shape.members[member], member) for member in members}
        case "list": return [least(shape.member)]
        case "map": return {}
        case "boolean": return True
        case "integer" | "long": return 1
        case "timestamp": return datetime.datetime(2030, 1, 1)
        case "blob": return b""
        case _: return shape.enum[0] if getattr(shape, "enum", None) else "x" * shape.metadata.get("min", 1)


@pytest.mark.parametrize("operation", sorted(name for name, (state, _) in rows().items() if state == "not implemented"))
def test_what_is_not_implemented_is_refused_and_changes_nothing(s3, operation):
    s3.put_object(Bucket="bucket", Key="key", Body=b"content")
    if operation not in s3.meta.service_model.operation_names:
        pytest.skip("this boto3 cannot ask for it")
    wanted = {**least(s3.meta.service_model.operation_model(operation).input_shape)}
    try:
        getattr(s3, xform_name(operation))(**wanted)
        raise AssertionError(f"{operation} was answered as if it had been done")
    except ClientError as error:
        status, code = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    # These two are for services of their own.
    is_elsewhere = operation in ("WriteGetObjectResponse", "ListDirectoryBuckets")
    assert (status, code) == (501, "NotImplemented") or is_elsewhere and status in (400, 404), f"{status} {code}"
    assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == b"content"
