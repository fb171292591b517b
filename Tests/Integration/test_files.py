"""The REST API as a client that behaves sees it."""

import hashlib
import re

import pytest
from harness import Connection, EmbeddedServer, crc32c, make_bytes, multipart_body, wait_until

CHUNK = 1 << 20
FILE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_an_upload_is_answered_with_everything_there_is_to_say_of_the_file(rest):
    content = make_bytes(150_001, 1)
    body, form_type = multipart_body([("file", "photo.jpeg", "image/jpeg", content)])
    response = rest.request("POST", "/upload", body, {"Content-Type": form_type})
    assert response.status == 201, f"{response}"
    file = response.json()
    assert FILE_ID.fullmatch(file["fileID"])
    assert file["name"] == "photo.jpeg"
    assert file["size"] == len(content)
    assert file["contentType"] == "image/jpeg"
    assert file["etag"].strip('"') == hashlib.md5(content).hexdigest()
    assert file["checksum"] == f"crc32c:{crc32c(content):08x}"
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", file["createdAt"])
    assert response.headers["Location"].endswith(file["fileID"])
    assert rest.request("GET", response.headers["Location"]).status == 200
    assert rest.request("GET", f"/files/{file['fileID']}").json() == file


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * CHUNK + 12_345])
def test_a_file_of_any_size_comes_back_bit_for_bit(rest, size):
    content = make_bytes(size, size)
    file = rest.upload(content)
    response = rest.try_download(file["fileID"])
    assert response.status == 200
    assert response.headers["Content-Length"] == str(size)
    assert response.body == content


@pytest.mark.parametrize("size", [0, 3 * CHUNK + 7])
def test_a_file_comes_back_bit_for_bit_through_separate_processes(shared_cluster, size):
    content = make_bytes(size, size)
    file = shared_cluster.rest.upload(content)
    assert shared_cluster.rest.download(file["fileID"]) == content


def test_a_raw_body_is_a_file(rest):
    content = make_bytes(70_000, "raw")
    response = rest.request("POST", "/upload?name=raw%20name.txt", content, {"Content-Type": "text/plain"})
    assert response.status == 201, f"{response}"
    file = response.json()
    assert (file["name"], file["contentType"], file["size"]) == ("raw name.txt", "text/plain", len(content))
    assert rest.download(file["fileID"]) == content


def test_an_upload_of_unknown_length_is_a_file(rest):
    pieces = [make_bytes(size, size) for size in (1, 300_000, 70_000, 5)]
    response = rest.request("POST", "/upload", iter(pieces), {"Content-Type": "application/octet-stream"})
    assert response.status == 201, f"{response}"
    assert rest.download(response.json()["fileID"]) == b"".join(pieces)


def test_several_file_parts_are_several_files(rest):
    contents = {f"part{number}.bin": make_bytes(size, number) for number, size in enumerate([10, CHUNK + 1, 0])}
    parts = [("comment", None, None, b"a field that is no file")]
    parts += [("file", name, "application/octet-stream", content) for name, content in contents.items()]
    body, form_type = multipart_body(parts)
    response = rest.request("POST", "/upload", body, {"Content-Type": form_type})
    assert response.status == 201, f"{response}"
    files = response.json()["files"]
    assert [file["name"] for file in files] == list(contents)
    for file in files:
        assert rest.download(file["fileID"]) == contents[file["name"]]


def test_an_empty_file_is_a_valid_file(rest):
    file = rest.upload(b"", name="empty")
    assert file["size"] == 0
    assert file["etag"].strip('"') == hashlib.md5(b"").hexdigest()
    assert file["checksum"] == "crc32c:00000000"
    response = rest.try_download(file["fileID"])
    assert (response.status, response.body, response.headers["Content-Length"]) == (200, b"", "0")
    assert rest.try_download(file["fileID"], "bytes=0-").status == 416


@pytest.fixture(scope="module")
def ranged(shared_server):
    content = make_bytes(3 * CHUNK + 1000, "ranged")
    return shared_server.rest.upload(content), content


