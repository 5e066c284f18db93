"""The plan that the page shows after a drop: a preflight as a plain value, kept by token until it is started."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from indexer.preflight import Preflight, extension
from labse_search.naming import kind_name
from labse_search.ui.uploads import discard

NAMES = 5  # shown of each group
WAITING_PLANS = 64
WAITING_SECONDS = 6 * 3600


@dataclass(frozen=True)
class WaitingPlan:
    """A plan that was shown and not yet started."""

    collection: str
    plan: Preflight
    folder: str = ""  # the folder that it is of, if that can be watched


def plan_value(waiting: WaitingPlan, token: str) -> dict[str, Any]:
    """For drop.js."""
    plan = waiting.plan
    files, sizes = Counter[str](), Counter[str]()
    for source in (*plan.new, *plan.already, *plan.unsupported):
        kind = kind_name(extension(source.name))
        files[kind] += 1
        sizes[kind] += source.size
    unread = {kind_name(extension(source.name)) for source in plan.unsupported}
    kinds = [
        {"kind": kind.upper(), "files": count, "bytes": sizes[kind], "supported": kind not in unread}
        for kind, count in files.most_common()
    ]
    return {
        "token": token,
        "collection": waiting.collection,
        "folder": waiting.folder,
        "new": len(plan.new),
        "files": files.total(),
        "bytes": sizes.total(),
        "kinds": kinds,
        "already": _some([source.name for source in plan.already]),
        "unsupported": _some([source.name for source in plan.unsupported]),
        "too_large": _some([name for name, _ in plan.too_large]),
        "refused": _some([*plan.refused, *(source.name for source in plan.passed_over)]),
        "failed": plan.failed,
        "seconds": plan.seconds,
        "passages": plan.passages,
        "rate": plan.rate,
    }


@dataclass
class Waiting:
    """Plans that were shown and not yet started, by token. Lost with the process: the files are then swept."""

    _plans: dict[str, tuple[float, WaitingPlan]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, waiting: WaitingPlan) -> str:
        """Keep the plan for a while; the token under which it is found."""
        token = uuid.uuid4().hex
        with self._lock:
            limit = time.monotonic() - WAITING_SECONDS
            self._plans = {key: value for key, value in self._plans.items() if value[0] > limit}
            if len(self._plans) >= WAITING_PLANS:
                discard(self._plans.pop(next(iter(self._plans)))[1].plan.new)
            self._plans[token] = (time.monotonic(), waiting)
        return token

    def find(self, token: str) -> WaitingPlan | None:
        """The plan, which waits on; None if it is gone."""
        with self._lock:
            return self._plans[token][1] if token in self._plans else None

    @contextmanager
    def taken(self, token: str) -> Iterator[WaitingPlan | None]:
        """The plan, once; None if it is gone. If what is done with it fails, it waits on."""
        with self._lock:
            found = self._plans.pop(token, None)
        try:
            yield found[1] if found else None
        except BaseException:
            if found:
                with self._lock:
                    self._plans[token] = found
            raise

    def paths(self) -> list[str]:
        """Of all files that waiting plans would index."""
        with self._lock:
            return [source.path for _, waiting in self._plans.values() for source in waiting.plan.new]


def _some(names: Sequence[str]) -> dict[str, Any]:
    return {"n": len(names), "names": list(names[:NAMES])}
