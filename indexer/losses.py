"""Which documents lost something on their way in, and what: the ones to look at first.

Reads only the ledger's rows: characters left out of every passage, and what the readers noted.
"""

from __future__ import annotations

from collections.abc import Iterable

from labse_search.library import DocumentRow

BLANK = frozenset({"whitespace", "separator"})  # between paragraphs: nothing that anybody would miss
# Notes that tell of something in the file that no passage holds. The others tell how it was read.
NOTED = frozenset({
    "pages_without_text", "pages_damaged", "slides_damaged", "lines_damaged", "undecodable_bytes",
    "undecodable_characters", "member_skipped", "attachment_skipped", "body_skipped", "message_skipped", "unreadable",
    "frames_skipped", "outputs_cut", "formulas_without_value", "pictures_on_pages",
})  # fmt: skip


def losses(row: DocumentRow) -> dict[str, str]:
    """What was lost, by reason or note, with how much or which; empty where everything is in passages."""
    left_out = {reason: f"{count:,} characters" for reason, count in row.skipped.items() if count}
    noted = {note.code: note.detail for note in row.notes if note.code in NOTED}
    return {reason: how for reason, how in left_out.items() if reason not in BLANK} | noted


def with_losses(rows: Iterable[DocumentRow]) -> list[tuple[DocumentRow, dict[str, str]]]:
    """Those that lost something, the largest share of their characters first."""
    found = [(row, lost) for row in rows if (lost := losses(row))]
    return sorted(found, key=lambda one: (_share(one[0]), one[0].names))


def _share(row: DocumentRow) -> float:
    """The share of the characters that passages hold; of a document without any: 0."""
    return row.embedded / row.characters if row.characters else 0.0