@pytest.mark.parametrize(
    "text, start, end",
    [
        ("0-0", 0, 1),
        ("0-99", 0, 100),
        ("65530-65545", 65_530, 65_546),
        (f"{CHUNK - 1}-{CHUNK}", CHUNK - 1, CHUNK + 1),
        (f"100-{3 * CHUNK}", 100, 3 * CHUNK + 1),
        (f"{2 * CHUNK}-", 2 * CHUNK, 3 * CHUNK + 1000),
        ("-1", 3 * CHUNK + 999, 3 * CHUNK + 1000),
        ("-1500", 3 * CHUNK - 500, 3 * CHUNK + 1000),
        ("-99999999", 0, 3 * CHUNK + 1000),
        ("5-99999999", 5, 3 * CHUNK + 1000),
    ],
)
def test_a_range_gives_exactly_its_bytes(rest, ranged, text, start, end):
    file, content = ranged
    response = rest.try_download(file["fileID"], f"bytes={text}")
    assert response.status == 206, f"{response}"
    assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(content)}"
    assert response.headers["Content-Length"] == str(end - start)
    assert response.body == content[start:end]


@pytest.mark.parametrize("text", [f"{3 * CHUNK + 1000}-", "99999999-", "-0"])
def test_a_range_beyond_the_end_is_refused_with_the_size(rest, ranged, text):
    file, content = ranged
    response = rest.try_download(file["fileID"], f"bytes={text}")
    assert response.status == 416, f"{response}"
    assert response.headers["Content-Range"] == f"bytes */{len(content)}"
    response.problem()


@pytest.mark.parametrize("text", ["bytes=9-3", "bytes=x-y", "items=0-5", "bytes="])
def test_a_range_that_makes_no_sense_is_ignored(rest, ranged, text):
    file, content = ranged
    response = rest.try_download(file["fileID"], text)
    assert response.status == 200 and response.body == content, response.status


def test_conditions_decide_what_is_sent(rest, ranged):
    file, content = ranged
    path, etag = f"/download/{file['fileID']}", rest.request("HEAD", f"/download/{file['fileID']}").headers["ETag"]
    assert rest.request("GET", path, headers={"If-None-Match": etag}).status == 304
    assert rest.request("GET", path, headers={"If-None-Match": '"other"'}).status == 200
    assert rest.request("GET", path, headers={"If-None-Match": f'"other", {etag}'}).status == 304
    assert rest.request("GET", path, headers={"Range": "bytes=0-9", "If-Range": etag}).status == 206
    whole = rest.request("GET", path, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert whole.status == 200 and whole.body == content


def test_head_says_what_get_would_and_sends_nothing(rest, ranged):
    file, content = ranged
    path = f"/download/{file['fileID']}"
    head, get = rest.request("HEAD", path), rest.request("GET", path)
    assert head.status == 200 and head.body == b""
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Content-Disposition", "Accept-Ranges"):
        assert head.headers[name] == get.headers[name], name
    assert head.headers["Content-Length"] == str(len(content))
    assert head.headers["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..\\..\\windows\\system.ini", "/etc/passwd", "a;b=c.txt", "naïve – 文件.txt", "semi\tcolon", "..", "%2e%2e%2fx", "x" * 200],
)
def test_no_file_name_reaches_a_disk_or_breaks_a_header(rest, name):
    content = name.encode()
    body, form_type = multipart_body([("file", name, "text/plain", content)])
    response = rest.request("POST", "/upload", body, {"Content-Type": form_type})
    assert response.status in (201, 400), f"{response}"
    if response.status == 400:
        response.problem()
        return
    download = rest.try_download(response.json()["fileID"])
    assert download.body == content
    disposition = download.headers["Content-Disposition"]
    assert disposition.isascii() and disposition.startswith("attachment"), disposition
    offered = re.search(r'filename="((?:[^"\\]|\\.)*)"', disposition)
    if offered:
        assert "/" not in offered[1] and not offered[1].startswith(".."), disposition
    encoded = re.search(r"filename\*=UTF-8''([^;]*)", disposition)
    if encoded:
        assert "/" not in encoded[1] and "%2F" not in encoded[1].upper(), disposition


def test_a_file_name_cannot_add_headers_to_a_download(rest):
    body, form_type = multipart_body([("file", "NAME", "text/plain", b"x")])
    for injected in (b"a\\\r\nX-Injected: 1", b'a\\"; filename=b'):
        response = rest.request("POST", "/upload", body.replace(b"NAME", injected), {"Content-Type": form_type})
        assert response.status in (201, 400), f"{response}"
        if response.status == 201:
            assert rest.try_download(response.json()["fileID"]).headers["X-Injected"] is None


