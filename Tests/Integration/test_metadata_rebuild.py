"""The metadata are lost, with every backup of them, and made anew from what the storage nodes have."""

import json
import shutil

import pytest
from harness import Cluster, EmbeddedServer, PacedUpload, RESTClient, make_bytes, run_client, wait_until
from harness.cluster import Gateway
from harness.s3 import ROOT, s3_client

CHUNK = 1 << 20
SIZES = (0, 1, 1000, 300_000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 321)


class Files:
    """What was uploaded, and what the server said of it."""

    def __init__(self, rest: RESTClient):
        self.rest = rest
        self.contents: dict[str, bytes] = {}
        self.documents: dict[str, dict] = {}

    def upload(self, salt: object, sizes=SIZES) -> list[str]:
        made = []
        for number, size in enumerate(sizes):
            content = make_bytes(size, (salt, size))
            file_id = self.rest.upload(content, name=f"{salt} – №{number}.bin", content_type=f"application/x-test-{number}")["fileID"]
            self.contents[file_id] = content
            self.documents[file_id] = self.rest.request("GET", f"/files/{file_id}").json()
            made.append(file_id)
        return made

    def forget(self, file_id: str) -> str:
        self.contents.pop(file_id)
        self.documents.pop(file_id)
        return file_id

    def delete(self, file_id: str) -> str:
        self.rest.delete(file_id)
        return self.forget(file_id)

    def check(self, rest: RESTClient) -> None:
        """Bit for bit, with names, types, etags and times: these, and no others."""
        assert {file["fileID"]: file for file in rest.files()} == self.documents
        for file_id, content in self.contents.items():
            assert rest.download(file_id) == content, self.documents[file_id]


def rebuild(gateway, *arguments: str, nodes=None, code: int = 0, **environment: str):
    where = ["--storage-nodes", ",".join(node.address for node in nodes)] if nodes else []
    done = run_client("metadata", "rebuild", *where, "--data-dir", gateway.data, *arguments, **environment)
    assert done.code == code, f"{done}"
    return done


def counts(done) -> dict[str, str]:
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in done.output.splitlines()}


def report(done) -> list[dict]:
    with open(counts(done)["report"]) as lines:
        return [json.loads(line) for line in lines]


def lose(gateway) -> None:
    shutil.rmtree(gateway.data / "metadata")


def leave_half_an_upload(cluster: Gateway, distributor) -> None:
    """Kills the distributor in the middle of an upload."""
    before = cluster.rest.fragment_count()
    upload = PacedUpload(distributor.http_address, make_bytes(20 * CHUNK, "half"))
    upload.send(9 * CHUNK + 77)
    wait_until(lambda: cluster.rest.fragment_count() > before, 20, "chunks of the unfinished upload are on the nodes")
    distributor.kill()


def wait_until_settled(cluster: Gateway) -> None:
    """Nothing waits to be repaired, and the number of fragments stays as it is."""
    seen = [-1]

    def is_settled() -> bool:
        seen.append(cluster.rest.fragment_count() if cluster.rest.repair_queue_length() == 0 else -len(seen))
        return len(seen) > 5 and len(set(seen[-5:])) == 1

    wait_until(is_settled, 40, "the number of fragments settles", interval=0.7)


def sweep_again(cluster: Cluster) -> None:
    """Every node is swept when it has restarted, and when the distributor has."""
    for node in cluster.nodes[:2]:
        node.restart()
        cluster.wait_for_state("up", *cluster.nodes)
    cluster.distributor.restart()
    cluster.rest = RESTClient(cluster.distributor.http_address)
    cluster.wait_for_state("up", *cluster.nodes)
    wait_until_settled(cluster)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("nodes,storage_class", [(4, "replicated"), (6, "ec-4-2")])
