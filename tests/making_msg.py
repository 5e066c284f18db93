"""An Outlook message (.msg) made by hand: a compound file of properties, as extract-msg reads it."""

from __future__ import annotations

import struct
from typing import Any

SECTOR, SMALL = 512, 64
_END, _FREE, _TABLE = -2, -1, -3
Tree = dict[str, Any]  # name → content, or the tree inside a folder


def msg(subject: str, body: str, attachment: tuple[str, bytes]) -> bytes:
    """A message with one attachment."""
    name, content = attachment
    attached = {
        "__substg1.0_3707001F": name.encode("utf-16-le"),
        "__substg1.0_37010102": content,
        "__properties_version1.0": bytes(8)
        + _properties((0x37050003, 1), (0x3707001F, 20), (0x37010102, len(content))),
    }
    head = bytes(8) + struct.pack("<IIII", 0, 1, 0, 1) + bytes(8)
    return _compound(
        {
            "__properties_version1.0": head + _properties((0x0037001F, 10), (0x1000001F, 20), (0x001A001F, 20)),
            "__nameid_version1.0": {f"__substg1.0_000{n}0102": b"" for n in (2, 3, 4)},
            "__substg1.0_001A001F": "IPM.Note".encode("utf-16-le"),
            "__substg1.0_0037001F": subject.encode("utf-16-le"),
            "__substg1.0_1000001F": body.encode("utf-16-le"),
            "__attach_version1.0_#00000000": attached,
        }
    )


def _properties(*entries: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<IIQ", tag, 6, value) for tag, value in entries)


class _Entry:
    def __init__(self, name: str, kind: int, content: bytes = b"") -> None:
        self.name, self.kind, self.content = name, kind, content
        self.right = self.child = _FREE
        self.start, self.size = _END, len(content)

    def packed(self) -> bytes:
        name = self.name.encode("utf-16-le") + b"\0\0"
        links = struct.pack("<HBBiii", len(name), self.kind, 1, _FREE, self.right, self.child)
        return name.ljust(64, b"\0") + links + bytes(36) + struct.pack("<iQ", self.start, self.size)


def _compound(tree: Tree) -> bytes:
    entries = [_Entry("Root Entry", 5)]
    _fill(entries, 0, tree)
    table: list[int] = []
    sectors: list[bytes] = []

    def store(content: bytes) -> int:
        start, count = len(sectors), -(-len(content) // SECTOR)
        sectors.extend(content[n * SECTOR : (n + 1) * SECTOR].ljust(SECTOR, b"\0") for n in range(count))
        table.extend([*range(start + 1, start + count), _END])
        return start

    small, chain = b"", list[int]()  # streams below 4,096 bytes lie in one of their own, in pieces of 64 bytes
    for entry in entries:
        if entry.content:
            entry.start, count = len(chain), -(-len(entry.content) // SMALL)
            chain += [*range(entry.start + 1, entry.start + count), _END]
            small += entry.content.ljust(count * SMALL, b"\0")
    entries[0].start, entries[0].size = store(small), len(small)
    chains = struct.pack(f"<{len(chain)}i", *chain)
    chains = chains.ljust(-(-len(chains) // SECTOR) * SECTOR, b"\xff")
    small_table = store(chains)
    directory = store(b"".join(entry.packed() for entry in entries))
    table.append(_TABLE)
    assert len(table) <= SECTOR // 4
    sectors.append(struct.pack(f"<{len(table)}i", *table).ljust(SECTOR, b"\xff"))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIiIIiIiI", 0, 1, directory, 0, 4096, small_table, len(chains) // SECTOR, _END, 0)
    return head + struct.pack("<109i", len(sectors) - 1, *[_FREE] * 108) + b"".join(sectors)


def _fill(entries: list[_Entry], parent: int, tree: Tree) -> None:
    previous: int | None = None
    for name in sorted(tree, key=lambda name: (len(name), name)):
        inside = tree[name]
        entries.append(_Entry(name, 2, inside) if isinstance(inside, bytes) else _Entry(name, 1))
        at = len(entries) - 1
        if previous is None:
            entries[parent].child = at
        else:
            entries[previous].right = at
        previous = at
        if not isinstance(inside, bytes):
            _fill(entries, at, inside)
