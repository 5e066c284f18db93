"""What a collection may be called, and how its generations are: one rule for the page, the commands and both stores.
And the one name of file types that are written in several ways.

A collection has generations: the same documents, by another model. `notes` means the one that answers; `notes@3` means
the third one, whether it answers or not.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

from labse_search.errors import UserError

LONGEST = 64  # characters
LONGEST_BYTES = 180  # in UTF-8: a folder's name may have 255, and what is written beside it needs some of them
_MARKS = frozenset(" -_.,+&()@'")
_GENERATION = re.compile(r"(.+)@([1-9][0-9]{0,5})", re.DOTALL)

# Ways to write one format, not formats that are like each other: docm is no docx.
_KINDS_ALIKE = {
    "html": "htm shtml", "xhtml": "xht", "yaml": "yml", "md": "markdown mdown mkd", "txt": "text", "rst": "rest",
    "adoc": "asciidoc", "tex": "latex ltx", "tsv": "tab", "jsonl": "ndjson", "docbook": "dbk", "xliff": "xlf",
    "smi": "sami", "ttml": "dfxp", "mhtml": "mht", "mbox": "mbx", "ics": "ical", "vcf": "vcard", "diff": "patch",
    "cpp": "cc cxx", "hpp": "hh", "tbz": "tbz2", "jpg": "jpeg jpe", "tiff": "tif",
}  # fmt: skip
_NAME_OF = {other: name for name, others in _KINDS_ALIKE.items() for other in others.split()}


def collection_name(text: str) -> str:
    """The name in composed form (NFC) and without space around it. UserError if it cannot be one: it becomes a folder
    and part of an address."""
    name = unicodedata.normalize("NFC", text).strip()
    letters = all(unicodedata.category(letter)[0] in "LMN" or letter in _MARKS for letter in name)
    fits = 0 < len(name) <= LONGEST and len(name.encode("utf-8", "replace")) <= LONGEST_BYTES
    if not letters or not fits or name[0] in ".@" or name[-1] == "." or _GENERATION.fullmatch(name):
        raise UserError(
            f"{text[:100]!r} cannot be the name of a collection. Use letters of any script, digits, spaces and "
            f"- _ . , + & ( ) ' @, up to {LONGEST} characters, with no dot at either end and no @ with a number at the "
            "end."
        )
    return name


def generation_name(collection: str, number: int) -> str:
    """What a store calls one generation of a collection: "notes@2"."""
    return f"{collection}@{number}"


def split_generation(name: str) -> tuple[str, int | None]:
    """("notes", 3) for "notes@3"; ("notes", None) for "notes"."""
    match = _GENERATION.fullmatch(name)
    return (match[1], int(match[2])) if match else (name, None)


def kind_name(kind: str) -> str:
    """The one name of a file type, with or without its dot: "html" for ".HTM"."""
    kind = kind.strip().lstrip(".").lower()
    return _NAME_OF.get(kind, kind)


def kind_spellings(kind: str) -> tuple[str, ...]:
    """All ways to write a file type, its name first."""
    name = kind_name(kind)
    return (name, *_KINDS_ALIKE.get(name, "").split())


def count_kinds(counts: Mapping[str, int]) -> dict[str, int]:
    """What was counted by file type, those of one name together, the most first."""
    counted = Counter[str]()
    for kind, count in counts.items():
        counted[kind_name(kind)] += count
    return dict(counted.most_common())