def test_without_any_snapshot_every_file_comes_back_and_nothing_that_was_deleted(fleet, nodes, storage_class):
    cluster = Cluster(
        fleet, nodes, secret="rebuild-secret", distributor_arguments=["--storage-class", storage_class, "--metadata-snapshot-interval", "0"])
    files = Files(cluster.rest)
    files.upload("kept")
    identity = cluster.rest.cluster()["clusterID"]
    wait_until_settled(cluster)
    kept = cluster.rest.fragment_count()
    for file_id in files.upload("deleted", SIZES[1:5]):
        files.delete(file_id)
    cluster.wait_for_fragments(kept)
    leave_half_an_upload(cluster, cluster.distributor)
    lose(cluster.distributor)

    refused = rebuild(cluster.distributor, nodes=cluster.nodes, code=1, CHUNKFLOW_CLUSTER_SECRET="another-secret")
    assert not (cluster.distributor.data / "metadata" / "chunkflow.sqlite").exists(), refused
    told = rebuild(cluster.distributor, nodes=cluster.nodes, CHUNKFLOW_CLUSTER_SECRET="rebuild-secret")
    found = counts(told)
    assert (found["cluster"], found["snapshot"]) == (identity, "none"), told
    assert found["recovered"].split()[0] == str(len(SIZES)) and found["unfinished"].split()[0] == "1", told
    assert [entry["finding"] for entry in report(told)] == ["unfinished"]

    cluster.start()
    assert cluster.rest.cluster()["clusterID"] == identity
    files.check(cluster.rest)
    wait_until_settled(cluster)
    before = cluster.rest.fragment_count()
    assert before >= kept
    sweep_again(cluster)
    assert cluster.rest.fragment_count() == before
    files.check(cluster.rest)
    files.rest = cluster.rest
    files.upload("anew", SIZES[:4])
    files.check(cluster.rest)


@pytest.mark.timeout(180)
def test_the_newest_snapshot_decides_and_what_came_after_it_is_added(fleet):
    cluster = Cluster(fleet, 4, distributor_arguments=["--metadata-snapshot-interval", "2", "--metadata-snapshots", "2"])
    files = Files(cluster.rest)
    files.upload("early")
    late = files.upload("late", SIZES[2:5])
    uploaded_at = cluster.rest.files()[-1]["createdAt"]
    wait_until(
        lambda: (cluster.rest.cluster()["metadataSnapshotAt"] or "") > uploaded_at, 30, "there is a snapshot of all of it")
    documents = cluster.rest.cluster()
    assert documents["objects"] == {"count": len(files.contents), "bytes": sum(map(len, files.contents.values()))}

    # From here on there are no snapshots.
    wait_until_settled(cluster)
    cluster.distributor.command += ["--metadata-snapshot-interval", "3600"]
    cluster.distributor.restart()
    cluster.rest = files.rest = RESTClient(cluster.distributor.http_address)
    cluster.wait_for_state("up", *cluster.nodes)
    before = cluster.rest.fragment_count()
    for file_id in late:
        files.delete(file_id)
    files.upload("after", SIZES[:3])
    cluster.wait_for_fragments(before)
    cluster.distributor.kill()
    lose(cluster.distributor)

    told = rebuild(cluster.distributor, nodes=cluster.nodes)
    found = counts(told)
    assert found["snapshot"] != "none" and found["gone"].split()[0] == str(len(late)), told
    assert found["recovered"].split()[0] == "3" and found["known"].split()[0] == str(len(SIZES)), told
    assert {entry["key"] for entry in report(told) if entry["finding"] == "gone"} == set(late)
    cluster.start()
    files.check(cluster.rest)
    sweep_again(cluster)
    files.check(cluster.rest)


