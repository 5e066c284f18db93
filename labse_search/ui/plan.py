"""The plan that the page shows after a drop: a preflight as a plain value, kept by token until it is started."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from indexer.preflight import Preflight, extension
from labse_search.naming import kind_name
from labse_search.ui.uploads import discard

NAMES = 5  # shown of each group
WAITING_PLANS = 64
WAITING_SECONDS = 6 * 3600


def plan_value(plan: Preflight, token: str) -> dict[str, Any]:
    """For drop.js."""
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

    _plans: dict[str, tuple[float, str, Preflight]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, collection: str, plan: Preflight) -> str:
        """Keep the plan for a while; the token under which `take` gives it."""
        token = uuid.uuid4().hex
        with self._lock:
            limit = time.monotonic() - WAITING_SECONDS
            self._plans = {key: value for key, value in self._plans.items() if value[0] > limit}
            if len(self._plans) >= WAITING_PLANS:
                discard(self._plans.pop(next(iter(self._plans)))[2].new)
            self._plans[token] = (time.monotonic(), collection, plan)
        return token

    def take(self, token: object) -> tuple[str, Preflight] | None:
        """(collection, plan), once; None if it is gone."""
        with self._lock:
            found = self._plans.pop(token, None) if isinstance(token, str) else None
        return (found[1], found[2]) if found else None

    def paths(self) -> list[str]:
        """Of all files that waiting plans would index."""
        with self._lock:
            return [source.path for _, _, plan in self._plans.values() for source in plan.new]


def _some(names: Sequence[str]) -> dict[str, Any]:
    return {"n": len(names), "names": list(names[:NAMES])}
