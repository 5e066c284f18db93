"""A map as a file for other programs (JSON, CSV), or as a page that needs no app (HTML)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from labse_search.files import written_aside
from labse_search.map.file import PassageMap
from labse_search.places import describe_place
from labse_search.records import StoredSegment, point_id
from labse_search.search.rows import csv_text
from labse_search.store import Store

KINDS = (".json", ".csv", ".html")
AT_ONCE = 500


def map_rows(store: Store, known: PassageMap) -> list[dict[str, Any]]:
    """Every passage of the map that is still there: its place on the map, its topic, and what it says."""
    topics = {topic.number: [word for _, words in topic.terms for word in words] for topic in known.topics}
    rows = []
    for row, stored in _stored(store, known):
        x, y = known.positions[row].tolist()
        rows.append(
            {
                "x": round(x, 4), "y": round(y, 4), "topic": int(known.groups[row]),
                "terms": topics.get(int(known.groups[row]), []), "language": stored.segment.language,
                "kind": stored.kind, "folder": known.folders.values[known.folders.of[row]],
                "document": stored.names[0] if stored.names else "", "document_id": stored.document,
                "index": stored.segment.index, "place": describe_place(stored.segment.place),
                "text": stored.segment.text,
            }
        )  # fmt: skip
    return rows


def write_map(path: Path, rows: Sequence[dict[str, Any]], title: str) -> None:
    """By the file's ending, one of KINDS; whole or not at all."""
    if path.suffix == ".json":
        content = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    elif path.suffix == ".csv":
        content = csv_text(rows)
    else:
        content = _page(rows, title)
    with written_aside(path) as lines:
        lines.write(content)


def _page(rows: Sequence[dict[str, Any]], title: str) -> str:
    """The rows as data in a page whose one script draws them; texts only ever become text."""
    data = json.dumps({"title": title, "rows": rows}, ensure_ascii=False).replace("<", "\\u003c")
    template = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    return template.replace("{data}", data)


def _stored(store: Store, known: PassageMap) -> Iterator[tuple[int, StoredSegment]]:
    names = known.documents.texts()
    points = [point_id(name, int(index)) for name, index in zip(names, known.indexes, strict=True)]
    for start in range(0, len(points), AT_ONCE):
        found = store.by_point(known.collection, points[start : start + AT_ONCE])
        for row, point in enumerate(points[start : start + AT_ONCE], start):
            if point in found:
                yield row, found[point]