def test_a_deleted_file_is_gone_and_its_chunks_are_collected(fleet):
    server = EmbeddedServer(fleet, ["--chunk-size", "64KiB"])
    kept = server.rest.upload(make_bytes(300_000, 1))
    deleted = server.rest.upload(make_bytes(640_000, 2))
    server.wait_for_fragments(2 * (5 + 10))
    server.rest.delete(deleted["fileID"])
    for response in (
        server.rest.try_download(deleted["fileID"]),
        server.rest.request("GET", f"/files/{deleted['fileID']}"),
        server.rest.request("DELETE", f"/files/{deleted['fileID']}"),
    ):
        assert response.status == 404, f"{response}"
        response.problem()
    assert [file["fileID"] for file in server.rest.files()] == [kept["fileID"]]
    server.wait_for_fragments(2 * 5)
    assert server.rest.download(kept["fileID"]) == make_bytes(300_000, 1)


def test_pages_list_every_file_once_in_the_order_of_upload(fleet):
    server = EmbeddedServer(fleet, ["--nodes", "1", "--replicas", "1"])
    uploaded = [server.rest.upload(b"%d" % number, name=f"{number}.txt")["fileID"] for number in range(7)]
    listed, cursor, pages = [], None, 0
    while cursor or pages == 0:
        response = server.rest.request("GET", "/files?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        assert response.status == 200, f"{response}"
        page = response.json()
        assert len(page["files"]) <= 3
        listed += [file["fileID"] for file in page["files"]]
        cursor, pages = page.get("nextCursor"), pages + 1
    assert listed == uploaded
    assert pages == 3


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=many", "limit=99999999999999999999", "cursor=nonsense"])
def test_a_wrong_page_is_refused(rest, query):
    response = rest.request("GET", f"/files?{query}")
    assert response.status == 400, f"{response}"
    response.problem()


def test_every_answer_has_a_request_id_of_its_own(rest):
    ids = []
    for method, path in (("GET", "/files"), ("GET", "/cluster"), ("GET", "/nowhere"), ("GET", "/download/x"), ("GET", "/health/live")):
        response = rest.request(method, path)
        name = next((name for name in response.headers if re.fullmatch(r"(x-)?request-id", name, re.IGNORECASE)), None)
        assert name, dict(response.headers)
        ids.append(response.headers[name])
        if response.status >= 400:
            assert response.problem()["requestID"] == response.headers[name]
    assert len(set(ids)) == len(ids)


def test_the_log_names_the_request_that_an_answer_names(shared_server):
    response = shared_server.rest.request("GET", "/download/nonsense")
    request_id = response.problem()["requestID"]
    wait_until(lambda: request_id in shared_server.process.errors(), 5, f"a log line names {request_id}")


def test_a_connection_serves_one_request_after_another(shared_server):
    content = make_bytes(100_000, "keep alive")
    with Connection(shared_server.process.http_address) as connection:
        for _ in range(3):
            connection.send_head("POST", "/upload", {"Content-Type": "application/octet-stream", "Content-Length": len(content)})
            connection.send(content)
            created = connection.read_response()
            assert created.status == 201, f"{created}"
            connection.send_head("GET", f"/download/{created.json()['fileID']}", {})
            assert connection.read_response().body == content


def test_the_cluster_description_has_its_documented_form(shared_cluster):
    cluster = shared_cluster.rest.cluster()
    assert set(cluster) >= {"clusterID", "nodes", "layout", "objects", "repairQueueLength"}
    assert {node["address"] for node in cluster["nodes"]} == {node.address for node in shared_cluster.nodes}
    for node in cluster["nodes"]:
        assert node["state"] == "up" and FILE_ID.fullmatch(node["id"]), node
        assert node["capacityBytes"] > node["availableBytes"] > 0 and node["usedBytes"] >= 0, node
        assert node["fragmentCount"] >= 0 and node["quarantinedCount"] == 0 and node["lastSeenAt"], node
    assert set(cluster["layout"]) >= {"version", "partitionCount", "replicas", "writeQuorum"}
    assert set(cluster["objects"]) >= {"count", "bytes"}


def test_totals_count_what_is_stored(fleet):
    server = EmbeddedServer(fleet, ["--nodes", "2"])
    sizes = [0, 10, 100_000]
    files = [server.rest.upload(make_bytes(size, size)) for size in sizes]
    assert server.rest.cluster()["objects"] == {"count": 3, "bytes": sum(sizes)}
    server.rest.delete(files[2]["fileID"])
    assert server.rest.cluster()["objects"] == {"count": 2, "bytes": 10}
