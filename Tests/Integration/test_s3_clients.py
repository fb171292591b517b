"""The S3 API under the clients that people use: each does what it is for, against a running server."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import EmbeddedServer, Fleet, make_bytes, wait_until
from harness.s3 import ROOT, root_environment

MIB = 1 << 20
# Programs of the tests' virtual environment stand beside its Python.
VENV = Path(sys.executable).parent


@pytest.fixture(scope="module")
def server():
    with Fleet() as fleet:
        yield EmbeddedServer(fleet, **root_environment())


@pytest.fixture(scope="module")
def endpoint(server):
    host, port = server.process.listeners["s3"]
    return f"http://{host}:{port}"


@pytest.fixture
def run(tmp_path, endpoint):
    """Runs a program that finds the server and its key in the usual variables, and nothing of whoever runs the tests."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        "HOME": str(home), "PATH": f"{VENV}:{os.environ['PATH']}", "TMPDIR": str(tmp_path), "LC_ALL": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": ROOT[0], "AWS_SECRET_ACCESS_KEY": ROOT[1], "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint, "S3_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true", "no_proxy": "127.0.0.1",
    }

    def run(*words: str, fails: bool = False, **more: str) -> str:
        done = subprocess.run(
            [str(word) for word in words], env={**environment, **more}, cwd=home, capture_output=True, text=True, timeout=300)
        assert (done.returncode != 0) == fails, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    return run


def write_files(directory: Path, count: int, size: int = 200) -> dict[str, bytes]:
    """Files in a few directories, with names that have to be escaped somewhere."""
    files = {f"d{number % 7}/sub dir/f+{number}&é.txt": make_bytes(size + number % 50, number) for number in range(count)}
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return files


def read_files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# aws cli


