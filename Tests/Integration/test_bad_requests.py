"""Clients that are wrong, hostile, or gone."""

import time

import pytest
from harness import Connection, EmbeddedServer, PacedDownload, PacedUpload, make_bytes, multipart_body, wait_until

CHUNK = 1 << 20


def file_ids(rest) -> set[str]:
    return {file["fileID"] for file in rest.files()}


# Identifiers


@pytest.mark.parametrize("path", ["/download/{}", "/files/{}"])
@pytest.mark.parametrize(
    "file_id, status",
    [
        ("01890a5d-ac96-774b-bcce-b302099a8057", 404),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", 404),
        ("nonsense", 400),
        ("01890a5d-ac96-774b-bcce-b302099a805", 400),
        ("01890a5d-ac96-774b-bcce-b302099a80577", 400),
        ("01890a5dac96774bbcceb302099a8057", 400),
        ("..%2f..%2fetc%2fpasswd", 400),
        ("%00", 400),
        ("%ff%fe", 400),
        ("a" * 4000, 400),
        ("'%20OR%201=1--", 400),
    ],
)
def test_an_unknown_file_is_404_and_a_malformed_name_400(rest, path, file_id, status):
    for method in ("GET", "HEAD") if path.startswith("/download") else ("GET", "DELETE"):
        response = rest.request(method, path.format(file_id))
        assert response.status == status, f"{method}: {response}"
        if method != "HEAD":
            response.problem()


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/download/", 404),
        ("GET", "/download/01890a5d-ac96-774b-bcce-b302099a8057/more", 404),
        ("GET", "/upload", 405),
        ("PUT", "/upload", 405),
        ("POST", "/download/01890a5d-ac96-774b-bcce-b302099a8057", 405),
        ("DELETE", "/cluster", 405),
    ],
)
def test_what_does_not_exist_is_refused_with_a_problem_document(rest, method, path, status):
    response = rest.request(method, path)
    assert response.status in (status, 404), f"{response}"
    response.problem()
    if response.status == 405:
        assert response.headers["Allow"]


# Bodies


def refused(response) -> None:
    assert response.status == 400, f"{response}"
    response.problem()


def test_a_form_without_a_file_is_refused(rest):
    body, form_type = multipart_body([("other", None, None, b"value")])
    refused(rest.request("POST", "/upload", body, {"Content-Type": form_type}))


def test_an_empty_form_is_refused(rest):
    refused(rest.request("POST", "/upload", b"--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"}))


def test_a_form_with_another_boundary_than_announced_is_refused(rest):
    before = file_ids(rest)
    body, _ = multipart_body([("file", "a", None, make_bytes(200_000, 1))], boundary="one")
    refused(rest.request("POST", "/upload", body, {"Content-Type": "multipart/form-data; boundary=another"}))
    assert file_ids(rest) == before


@pytest.mark.parametrize(
    "form_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "b" * 200]
)
def test_a_form_without_a_usable_boundary_is_refused(rest, form_type):
    body, _ = multipart_body([("file", "a", None, b"content")], boundary="b")
    refused(rest.request("POST", "/upload", body, {"Content-Type": form_type}))


def test_a_form_that_ends_without_its_last_boundary_leaves_nothing(rest):
    before = file_ids(rest)
    body, form_type = multipart_body([("file", "a", None, make_bytes(2 * CHUNK, 1))])
    refused(rest.request("POST", "/upload", body[:-30], {"Content-Type": form_type}))
    assert file_ids(rest) == before


def test_a_form_whose_second_file_is_broken_leaves_nothing(rest):
    before = file_ids(rest)
    body, form_type = multipart_body([("file", "a", None, make_bytes(1000, 1)), ("file", "b", None, make_bytes(CHUNK + 1, 2))])
    refused(rest.request("POST", "/upload", body[:-30], {"Content-Type": form_type}))
    assert file_ids(rest) == before


def test_part_headers_without_an_end_are_refused(rest):
    endless = b"--b\r\nContent-Disposition: form-data; name=\"file\"; x=\"" + b"y" * 1_000_000
    refused(rest.request("POST", "/upload", endless, {"Content-Type": "multipart/form-data; boundary=b"}))


