"""Buckets that get another storage class."""

from harness import Cluster, Fleet, RESTClient, make_bytes, run_client, wait_until
from harness.cluster import wrong

SMALL = 200_000
LARGE = 3_000_000


def six_nodes(fleet: Fleet, *arguments: str) -> Cluster:
    return Cluster(
        fleet, 6, replicas=3, chunk_size="4MiB", distributor_arguments=["--storage-class", "replicated-3", *arguments])


def bucket(cluster, *arguments: str, code: int = 0):
    done = run_client("bucket", *arguments, server=cluster.distributor.url)
    assert done.code == code, f"{arguments}: {done}"
    return done


def store(cluster) -> dict[str, bytes]:
    contents = [make_bytes(size + number, number) for number in range(4) for size in (SMALL, LARGE)]
    return {cluster.rest.upload(content)["fileID"]: content for content in contents}


def classes(cluster) -> dict[str, int]:
    counted: dict[str, int] = {}
    for file in cluster.rest.files():
        counted[file["storageClass"]] = counted.get(file["storageClass"], 0) + 1
    return counted


def test_the_files_of_a_bucket_are_stored_anew_across_a_pause_and_a_crash(fleet):
    cluster = six_nodes(fleet, "--rebalance-rate", "340KiB")
    files = store(cluster)
    assert classes(cluster) == {"replicated": len(files)}
    before = {file["fileID"]: file for file in cluster.rest.files()}

    told = bucket(cluster, "set-class", "files", "ec-4-2", "--reencode").output
    assert "stored anew" in told
    assert bucket(cluster, "ls", "--json").lines()[0]["storageClass"] == "ec-4-2"
    assert "storing files anew as ec-4-2" in run_client("status", server=cluster.distributor.url).output
    wait_until(lambda: classes(cluster).get("ec-4-2", 0) > 0, 30, "it is under way")
    cluster.rest.request("POST", "/cluster/pause")
    cluster.distributor.kill()
    cluster.distributor.start()
    cluster.rest = RESTClient(cluster.distributor.http_address)
    assert len(cluster.rest.cluster()["reencodings"]) == 1
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content
    cluster.rest.request("POST", "/cluster/resume")

    # What a code would cut too small has as many copies as survive the same losses: as many as it had.
    wanted = {"ec-4-2": len(files) // 2, "replicated": len(files) // 2}
    wait_until(lambda: cluster.rest.cluster()["reencodings"] == [] or wrong(classes(cluster), wanted), 60, "all files have the class")
    assert classes(cluster) == wanted
    after = {file["fileID"]: file for file in cluster.rest.files()}
    for file_id, file in before.items():
        assert after[file_id] | {"storageClass": None} == file | {"storageClass": None}
    # Nothing is left of what they were.
    fragments = sum(6 if len(content) >= LARGE else 3 for content in files.values())
    cluster.wait_for_fragments(fragments)
    for victim in (cluster.nodes[0], cluster.nodes[3]):
        victim.kill()
    for file_id, content in files.items():
        assert cluster.rest.download(file_id) == content


def test_a_bucket_decides_for_new_files_that_ask_for_nothing_and_back_again(fleet):
    cluster = six_nodes(fleet)
    assert [entry["name"] for entry in bucket(cluster, "ls", "--json").lines()] == ["files"]
    assert bucket(cluster, "set-class", "files", "ec-4-2", "--json").json() == {
        "name": "files", "storageClass": "ec-4-2", "reencoding": None}
    content = make_bytes(LARGE, "new")
    assert cluster.rest.upload(content)["storageClass"] == "ec-4-2"
    asked = cluster.rest.request("POST", "/upload?storage-class=replicated-2", content, {"Content-Type": "application/octet-stream"})
    assert asked.json()["storageClass"] == "replicated-2"
    cluster.distributor.restart()
    cluster.rest = RESTClient(cluster.distributor.http_address)
    assert cluster.rest.upload(content)["storageClass"] == "ec-4-2"

    # Back to the cluster's default, what is there included.
    bucket(cluster, "set-class", "files", "default", "--reencode")
    wait_until(lambda: cluster.rest.cluster()["reencodings"] == [], 60, "all files have the class")
    assert classes(cluster) == {"replicated": 3}

    # Mistakes change nothing.
    bucket(cluster, "set-class", "nowhere", "ec-4-2", code=2)
    assert "needs 11 nodes, and there are 6" in bucket(cluster, "set-class", "files", "ec-8-3", code=1).errors
    assert "storageClass is" in bucket(cluster, "set-class", "files", "ec-four-two", code=1).errors
    for document in ({}, {"storageClass": 3}, {"storageClass": None}, {"storageClass": "ec-4-2", "force": True}, {"storageClass": "ec-4-2", "reencode": "yes"}):
        refused = cluster.rest.request_json("PUT", "/cluster/buckets/files/storage-class", document)
        assert refused.status == 400 and refused.problem()["type"].endswith("malformed-order"), f"{refused}"
    assert bucket(cluster, "ls", "--json").lines() == [{"name": "files", "storageClass": None, "reencoding": None}]
