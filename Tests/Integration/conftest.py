"""Fixtures, the time limit of each test, and the logs beside each failure."""

import itertools
import signal

import pytest
from harness import Cluster, EmbeddedServer, Fleet
from harness import fleet as fleets
from harness.process import executable
from harness.s3 import s3_client

DEFAULT_SECONDS = 60
bucket_numbers = itertools.count(1)


def pytest_sessionstart(session):
    try:
        for name in ("chunkflow", "distributor", "storage"):
            executable(name)
    except FileNotFoundError as error:
        pytest.exit(str(error), returncode=1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    marker = item.get_closest_marker("timeout")
    seconds = marker.args[0] if marker else DEFAULT_SECONDS

    def expire(*_):
        raise TimeoutError(f"the test ran for more than {seconds} s")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and (logs := fleets.tails()):
        report.sections.append(("the servers' last lines", logs))
    return report


@pytest.fixture
def fleet():
    with Fleet() as fleet:
        yield fleet


@pytest.fixture(scope="session")
def shared_server():
    """An embedded server for tests that leave it as it is: nobody stops it, nobody counts its files."""
    with Fleet() as fleet:
        yield EmbeddedServer(fleet, ["--chunk-size", "1MiB"])


@pytest.fixture
def rest(shared_server):
    return shared_server.rest


@pytest.fixture(scope="session")
def shared_cluster():
    """Four storage processes and a distributor, for the same kind of test."""
    with Fleet() as fleet:
        yield Cluster(fleet, 4)


# What the tests of the S3 API share. The server, called `server`, is each file's own.


@pytest.fixture(scope="module")
def address(server):
    """Where its S3 API is."""
    return server.process.listeners["s3"]


@pytest.fixture(scope="module")
def s3(address):
    """A client with the root key."""
    return s3_client(address)


@pytest.fixture
def bucket(s3):
    """A bucket that nobody has used."""
    name = f"bucket-{next(bucket_numbers)}"
    s3.create_bucket(Bucket=name)
    return name