def test_a_body_shorter_than_its_length_leaves_nothing(shared_server):
    before = file_ids(shared_server.rest)
    with Connection(shared_server.process.http_address) as connection:
        connection.send_head("POST", "/upload", {"Content-Type": "application/octet-stream", "Content-Length": 2 * CHUNK})
        connection.send(make_bytes(CHUNK + 100, 1))
        connection.end_sending()
        try:
            assert connection.read_response().status == 400
        except ConnectionError:
            pass  # There is nobody who must be answered.
    assert file_ids(shared_server.rest) == before


def test_what_follows_a_body_of_the_announced_length_is_not_part_of_the_file(shared_server):
    content = make_bytes(50_000, 1)
    with Connection(shared_server.process.http_address) as connection:
        connection.send_head("POST", "/upload", {"Content-Type": "application/octet-stream", "Content-Length": len(content)})
        connection.send(content + b"and more than was announced\r\n\r\n")
        created = connection.read_response()
        assert created.status == 201 and created.json()["size"] == len(content)
        try:
            assert connection.read_response().status == 400
        except ConnectionError:
            pass
    assert shared_server.rest.download(created.json()["fileID"]) == content


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "5", "Transfer-Encoding": "chunked"},
        {"Content-Length": "-5"},
        {"Content-Length": "five"},
        {"Content-Length": "99999999999999999999999"},
        {"Transfer-Encoding": "gzip"},
    ],
)
def test_a_body_whose_end_is_in_doubt_is_refused(shared_server, headers):
    before = file_ids(shared_server.rest)
    with Connection(shared_server.process.http_address) as connection:
        connection.send_head("POST", "/upload", {"Content-Type": "application/octet-stream", **headers})
        connection.send(b"0\r\n\r\n")
        assert connection.read_response().status in (400, 413, 501)
        assert connection.is_closed_within(10)
    assert file_ids(shared_server.rest) == before


def test_broken_chunked_framing_leaves_nothing(shared_server):
    before = file_ids(shared_server.rest)
    with Connection(shared_server.process.http_address) as connection:
        connection.send_head("POST", "/upload", {"Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked"})
        connection.send(b"10000\r\n" + make_bytes(0x10000, 1) + b"\r\nnot a length\r\n")
        assert connection.read_response().status == 400
    assert file_ids(shared_server.rest) == before


def test_a_head_that_is_too_large_is_refused(shared_server):
    with Connection(shared_server.process.http_address) as connection:
        connection.send_head("GET", "/files", {f"X-{number}": "v" * 8000 for number in range(12)})
        assert connection.read_response().status == 431


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\r\n\r\n\r\n\r\n", b"\0" * 100])
def test_what_is_no_http_ends_the_connection_and_nothing_else(shared_server, data):
    with Connection(shared_server.process.http_address) as connection:
        connection.send(data)
        connection.end_sending()
        assert connection.is_closed_within(10)
    assert shared_server.rest.is_ready()


# Expectations


def test_100_continue_is_answered_at_once(shared_server):
    content = make_bytes(CHUNK, "expectation")
    with Connection(shared_server.process.http_address) as connection:
        start = time.monotonic()
        connection.send_head(
            "POST", "/upload", {"Content-Type": "application/octet-stream", "Content-Length": len(content), "Expect": "100-continue"})
        status, _ = connection.read_head()
        assert status == 100
        assert time.monotonic() - start < 0.5
        connection.send(content)
        created = connection.read_response()
    assert created.status == 201, f"{created}"
    assert shared_server.rest.download(created.json()["fileID"]) == content


@pytest.mark.parametrize(
    "target, headers, status",
    [
        ("/upload", {"Content-Type": "multipart/form-data"}, 400),
        ("/nowhere", {"Content-Type": "application/octet-stream"}, 404),
        ("/cluster", {"Content-Type": "application/octet-stream"}, 405),
    ],
)
def test_a_refused_upload_is_refused_before_its_body_is_sent(shared_server, target, headers, status):
    with Connection(shared_server.process.http_address) as connection:
        start = time.monotonic()
        connection.send_head("POST", target, {**headers, "Content-Length": 1 << 40, "Expect": "100-continue"})
        first, _ = connection.read_head()
        assert first == status
        assert time.monotonic() - start < 0.5


