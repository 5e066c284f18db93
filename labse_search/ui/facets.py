"""The bar of filters above the answers: what was found, counted by language, file type, folder and day it was added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from labse_search.naming import kind_name
from labse_search.records import StoredSegment
from labse_search.search.facets import Pools
from labse_search.ui.query import PERIOD_NAMES, PERIODS, Query
from labse_search.ui.strings import text

MOST = 8  # values of one group that are offered, besides those in force


def facets(pools: Pools, query: Query, now: float) -> list[dict[str, Any]]:
    """The groups that offer a choice, each with its values, the most frequent first. `now`: seconds since the epoch."""
    if not pools:
        return []
    languages = Counter(one.segment.language for one in pools["languages"])
    kinds = Counter(kind_name(one.kind) for one in pools["kinds"])
    folders = Counter(folder for one in pools["folders"] for folder in one.folders)
    shown = [
        _group("languages", [(code, code, code) for code in _offered(languages, query.languages)], languages, query),
        _group("kinds", [(kind, kind.upper(), "") for kind in _offered(kinds, query.kinds)], kinds, query),
        _group("folders", _folders(folders, query, len(pools["folders"])), folders, query),
        _periods(pools["added"], query, now),
    ]
    return [group for group in shown if len(group["values"]) > 1 or any(one["on"] for one in group["values"])]


def _offered(counts: Counter[str], on: Sequence[str]) -> list[str]:
    most = [value for value, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]]
    return list(dict.fromkeys([*most, *on]))


def _folders(counts: Counter[str], query: Query, total: int) -> list[tuple[str, str, str]]:
    """Without those that hold everything: they would narrow nothing."""
    telling = Counter({folder: n for folder, n in counts.items() if n < total})
    return [(folder, f"{folder}/", "") for folder in _offered(telling, query.folders)]


def _group(name: str, values: Sequence[tuple[str, str, str]], counts: Counter[str], query: Query) -> dict[str, Any]:
    on = getattr(query, name)
    rows = [
        {"value": value, "label": label, "lang": lang, "count": counts[value], "on": value in on}
        for value, label, lang in values
    ]
    return {"name": name, "values": rows}


def _periods(found: Sequence[StoredSegment], query: Query, now: float) -> dict[str, Any]:
    """Periods that tell anything: neither none of the passages nor, for the longer ones, the same as a shorter one."""
    rows: list[dict[str, Any]] = []
    last = 0
    for key, seconds in PERIODS.items():
        count = sum(one.added >= now - seconds for one in found) if key else 0
        on = key == query.added and bool(key)
        if key and (last < count < len(found) or on):
            label = text(PERIOD_NAMES[key])
            rows.append({"value": key, "label": label, "key": PERIOD_NAMES[key], "lang": "", "count": count, "on": on})
        last = max(last, count)
    return {"name": "added", "values": rows}