def test_aws_copies_lists_syncs_and_removes(run, bucket, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    files = write_files(source, 40)
    run("aws", "s3", "sync", source, f"s3://{bucket}/tree")
    assert run("aws", "s3", "sync", source, f"s3://{bucket}/tree").strip() == "", "the second time nothing moves"
    assert len(run("aws", "s3", "ls", "--recursive", f"s3://{bucket}/tree/").splitlines()) == len(files)
    assert run("aws", "s3", "ls", f"s3://{bucket}/tree/").split() == [part for number in range(7) for part in ("PRE", f"d{number}/")]
    run("aws", "s3", "sync", f"s3://{bucket}/tree", back)
    assert read_files(back) == files
    run("aws", "s3", "rm", "--recursive", f"s3://{bucket}/tree")
    run("aws", "s3", "rb", f"s3://{bucket}")
    assert "NoSuchBucket" in run("aws", "s3", "ls", f"s3://{bucket}", fails=True)


def test_aws_sends_a_large_file_in_parts_and_it_comes_back(run, bucket, s3, tmp_path):
    path, back = tmp_path / "large", tmp_path / "back"
    path.write_bytes(make_bytes(50 * MIB + 17, "large"))
    run("aws", "s3", "cp", path, f"s3://{bucket}/large")
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-7"')
    run("aws", "s3", "cp", f"s3://{bucket}/large", f"s3://{bucket}/copy")
    run("aws", "s3", "cp", f"s3://{bucket}/copy", back)
    assert digest(back) == digest(path)


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_aws_sends_5_gib_in_parts_and_they_come_back(run, bucket, tmp_path):
    path, back = tmp_path / "large", tmp_path / "back"
    with open(path, "wb") as file:
        for number in range(5 * 1024 // 64):
            file.write(make_bytes(64 * MIB, number))
    run("aws", "s3", "cp", "--no-progress", path, f"s3://{bucket}/large")
    run("aws", "s3", "cp", "--no-progress", f"s3://{bucket}/large", back)
    assert digest(back) == digest(path)


# s5cmd, s3cmd


def test_s5cmd_copies_lists_and_removes(run, bucket, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    files = write_files(source, 60)
    run("s5cmd", "cp", f"{source}/", f"s3://{bucket}/tree/")
    assert len(run("s5cmd", "ls", f"s3://{bucket}/tree/*").splitlines()) == len(files)
    run("s5cmd", "cp", f"s3://{bucket}/tree/*", f"{back}/")
    assert read_files(back) == files
    run("s5cmd", "mv", f"s3://{bucket}/tree/d0/*", f"s3://{bucket}/moved/")
    run("s5cmd", "rm", f"s3://{bucket}/*")
    run("s5cmd", "rb", f"s3://{bucket}")


def test_s3cmd_puts_gets_lists_and_deletes(run, bucket, endpoint, tmp_path):
    place = endpoint.removeprefix("http://")
    words = [
        "s3cmd", "--no-ssl", f"--host={place}", f"--host-bucket={place}", f"--access_key={ROOT[0]}", f"--secret_key={ROOT[1]}",
        "--multipart-chunk-size-mb=5", "--no-progress",
    ]
    source, back = tmp_path / "source", tmp_path / "back"
    files = write_files(source, 10)
    large = make_bytes(12 * MIB, "s3cmd")
    (source / "large").write_bytes(large)
    run(*words, "sync", f"{source}/", f"s3://{bucket}/tree/")
    assert len(run(*words, "ls", "--recursive", f"s3://{bucket}/").splitlines()) == len(files) + 1
    back.mkdir()
    run(*words, "sync", f"s3://{bucket}/tree/", f"{back}/")
    assert read_files(back) == {**files, "large": large}
    assert "MD5 sum" in run(*words, "info", f"s3://{bucket}/tree/large")
    run(*words, "del", "--recursive", "--force", f"s3://{bucket}/")
    run(*words, "rb", f"s3://{bucket}")


# rclone


@pytest.mark.timeout(240)
def test_rclone_syncs_10000_files_and_the_second_time_none(run, bucket, endpoint, tmp_path):
    remote = {
        "RCLONE_CONFIG_CF_TYPE": "s3", "RCLONE_CONFIG_CF_PROVIDER": "Other", "RCLONE_CONFIG_CF_ENDPOINT": endpoint,
        "RCLONE_CONFIG_CF_ACCESS_KEY_ID": ROOT[0], "RCLONE_CONFIG_CF_SECRET_ACCESS_KEY": ROOT[1], "RCLONE_CONFIG_CF_REGION": "us-east-1",
    }
    source = tmp_path / "source"
    write_files(source, 10_000, size=100)
    words = ["rclone", "--transfers", "16", "--checkers", "16", "--stats-one-line", "--stats", "0", "-v"]
    first = run(*words, "sync", source, f"cf:{bucket}/tree", **remote)
    assert first.count("Copied (new)") == 10_000
    second = run(*words, "sync", source, f"cf:{bucket}/tree", **remote)
    assert "Copied" not in second and "There was nothing to transfer" in second
    assert "0 differences found" in run(*words, "check", source, f"cf:{bucket}/tree", **remote)
    (source / "d0" / "sub dir" / "f+0&é.txt").write_bytes(b"another")
    assert "1 differences found" in run(*words, "check", source, f"cf:{bucket}/tree", fails=True, **remote)


# restic


@pytest.mark.timeout(120)
def test_restic_makes_checks_and_restores_a_backup(run, bucket, endpoint, tmp_path):
    files = write_files(tmp_path / "source", 50)
    repository = {"RESTIC_REPOSITORY": f"s3:{endpoint}/{bucket}/restic", "RESTIC_PASSWORD": "for a test"}
    run("restic", "init", **repository)
    run("restic", "backup", tmp_path / "source", **repository)
    (tmp_path / "source" / "d1" / "more").write_bytes(make_bytes(20 * MIB, "more"))
    run("restic", "backup", tmp_path / "source", **repository)
    assert "no errors were found" in run("restic", "check", "--read-data", **repository)
    run("restic", "forget", "--keep-last", "1", "--prune", **repository)
    assert "no errors were found" in run("restic", "check", "--read-data", **repository)
    run("restic", "restore", "latest", "--target", tmp_path / "restored", **repository)
    restored = read_files(tmp_path / "restored" / str(tmp_path / "source").lstrip("/"))
    assert restored == {**files, "d1/more": make_bytes(20 * MIB, "more")}


# s3fs


def can_mount() -> bool:
    return os.geteuid() == 0 and os.access("/dev/fuse", os.R_OK | os.W_OK) and shutil.which("s3fs") is not None


@pytest.mark.skipif(not can_mount(), reason="mounting needs root, /dev/fuse and s3fs")
def test_s3fs_mounts_a_bucket(run, bucket, s3, endpoint, tmp_path):
    mount, passwords = tmp_path / "mount", tmp_path / "passwords"
    mount.mkdir()
    passwords.write_text(f"{ROOT[0]}:{ROOT[1]}")
    passwords.chmod(0o600)
    content = make_bytes(11 * MIB + 3, "s3fs")
    s3.put_object(Bucket=bucket, Key="there", Body=b"before")
    run("s3fs", bucket, mount, "-o", f"url={endpoint},use_path_request_style,passwd_file={passwords},sigv4,multipart_size=5")
    try:
        wait_until(lambda: os.path.ismount(mount), 20, "the bucket is mounted")
        assert (mount / "there").read_bytes() == b"before"
        (mount / "a directory").mkdir()
        (mount / "a directory" / "file").write_bytes(content)
        (mount / "a directory" / "file").rename(mount / "moved")
        assert sorted(path.name for path in mount.iterdir()) == ["a directory", "moved", "there"]
        (mount / "there").unlink()
    finally:
        subprocess.run(["umount", mount], check=True, timeout=60)
    assert s3.get_object(Bucket=bucket, Key="moved")["Body"].read() == content
    assert {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]} == {"a directory/", "moved"}
