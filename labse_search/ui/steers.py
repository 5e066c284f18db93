"""What a question is steered by, in the page's address and as chips: [[weight, "DOCUMENT.INDEX"], [weight, "", text]].

A browser sent it: what is not of the right kind is left out, never repaired into something else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from labse_search.errors import UserError
from labse_search.records import StoredSegment, point_id
from labse_search.search.steer import Steer
from labse_search.ui.cards import CLIP_CHARACTERS, title
from labse_search.ui.events import MAX_NUMBER, is_document_id

MOST = 12  # chips
LONGEST = 20_000  # characters of all together


def read_steers(written: object) -> tuple[Steer, ...]:
    """Those that are well formed, each once."""
    if not isinstance(written, str) or not 2 < len(written) <= LONGEST:
        return ()
    try:
        rows = json.loads(written)
    except (ValueError, RecursionError):
        return ()
    found: dict[tuple[str, str], Steer] = {}
    for row in rows[:MOST] if isinstance(rows, list) else []:
        one = _steer(row) if isinstance(row, list) else None
        if one is not None:
            found.setdefault((one.passage, one.text), one)
    return tuple(found.values())


def write_steers(steers: Sequence[Steer]) -> str:
    """As `read_steers` reads it; "" for none."""
    rows = [[_short(one.weight), *(("", one.text) if one.text else (one.passage,))] for one in steers]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")) if rows else ""


def chips(steers: Sequence[Steer], stored: Mapping[str, StoredSegment]) -> list[dict[str, Any]]:
    """For steer.js; `stored` by point. A passage that is gone has no label."""
    return [_chip(one, None if one.text else stored.get(point_id(one.document, one.index))) for one in steers]


def _short(weight: float) -> float:
    """1 and not 1.0: as the browser writes it, so that an address stays the same."""
    return int(weight) if weight == int(weight) else weight


def _chip(one: Steer, stored: StoredSegment | None) -> dict[str, Any]:
    if one.text:
        return {"weight": one.weight, "passage": "", "text": one.text, "title": "", "lang": ""}
    clip = " ".join(stored.segment.text[: CLIP_CHARACTERS * 2].split())[:CLIP_CHARACTERS] if stored else ""
    name, language = (title(stored.names), stored.segment.language) if stored else ("", "")
    return {"weight": one.weight, "passage": one.passage, "text": clip, "title": name, "lang": language}


def _steer(row: list[Any]) -> Steer | None:
    weight, passage, *text = [*row, None, None][:3] if len(row) in (2, 3) else [None, None, None]
    if not isinstance(weight, int | float) or isinstance(weight, bool) or not isinstance(passage, str):
        return None
    document, _, index = passage.rpartition(".")
    question = text[0].strip() if text and isinstance(text[0], str) else ""
    named = is_document_id(document) and index.isascii() and index.isdecimal() and len(index) < 10
    if not question and not (named and int(index) < MAX_NUMBER):
        return None
    try:
        rounded = round(float(weight), 1)
        return Steer(rounded, text=question) if question else Steer(rounded, document=document, index=int(index))
    except (UserError, OverflowError):
        return None
