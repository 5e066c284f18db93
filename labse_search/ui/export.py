"""Rows of passages as files for other programs: CSV for tables, Markdown for notes, JSON for everything else."""

from __future__ import annotations

import json
from collections.abc import Sequence

from labse_search.search.rows import Row, csv_text

KINDS = {"csv": "text/csv; charset=utf-8", "md": "text/markdown; charset=utf-8", "json": "application/json"}


def exported(rows: Sequence[Row], kind: str, heading: str) -> bytes:
    """`kind`: a key of KINDS. Every row has the same keys; "text", "title", "place" and "link" among them."""
    if kind == "json":
        return json.dumps(list(rows), ensure_ascii=False, indent=1).encode()
    return (csv_text(rows) if kind == "csv" else _markdown(rows, heading)).encode()


def _markdown(rows: Sequence[Row], heading: str) -> str:
    """A quotation each, its source under it."""
    blocks = [f"# {_plain(heading)}"] if heading else []
    for row in rows:
        quotation = "\n".join(f"> {line}" for line in str(row["text"]).splitlines() or [""])
        source = ", ".join(_plain(str(row[key])) for key in ("title", "place") if row.get(key))
        blocks.append(f"{quotation}\n>\n> — {source} ([link](<{row['link']}>))")
        if row.get("note"):
            blocks.append(_plain(str(row["note"])))
        if row.get("tags"):
            blocks.append(" ".join(f"`{str(tag).replace('`', '')}`" for tag in row["tags"]))
    return "\n\n".join(blocks) + "\n"


def _plain(text: str) -> str:
    """Without what Markdown would take for markup or HTML."""
    return "".join("\\" + letter if letter in "\\`*_[]<>#|" else letter for letter in text)
