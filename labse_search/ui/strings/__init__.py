"""Every sentence on the page, in one place. The page's scripts get the same table, so a translation is one more table.

A value is a sentence with {placeholders}, or a pair (one, other) chosen by the placeholder {n}.
"""

from __future__ import annotations

from labse_search.ui.strings.align import ALIGN
from labse_search.ui.strings.library import LIBRARY
from labse_search.ui.strings.map import MAP
from labse_search.ui.strings.search import SEARCH
from labse_search.ui.strings.teach import TEACH

STRINGS: dict[str, str | tuple[str, str]] = {**SEARCH, **TEACH, **LIBRARY, **ALIGN, **MAP}

# Notes of the readers, as a person reads them; {detail} is "3-7", a number, or the name of an encoding or a member.
NOTES = {
    "pages_without_text": "Pages without text: {detail}. Install Tesseract and set LABSE_OCR=auto to read them.",
    "pages_damaged": "Damaged pages left out: {detail}.",
    "slides_damaged": "Damaged slides left out: {detail}.",
    "lines_damaged": "Damaged lines left out: {detail}.",
    "undecodable_bytes": "Some bytes were not readable as text ({detail}).",
    "undecodable_characters": "Some characters have no meaning outside the file's own font ({detail}).",
    "member_skipped": "Left out of the archive: {detail}.",
    "attachment_skipped": "Attachment left out: {detail}.",
    "body_skipped": "Part of the message left out: {detail}.",
    "navigation_skipped": "Menus and footers of the web page were left out.",
    "outputs_skipped": "Outputs of the notebook were left out.",
    "encoding_guessed": "Read as {detail}: a guess from its bytes.",
    "unreadable": "The model cannot read {detail}: found by their words only.",
    "read_as": "Read as {detail}, which is what it contains.",
    "read_as_text": "Read as plain text.",
    "message_skipped": "Mails of the mailbox left out: {detail}.",
    "encoding_mixed": "Two encodings in one file: {detail}.",
    "mojibake_repaired": "Letters that another program had garbled were repaired ({detail}).",
    "frames_skipped": "The page shows other pages in frames, which are files of their own ({detail}).",
    "outputs_cut": "Long outputs of the notebook were cut ({detail} cells).",
    "formulas_without_value": "Formulas without a stored result: {detail}. Open the file, save it, and add it again.",
    "hidden_columns": "Hidden columns are read, too: {detail}.",
    "pictures_on_pages": "Pages with pictures whose text is not read: {detail}.",
    "ocr": "Text recognised in pictures: {detail}.",
    "text_outside_page": "Text outside the visible page: {detail}.",
}

# Three questions in three scripts: for the sample collection, which answers them in other languages, and for others.
SAMPLE_QUESTIONS = (
    ("How are carpets cleaned with snow in winter?", "en"),
    ("Что означает чёрный конус на мачте в порту?", "ru"),
    ("শিশুদের চোখের পরীক্ষা কোন মাসে বিনামূল্যে হয়?", "bn"),
)
GENERAL_QUESTIONS = (
    ("What was decided, and who is responsible for it?", "en"),
    ("Сколько это стоит и до какого числа нужно заплатить?", "ru"),
    ("緊急のときはどうすればいいですか。", "ja"),
)


def text(key: str, **values: object) -> str:
    """The sentence of that key with its placeholders filled; numbers get thousands separators."""
    entry = STRINGS[key]
    template = entry if isinstance(entry, str) else entry[0] if values.get("n") == 1 else entry[1]
    return template.format(
        **{name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    )
