"""Clients that store, read, check and delete at the same time, and remember what they were promised."""

import hashlib
import http.client
import random
import threading

from .content import make_bytes
from .rest import RESTClient


class Load:
    """`client_count` threads against one server, until `finish`.

    What was acknowledged is in `files`; `uncertain` counts the uploads whose answer was lost. `wrong` is what must never be: other bytes than
    those that were stored, or a file that is not there. `failures` is what may be when the server itself is away.
    """

    def __init__(self, rest: RESTClient, client_count: int, seed: int, largest: int, storage_classes: list[str | None] = [None]):
        """Each upload has one of `storage_classes`, None for the cluster's own."""
        self.rest = rest
        self.largest = largest
        self.storage_classes = storage_classes
        # SHA-256 by fileID.
        self.files: dict[str, bytes] = {}
        self.uncertain = 0
        self.wrong: list[str] = []
        self.failures: list[str] = []
        self.counts = {"upload": 0, "download": 0, "delete": 0}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed}/{number}"),), daemon=True) for number in range(client_count)
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client waits for an answer that does not come"

    def verify_everything(self) -> None:
        """After `finish`: every file that was acknowledged is there and whole, and nothing else but whole files is."""
        assert not self.wrong, self.wrong
        for file_id, digest in self.files.items():
            content = self.rest.download(file_id)
            assert hashlib.sha256(content).digest() == digest, f"{file_id} is not what was stored"
        listed = {file["fileID"]: file for file in self.rest.files()}
        assert set(self.files) <= set(listed), set(self.files) - set(listed)
        extra = set(listed) - set(self.files)
        assert len(extra) <= self.uncertain, f"{len(extra)} files that nobody stored, {self.uncertain} answers were lost"
        for file_id in extra:
            assert hashlib.md5(self.rest.download(file_id)).hexdigest() == listed[file_id]["etag"].strip('"')

    def _run(self, chance: random.Random) -> None:
        while not self._stopping.is_set():
            try:
                kind = chance.random()
                if kind < 0.45 or not self.files:
                    self._upload(chance)
                elif kind < 0.93:
                    self._download(chance)
                else:
                    self._delete(chance)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                self._stopping.wait(0.05)

    def _upload(self, chance: random.Random) -> None:
        size = int(self.largest ** chance.random())
        content = make_bytes(size, chance.random())
        try:
            response = self.rest.try_upload(content, storage_class=chance.choice(self.storage_classes))
        except (OSError, http.client.HTTPException):
            with self._lock:
                self.uncertain += 1
            raise
        if response.status != 201:
            return self._refused("upload", response)
        with self._lock:
            self.files[response.json()["fileID"]] = hashlib.sha256(content).digest()
            self.counts["upload"] += 1

    def _download(self, chance: random.Random) -> None:
        with self._lock:
            file_id = chance.choice(list(self.files))
            digest = self.files[file_id]
        response = self.rest.try_download(file_id)
        if response.status == 200:
            if hashlib.sha256(response.body).digest() != digest:
                self.wrong.append(f"{file_id} came back changed")
            self.counts["download"] += 1
        elif response.status == 404:
            with self._lock:
                if file_id in self.files:
                    self.wrong.append(f"{file_id} was acknowledged and is not there")
        else:
            self._refused(f"download of {file_id}", response)

    def _delete(self, chance: random.Random) -> None:
        with self._lock:
            file_id = chance.choice(list(self.files))
            # From now on it may be there or not.
            digest = self.files.pop(file_id)
            self.uncertain += 1
        response = self.rest.request("DELETE", f"/files/{file_id}")
        with self._lock:
            if response.status in (200, 204):
                self.uncertain -= 1
                self.counts["delete"] += 1
            elif response.status == 503:
                self.files[file_id] = digest
                self.uncertain -= 1
        if response.status not in (200, 204):
            self._refused("delete", response)

    def _refused(self, what: str, response) -> None:
        text = f"{what}: {response}"
        (self.failures if response.status == 503 else self.wrong).append(text)
        self._stopping.wait(0.05)
