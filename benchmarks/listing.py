#!/usr/bin/env python3
"""What a page of a listing costs in a bucket of 10,000 keys and in one of a million, with and without a delimiter.

The keys are written straight into the database of a server that is stopped, as copies of one object that the server stored itself: a million
uploads would measure something else. Half of them lie under two common prefixes, which a listing with a delimiter has to skip. Pages are
asked for by turns, from places all over the bucket; the bodies are read, not parsed. Ends with 1 when the ratio of the medians is 1.5 or more.
"""

import argparse
import http.client
import random
import sqlite3
import sys
import time
from urllib.parse import quote

from measuring import median, table

from harness import EmbeddedServer, Fleet
from harness.s3 import Signer, root_environment, s3_client

BOUND = 1.5
SIZES = (10_000, 1_000_000)


def name(number: int, count: int) -> str:
    """Keys in byte order: a half directly in the bucket, the others under two prefixes."""
    if number < count // 2:
        return f"k{number:08}"
    return f"{'p' if number < count * 3 // 4 else 'q'}/{number:08}"


def seed(database: str, bucket: str, count: int) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(objects)")]
    (identifier,) = connection.execute("SELECT id FROM buckets WHERE name = ?", (bucket.encode(),)).fetchone()
    row = dict(zip(columns, connection.execute(f"SELECT {', '.join(columns)} FROM objects WHERE bucket = ?", (identifier,)).fetchone()))
    connection.execute("BEGIN")
    connection.execute("DELETE FROM objects WHERE bucket = ?", (identifier,))
    statement = f"INSERT INTO objects ({', '.join(columns)}) VALUES ({', '.join('?' for _ in columns)})"
    version = int.from_bytes(row["version"], "big")
    rows = (
        [{**row, "name": name(number, count).encode(), "version": (version + number).to_bytes(16, "big")}[column] for column in columns]
        for number in range(count)
    )
    connection.executemany(statement, rows)
    connection.execute("UPDATE counters SET value = value + ? WHERE name = 'objects'", (count - 1,))
    connection.execute("COMMIT")
    connection.close()


def page(connection: http.client.HTTPConnection, host: str, bucket: str, query: dict[str, str]) -> float:
    """Seconds for a page."""
    text = "&".join(f"{key}={quote(value, safe='')}" for key, value in sorted(query.items()))
    headers = Signer().headers("GET", host, f"/{bucket}", "UNSIGNED-PAYLOAD", query=text)
    start = time.perf_counter()
    connection.request("GET", f"/{bucket}?{text}", headers=headers)
    response = connection.getresponse()
    body = response.read()
    seconds = time.perf_counter() - start
    assert response.status == 200, body
    assert b"<KeyCount>1000</KeyCount>" in body or b"<IsTruncated>false</IsTruncated>" in body, body[:500]
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200, help="of each kind (default: 200)")
    parser.add_argument("--directory", help="where the data go for the time (default: the temporary directory)")
    options = parser.parse_args()
    chance = random.Random(1)
    with Fleet(options.directory) as fleet:
        server = EmbeddedServer(fleet, ["--log-level", "warning"], **root_environment())
        s3 = s3_client(server.process.listeners["s3"])
        for size in SIZES:
            s3.create_bucket(Bucket=f"keys-{size}")
            s3.put_object(Bucket=f"keys-{size}", Key="one", Body=b"content")
        server.process.stop()
        for size in SIZES:
            seed(str(server.process.data / "metadata" / "chunkflow.sqlite"), f"keys-{size}", size)
        server.process.start()
        host = "%s:%d" % server.process.listeners["s3"]
        connection = http.client.HTTPConnection(*server.process.listeners["s3"])
        kinds = {"flat": {}, "delimiter": {"delimiter": "/"}}
        found: dict[tuple[str, int], list[float]] = {(kind, size): [] for kind in kinds for size in SIZES}
        for _ in range(options.pages):
            place = chance.random() * 0.45
            for (kind, size), times in found.items():
                query = {"list-type": "2", "start-after": name(int(place * size), size), **kinds[kind]}
                times.append(page(connection, host, f"keys-{size}", query))
        # The prefixes hide half of the bucket: this page ends behind both.
        for size in SIZES:
            found["both prefixes", size] = [
                page(connection, host, f"keys-{size}", {"list-type": "2", "delimiter": "/", "start-after": name(size // 2 - 500, size)})
                for _ in range(options.pages)
            ]
    rows, worst = [], 0.0
    for kind in (*kinds, "both prefixes"):
        small, large = (median(found[kind, size]) for size in SIZES)
        worst = max(worst, large / small)
        rows.append([kind, f"{small * 1e3:.2f}", f"{large * 1e3:.2f}", f"{large / small:.2f}"])
    table(["page", *(f"ms, {size} keys" for size in SIZES), "ratio"], rows)
    return 0 if worst < BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
