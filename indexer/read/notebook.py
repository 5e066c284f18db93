"""Jupyter notebooks, of format 3 and 4: cells and what they printed."""

from __future__ import annotations

import json
from collections.abc import Iterator

from indexer.read.charset import decode
from indexer.read.clean import clean
from indexer.read.limits import Source
from indexer.read.structured import read_json
from labse_search.records import Extraction, Note, Unit

_SHOWN = ("text/markdown", "text/plain", "text/html", "text/latex")  # of an output's forms the first that it has
_LONGEST = 20_000  # code points of one cell's output: logs of a training run go on for megabytes


def read_notebook(source: Source) -> Extraction:
    """One unit a cell: its source; and one for what it printed, "part" output. Pictures are counted, not read.

    nbformat was tried: it refuses what does not validate, and to it format 3 must be converted first.
    """
    decoded = decode(source.content)
    try:
        book = json.loads(decoded.text)
        cells = list(_cells(book))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return read_json(source)
    units: list[Unit] = []
    pictures = cut = 0
    for number, cell in enumerate(cells):
        place: dict[str, str | int] = {"path": f"cells[{number}]"}
        text = _joined(cell.get("source", cell.get("input", "")))
        headings = ((0, len(text)),) if cell.get("cell_type") == "heading" and text else ()
        units.append(Unit(text, place, headings))
        printed, mute = _printed(cell)
        pictures += mute
        cut += len(printed) > _LONGEST
        units.append(Unit(printed[:_LONGEST], {**place, "part": "output"}))
    notes = [*decoded.notes, *([Note("outputs_skipped", str(pictures))] if pictures else [])]
    notes += [Note("outputs_cut", str(cut))] if cut else []
    title = _title(book)
    holds = {"cells": len(cells), **({"images without text": pictures} if pictures else {})}
    kept = tuple(unit for unit in units if unit.text.strip())
    return Extraction(kept, "ipynb", title, decoded.encoding, tuple(notes), holds=holds)


def _cells(book: dict[str, object]) -> Iterator[dict[str, object]]:
    sheets = book.get("worksheets")
    lists = [sheet["cells"] for sheet in sheets] if isinstance(sheets, list) else [book["cells"]]
    for cells in lists:
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            raise TypeError("no notebook")
        yield from cells


def _title(book: dict[str, object]) -> str | None:
    metadata = book.get("metadata")
    named = (metadata.get("title") or metadata.get("name")) if isinstance(metadata, dict) else None
    return clean(str(named))[:200] if named and isinstance(named, str) else None


def _joined(value: object) -> str:
    return clean("".join(map(str, value)) if isinstance(value, list) else str(value or "")).strip("\n")


def _printed(cell: dict[str, object]) -> tuple[str, int]:
    """What a person sees below the cell as words, and how many pictures."""
    outputs = cell.get("outputs")
    texts, pictures = [], 0
    for output in outputs if isinstance(outputs, list) else ():
        if not isinstance(output, dict):
            continue
        data = output.get("data", output)  # format 3 has the forms beside the type
        if output.get("output_type") in ("error", "pyerr"):
            texts.append(f"{output.get('ename', '')}: {output.get('evalue', '')}")
            continue
        text = _joined(output.get("text")) or _form(data)
        texts.append(text)
        if isinstance(data, dict) and any(
            str(key).startswith("image/") or key in ("png", "jpeg", "svg") for key in data
        ):
            pictures += 1
            if text.startswith("<") and text.endswith(">"):  # "<Figure size 640x480 with 1 Axes>"
                texts.pop()
    return "\n".join(text for text in texts if text.strip()), pictures


def _form(data: object) -> str:
    if not isinstance(data, dict):
        return ""
    for name in _SHOWN:
        value = data.get(name, data.get(name.partition("/")[2]))
        if value:
            text = _joined(value)
            if name != "text/html":
                return text
            from indexer.read.web import Page

            return "\n".join(unit.text for unit in Page(text).units())
    return ""
