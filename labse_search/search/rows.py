"""Rows of equal keys as a CSV that spreadsheets open, and run nothing of."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
BYTE_ORDER_MARK = "\ufeff"  # of UTF-8, which Excel wants


def csv_text(rows: Sequence[Row]) -> str:
    """With the encoding's mark in front; the first row's keys are the header. No rows, no header."""
    lines = io.StringIO()
    if rows:
        writer = csv.DictWriter(lines, fieldnames=list(rows[0]), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows([{key: _cell(value) for key, value in row.items()} for row in rows])
    return BYTE_ORDER_MARK + lines.getvalue()


def _cell(value: object) -> object:
    """Lists as one cell; a text that a spreadsheet would run as a formula with an apostrophe before it."""
    if isinstance(value, list | tuple):
        value = ", ".join(str(one) for one in value)
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value
