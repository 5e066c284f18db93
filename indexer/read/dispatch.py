"""The chosen reader, and what every reader's answer goes through. Readers are imported when their first file comes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace

from indexer.read.detect import Choice, choose
from indexer.read.limits import DEFAULT_LIMITS, Account, Limits, Source
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note

Reader = Callable[[Source], Extraction]

# kind → (module, function)
_READERS = {
    "text": ("plain", "read_text"),
    "markdown": ("plain", "read_markdown"),
    "rest": ("plain", "read_rest"),
    "html": ("web", "read_html"),
    "xml": ("xmldocs", "read_xml"),
    "pdf": ("pdf", "read_pdf"),
    "docx": ("docx", "read_docx"),
    "pptx": ("pptx", "read_pptx"),
    "legacy": ("legacy", "read_legacy"),
    "spreadsheet": ("workbook", "read_workbook"),
    "delimited": ("delimited", "read_delimited"),
    "opendocument": ("opendocument", "read_opendocument"),
    "flat": ("opendocument", "read_flat"),
    "rtf": ("rich", "read_rtf"),
    "epub": ("epub", "read_epub"),
    "json": ("structured", "read_json"),
    "jsonl": ("structured", "read_json_lines"),
    "notebook": ("notebook", "read_notebook"),
    "subtitles": ("subtitles", "read_subtitles"),
    "mail": ("mail", "read_mail"),
    "mhtml": ("webarchive", "read_mhtml"),
    "mbox": ("mailbox", "read_mbox"),
    "emlx": ("mailbox", "read_emlx"),
    "msg": ("outlook", "read_msg"),
    "pst": ("outlook_store", "read_store"),
    "tnef": ("outlook", "read_tnef"),
    "latex": ("latex", "read_latex"),
    "bibtex": ("latex", "read_bibtex"),
    "calendar": ("cards", "read_calendar"),
    "contacts": ("cards", "read_contacts"),
    "properties": ("messages", "read_properties"),
    "strings": ("messages", "read_strings"),
    "gettext": ("messages", "read_gettext"),
    "warc": ("webarchive", "read_warc"),
    "plist": ("property_list", "read_property_list"),
    "excel_xml": ("excel_xml", "read_excel_xml"),
    "zip": ("unpacking", "read_zip"),
    "tar": ("unpacking", "read_tar"),
    "packed": ("unpacking", "read_packed"),
    "signed": ("signed", "read_signed"),
}
_OF_ONE_FAMILY = (
    frozenset(("json", "jsonl", "notebook")),
    frozenset(("mail", "mhtml", "emlx", "mbox")),
    frozenset(("opendocument", "flat")),
    frozenset(("xml", "flat", "excel_xml")),
    frozenset(("spreadsheet", "excel_xml")),
)


def read(name: str, content: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Extraction:
    """Units of text that are clean and not empty, with their places. Unreadable if there are none.

    `name` is a label with "/" separators; its extension helps where the content does not say what it is.
    """
    return _read(Source(name, content, Account(limits), reader=_read_deeper))


def _read(source: Source) -> Extraction:
    if not source.content.strip(b"\0 \t\r\n"):
        raise Unreadable("empty")
    if len(source.content) > source.account.limits.file_bytes:
        raise Unreadable("too_large", f"{len(source.content)} bytes")
    choice = choose(source)
    try:
        extraction = _reader(choice.kind)(source)
    except RecursionError:
        raise Unreadable("damaged", "nested too deeply") from None
    units = tuple(unit for unit in extraction.units if unit.text.strip())
    if not units:
        raise Unreadable("no_text", ", ".join(sorted({note.code for note in extraction.notes})))
    notes = (*extraction.notes, *_remarks(choice))
    reader = f"{choice.kind} ({choice.why})"
    # plain values only: they travel out of a sandbox that lets nothing else through
    return replace(extraction, units=units, notes=notes, reader=reader, holds=dict(extraction.holds))


def _remarks(choice: Choice) -> tuple[Note, ...]:
    """A note if a file is not what its name says."""
    if choice.named in (None, choice.kind) or any({choice.kind, choice.named} <= kin for kin in _OF_ONE_FAMILY):
        return ()
    return (Note("read_as", choice.kind),)


def _reader(kind: str) -> Reader:
    module, function = _READERS[kind]
    reader: Reader = getattr(importlib.import_module(f"indexer.read.{module}"), function)
    return reader


def _read_deeper(source: Source) -> Extraction:
    """A member or attachment. A surprise in one of a hundred members is a note, not the end of the others."""
    try:
        return _read(source)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise Unreadable("crashed", f"{type(error).__name__} in a member") from error