def test_an_unknown_expectation_is_refused(shared_server):
    with Connection(shared_server.process.http_address) as connection:
        connection.send_head("POST", "/upload", {"Content-Length": 10, "Expect": "the-unexpected"})
        assert connection.read_response().status == 417


# Clients that leave


def test_a_client_that_hangs_up_in_mid_upload_leaves_nothing(fleet):
    server = EmbeddedServer(fleet, ["--chunk-size", "1MiB"])
    kept = server.rest.upload(make_bytes(3 * CHUNK, "kept"))
    server.wait_for_fragments(2 * 3)
    upload = PacedUpload(server.process.http_address, make_bytes(20 * CHUNK, "gone"))
    upload.send(9 * CHUNK + 77)
    wait_until(lambda: server.rest.fragment_count() > 2 * 3, 10, "chunks of the unfinished upload are on the nodes")
    assert file_ids(server.rest) == {kept["fileID"]}
    upload.connection.hang_up()
    server.wait_for_fragments(2 * 3)
    assert file_ids(server.rest) == {kept["fileID"]}
    assert server.rest.download(kept["fileID"]) == make_bytes(3 * CHUNK, "kept")


def test_a_client_that_hangs_up_in_mid_upload_leaves_nothing_on_separate_processes(shared_cluster):
    cluster = shared_cluster
    before, visible = wait_until_still(cluster.rest.fragment_count), file_ids(cluster.rest)
    upload = PacedUpload(cluster.distributor.http_address, make_bytes(20 * CHUNK, "gone"))
    upload.send(9 * CHUNK + 77)
    wait_until(lambda: cluster.rest.fragment_count() > before, 10, "chunks of the unfinished upload are on the nodes")
    upload.connection.hang_up()
    cluster.wait_for_fragments(before)
    assert file_ids(cluster.rest) == visible


def wait_until_still(value):
    """The value once it has stayed the same for longer than the nodes take to report."""
    history: list[tuple[float, int]] = []

    def is_still() -> bool:
        now = time.monotonic()
        history.append((now, value()))
        recent = [entry for at, entry in history if at > now - 2.5]
        return history[0][0] < now - 2.5 and len(set(recent)) == 1

    wait_until(is_still, 30, "the value stays the same", interval=0.2)
    return history[-1][1]


@pytest.mark.parametrize("server_name", ["shared_server", "shared_cluster"])
def test_clients_that_hang_up_in_mid_download_cost_nothing(server_name, request):
    server = request.getfixturevalue(server_name)
    process = server.process if hasattr(server, "process") else server.distributor
    content = make_bytes(24 * CHUNK, "download")
    file = server.rest.upload(content)
    open_before = process.open_files()
    for _ in range(10):
        download = PacedDownload(process.http_address, file["fileID"])
        assert download.take(CHUNK) == content[:CHUNK]
        download.connection.hang_up()
    assert server.rest.download(file["fileID"]) == content
    wait_until(lambda: process.open_files() <= open_before + 2, 10, "the connections are closed")


def test_a_client_that_reads_slowly_gets_everything_and_holds_nobody_up(shared_server):
    content = make_bytes(24 * CHUNK, "slow")
    file = shared_server.rest.upload(content)
    slow = PacedDownload(shared_server.process.http_address, file["fileID"])
    received = [slow.take(CHUNK)]
    memory = shared_server.process.memory_bytes()
    for _ in range(5):
        assert shared_server.rest.download(file["fileID"]) == content
    received.append(slow.rest())
    assert b"".join(received) == content
    # Five downloads of 24 MiB beside a slow one: what is buffered is a few pieces each.
    assert shared_server.process.memory_bytes("VmHWM") < memory + (128 << 20)


def test_many_silent_connections_hold_nobody_up(shared_server):
    silent = [Connection(shared_server.process.http_address) for _ in range(300)]
    for connection in silent[::2]:
        connection.send(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Le")
    start = time.monotonic()
    shared_server.rest.upload(make_bytes(CHUNK, "beside"))
    assert time.monotonic() - start < 5
    for connection in silent:
        connection.hang_up()
    wait_until(lambda: shared_server.process.open_files() < 200, 10, "the connections are closed")
