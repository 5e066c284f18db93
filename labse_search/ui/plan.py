"""What a drop would mean, before any work begins: how much of what, what is new, what cannot be read."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.read import SUPPORTED
from labse_search.library import Library, Source, document_id
from labse_search.ui.uploads import discard

NAMES = 5  # shown of each group
SNIFFED = 4096  # bytes; a NUL among them means that a file of unknown type is no text (UTF-16 has a byte order mark)
WAITING_PLANS = 64
WAITING_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Plan:
    """Sources sorted by what will become of them."""

    new: tuple[Source, ...]
    already: tuple[Source, ...] = ()
    unsupported: tuple[Source, ...] = ()
    too_large: tuple[tuple[str, int], ...] = ()  # (name, bytes): larger files are not even uploaded
    refused: tuple[str, ...] = ()
    failed: int = 0  # uploads that did not arrive
    seconds: float | None = None  # estimate, None when there was no run to learn from

    def value(self, token: str) -> dict[str, Any]:
        """For drop.js."""
        files, sizes = Counter[str](), Counter[str]()
        for source in (*self.new, *self.already, *self.unsupported):
            kind = extension(source.name)
            files[kind] += 1
            sizes[kind] += source.size
        unread = {extension(source.name) for source in self.unsupported}
        kinds = [
            {"kind": kind.upper(), "files": count, "bytes": sizes[kind], "supported": kind not in unread}
            for kind, count in files.most_common()
        ]
        return {
            "token": token,
            "new": len(self.new),
            "files": files.total(),
            "bytes": sizes.total(),
            "kinds": kinds,
            "already": _some([source.name for source in self.already]),
            "unsupported": _some([source.name for source in self.unsupported]),
            "too_large": _some([name for name, _ in self.too_large]),
            "refused": _some(self.refused),
            "failed": self.failed,
            "seconds": self.seconds,
        }


def make_plan(library: Library, collection: str, sources: Sequence[Source], *, max_file_bytes: int) -> Plan:
    """Sorts the sources. Reads every new file once, to know whether its content is there already."""
    stored = {row.document for row in library.documents(collection)}
    new, already, unsupported, too_large = [], [], [], []
    for source in sources:
        path = Path(source.path)
        if source.size > max_file_bytes:
            too_large.append((source.name, source.size))
        elif not _readable(path, source.name):
            unsupported.append(source)
        elif document_id(path) in stored:
            already.append(source)
        else:
            new.append(source)
    seconds = _estimate(library, sum(source.size for source in new))
    return Plan(tuple(new), tuple(already), tuple(unsupported), tuple(too_large), seconds=seconds)


def extension(name: str) -> str:
    """Lower case, without the dot; "" if there is none."""
    stem, dot, last = name.rpartition("/")[2].rpartition(".")
    return last.lower() if dot and stem and len(last) <= 8 else ""


@dataclass
class Waiting:
    """Plans that were shown and not yet started, by token. Lost with the process: the files are then swept."""

    _plans: dict[str, tuple[float, str, Plan]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, collection: str, plan: Plan) -> str:
        token = uuid.uuid4().hex
        with self._lock:
            limit = time.monotonic() - WAITING_SECONDS
            self._plans = {key: value for key, value in self._plans.items() if value[0] > limit}
            if len(self._plans) >= WAITING_PLANS:
                discard(self._plans.pop(next(iter(self._plans)))[2].new)
            self._plans[token] = (time.monotonic(), collection, plan)
        return token

    def take(self, token: object) -> tuple[str, Plan] | None:
        """(collection, plan), once; None if it is gone."""
        with self._lock:
            found = self._plans.pop(token, None) if isinstance(token, str) else None
        return (found[1], found[2]) if found else None

    def paths(self) -> list[str]:
        with self._lock:
            return [source.path for _, _, plan in self._plans.values() for source in plan.new]


def _readable(path: Path, name: str) -> bool:
    """By its extension; a file of another type may still be text."""
    if extension(name) in SUPPORTED:
        return True
    with path.open("rb") as file:
        head = file.read(SNIFFED)
    return b"\0" not in head or head.startswith((b"\xff\xfe", b"\xfe\xff"))


def _estimate(library: Library, size: int) -> float | None:
    """Seconds, at the speed in bytes of the latest finished job that took long enough to tell."""
    for job in library.jobs(limit=10):
        seconds = (job.finished or 0.0) - (job.started or 0.0)
        if job.state == "done" and seconds >= 2 and job.bytes_done:
            return size * seconds / job.bytes_done
    return None


def _some(names: Sequence[str]) -> dict[str, Any]:
    return {"n": len(names), "names": list(names[:NAMES])}
