"""What a node has on its disk, read past the node: docs/formats/segment.md."""

import random
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from .process import StorageProcess

HEADER_SIZE = 4096
BLOCK_SIZE = 64 * 1024
ALIGNMENT = 64
RECORD_HEADER = struct.Struct("<QQQIIQQIHBBII")
FRAGMENT = 1


@dataclass(frozen=True)
class Record:
    path: Path
    offset: int
    # As logs name it.
    fragment: str
    kind: int
    sequence: int
    payload_size: int
    end: int

    @property
    def chunk(self) -> str:
        return self.fragment.rpartition(".")[0]

    @property
    def payload(self) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(self.offset + RECORD_HEADER.size)
            return file.read(self.payload_size)

    def flip_bit(self, chance: random.Random) -> None:
        """Somewhere in the payload."""
        place = self.offset + RECORD_HEADER.size + chance.randrange(self.payload_size)
        with open(self.path, "r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1 << chance.randrange(8)]))


def mix64(value: int) -> int:
    mask = (1 << 64) - 1
    value = (value ^ value >> 30) * 0xBF58_476D_1CE4_E5B9 & mask
    value = (value ^ value >> 27) * 0x94D0_49BB_1331_11EB & mask
    return value ^ value >> 31


def records(path: Path) -> Iterator[Record]:
    """Those of one segment, dead ones too."""
    data = path.read_bytes()
    salt = int.from_bytes(data[16:24], "little")
    offset = HEADER_SIZE
    while offset + RECORD_HEADER.size <= len(data):
        mark, high, low, index, payload_size, sequence, _, _, descriptor_size, number, kind, _, _ = RECORD_HEADER.unpack_from(data, offset)
        if mark != mix64(salt + offset & (1 << 64) - 1):
            offset += ALIGNMENT
            continue
        table_size = 4 * -(-payload_size // BLOCK_SIZE)
        end = offset + -(-(RECORD_HEADER.size + payload_size + table_size + descriptor_size) // ALIGNMENT) * ALIGNMENT
        name = f"{high:016x}{low:016x}"
        blob = "-".join((name[:8], name[8:12], name[12:16], name[16:20], name[20:]))
        yield Record(path, offset, f"{blob}/{index}.{number}", kind, sequence, payload_size, end)
        offset = end


def living_fragments(node: StorageProcess) -> dict[str, Record]:
    """The record that counts of each fragment on a node, by the fragment's name. Of a node that writes nothing at the moment."""
    latest: dict[str, Record] = {}
    for path in node.segments():
        for record in records(path):
            if record.fragment not in latest or latest[record.fragment].sequence < record.sequence:
                latest[record.fragment] = record
    return {name: record for name, record in latest.items() if record.kind == FRAGMENT}
