"""RTF in, text out."""

from __future__ import annotations

import re

from striprtf.striprtf import rtf_to_text

from indexer.read.clean import clean, join_surrogates, one_line
from indexer.read.limits import Source
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

# striprtf drops these groups as it drops fonts and pictures. They hold words: as paragraphs of their own they stay.
_KEPT = re.compile(
    r"\\(?:\*\s*\\)?(?:footnote|annotation|headerl|headerr|headerf|header|footerl|footerr|footerf|footer)(?![a-z])"
)
# Text boxes: striprtf drops the whole shape. Its properties are no words, and older programs have a copy of the box.
_SHAPES = (
    (re.compile(r"(?<!\\)\\sp(?![a-z])"), r"\\*\\sp"),
    (re.compile(r"(?<!\\)\\(?:\*\s*\\)?shprslt(?![a-z])"), r"\\par \\*\\shprslt"),
    (re.compile(r"(?<!\\)\\(?:\*\s*\\)?(?:shp|shpgrp|shpinst|do)(?![a-z])"), ""),
    (re.compile(r"(?<!\\)\\(?:shptxt|dptxbxtext)(?![a-z])"), r"\\par "),
)
# Of files that name a system instead of a code page.
_USUAL = {"\\mac\\": "mac-roman", "\\pc\\": "cp437", "\\pca\\": "cp850"}
_TITLE = re.compile(r"\{\\title ([^{}]{1,500})\}")


def read_rtf(source: Source) -> Extraction:
    """The text of an RTF file; Unreadable where its control words are broken."""
    markup = source.content.decode("latin-1")  # RTF is ASCII with escapes; bytes above pass through unchanged
    title = _TITLE.search(markup)
    markup = _KEPT.sub(r"\\par ", markup)
    for written, instead in _SHAPES:
        markup = written.sub(instead, markup)
    usual = next((encoding for word, encoding in _USUAL.items() if word in markup[:200]), "cp1252")
    try:
        text = _plain(markup, usual)
        name = _plain("{\\rtf1 " + title[1] + "}", usual) if title else ""
    except (ValueError, LookupError, IndexError, TypeError) as error:  # what striprtf raises on broken control words
        raise Unreadable("damaged", f"RTF: {type(error).__name__}") from None
    text = re.sub(r"[ \t]*\n\s*", "\n\n", clean(text)).strip()  # \\par ends a paragraph
    lost = text.count("\ufffd")
    notes = (Note("undecodable_bytes", str(lost)),) if lost else ()
    return Extraction((Unit(text),), "rtf", one_line(name) or None, notes=notes)


def _plain(markup: str, encoding: str) -> str:
    text: str = rtf_to_text(markup, encoding, errors="replace")  # type: ignore[no-untyped-call]
    return join_surrogates(text)