@pytest.mark.timeout(180)
def test_versions_and_parts_come_back_and_nothing_of_the_snapshot_is_collected(fleet):
    cluster = Cluster(
        fleet, 4, distributor_arguments=[
            "--metadata-snapshot-interval", "2", "--root-access-key", ROOT[0], "--root-secret-key", ROOT[1]])
    s3 = s3_client(cluster.distributor.listeners["s3"])
    for name in ("kept", "plain"):
        s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    contents = [make_bytes(300_000 + number, ("version", number)) for number in range(4)]
    versions = [s3.put_object(Bucket="kept", Key="key", Body=content, Tagging="a=b")["VersionId"] for content in contents[:3]]
    s3.put_object(Bucket="kept", Key="hidden", Body=b"hidden")
    s3.delete_object(Bucket="kept", Key="hidden")
    part = make_bytes(5 << 20, "part")
    upload = s3.create_multipart_upload(Bucket="plain", Key="parts")["UploadId"]
    etags = [s3.upload_part(Bucket="plain", Key="parts", UploadId=upload, PartNumber=number, Body=part)["ETag"] for number in (1, 2)]
    s3.complete_multipart_upload(
        Bucket="plain", Key="parts", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in zip((1, 2), etags)]})
    marked_at = s3.head_object(Bucket="plain", Key="parts")["LastModified"].strftime("%Y-%m-%dT%H:%M:%S.999Z")
    wait_until(lambda: (cluster.rest.cluster()["metadataSnapshotAt"] or "") > marked_at, 40, "there is a snapshot of all of it")

    # From here on there are no snapshots.
    wait_until_settled(cluster)
    cluster.distributor.command += ["--metadata-snapshot-interval", "3600"]
    cluster.distributor.restart()
    cluster.rest = RESTClient(cluster.distributor.http_address)
    cluster.wait_for_state("up", *cluster.nodes)
    s3 = s3_client(cluster.distributor.listeners["s3"])
    s3.delete_object(Bucket="kept", Key="key", VersionId=versions[0])
    versions.append(s3.put_object(Bucket="kept", Key="key", Body=contents[3])["VersionId"])
    wait_until_settled(cluster)
    cluster.distributor.kill()
    lose(cluster.distributor)

    told = rebuild(cluster.distributor, nodes=cluster.nodes)
    found = counts(told)
    # Two versions, the hidden object, the one of two parts.
    assert found["known"].split()[0] == "4" and found["recovered"].split()[0] == "1" and found["gone"].split()[0] == "1", told
    cluster.start()
    s3 = s3_client(cluster.distributor.listeners["s3"])
    wait_until_settled(cluster)
    sweep_again(cluster)
    s3 = s3_client(cluster.distributor.listeners["s3"])
    listed = s3.list_object_versions(Bucket="kept")
    assert [(one["Key"], one["IsLatest"]) for one in listed["DeleteMarkers"]] == [("hidden", True)]
    kept = [one["VersionId"] for one in listed["Versions"] if one["Key"] == "key"]
    assert kept[1:] == [versions[2], versions[1]] and len(kept) == 3
    for version, content in zip(kept, contents[:0:-1]):
        assert s3.get_object(Bucket="kept", Key="key", VersionId=version)["Body"].read() == content
    assert s3.get_object_tagging(Bucket="kept", Key="key", VersionId=versions[1])["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert s3.get_object(Bucket="plain", Key="parts")["Body"].read() == part + part


@pytest.mark.timeout(120)
def test_an_embedded_server_is_rebuilt_from_its_own_directories(fleet):
    server = EmbeddedServer(fleet, ["--chunk-size", "1MiB"])
    files = Files(server.rest)
    files.upload("kept")
    refused = rebuild(server.process, "--force", code=1)
    assert "stop the server first" in refused.errors, refused
    server.process.stop()
    assert "--force" in rebuild(server.process, code=1).errors
    assert "kept" in counts(rebuild(server.process, "--force"))
    server.start()
    files.check(server.rest)
    server.process.stop()
    lose(server.process)
    rebuild(server.process)
    server.start()
    files.check(server.rest)
    assert "restored from a backup" in server.process.errors()


def test_nodes_that_are_not_there_or_not_of_one_cluster_are_refused(fleet):
    cluster, other = Cluster(fleet, 2, replicas=2), Cluster(fleet, 1, replicas=1, quorum=1, name="other")
    cluster.rest.upload(b"x")
    cluster.distributor.stop()
    lose(cluster.distributor)
    database = cluster.distributor.data / "metadata" / "chunkflow.sqlite"
    assert "belongs to cluster" in rebuild(cluster.distributor, nodes=[*cluster.nodes, other.nodes[0]], code=1).errors
    cluster.nodes[1].stop()
    assert "did not answer" in rebuild(cluster.distributor, nodes=cluster.nodes, code=1).errors
    assert "has no storage nodes" in rebuild(cluster.distributor, code=1).errors
    assert run_client("metadata", "rebuild").code == 64
    assert not database.exists()
