"""Which reader a file is for: by its content first (first bytes, then structure), by its name second, by the type that
the file around it gives it third. Plain text is what is left."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from indexer.read.archive import Archive
from indexer.read.charset import decode
from indexer.read.kinds import BINARY, BY_EXTENSION, BY_TYPE, ENVELOPE, ZIPPED
from indexer.read.limits import Account, Source
from indexer.read.signed import is_sealed
from indexer.read.structured import is_assigned_json
from labse_search.errors import Unreadable

# First bytes of what no reader is for. The rest of the world's binary files are known by their control bytes.
_FOREIGN = {
    b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar", b"(\xb5/\xfd": "zstd", b"MSCF": "cabinet",
    b"\x89PNG": "picture", b"\xff\xd8\xff": "picture", b"GIF8": "picture", b"II*\0": "picture", b"MM\0*": "picture",
    b"8BPS": "picture", b"ID3": "sound", b"OggS": "sound", b"fLaC": "sound", b"\x1aE\xdf\xa3": "film",
    b"\x7fELF": "program", b"MZ\x90": "program", b"\xca\xfe\xba\xbe": "program", b"\0asm": "program",
    b"SQLite format 3\0": "database", b"\0\x01\0\0Standard ": "database", b"PAR1": "table of a database",
    b"%!PS": "PostScript", b"AT&TFORM": "DjVu", b"ITSF": "help of Windows", b"\xffWPC": "WordPerfect",
    b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d": "OneNote", b"\xde\x12\x04\x95": "translations as a program has them",
    b"\x95\x04\x12\xde": "translations as a program has them",
}  # fmt: skip
# The same, where the mark stands further in: (at, mark).
_FOREIGN_INSIDE = {
    (4, b"ftyp"): "film, sound or picture", (8, b"WEBP"): "picture", (8, b"WAVEfmt"): "sound", (8, b"AVI LIST"): "film",
    (60, b"BOOKMOBI"): "book of a Kindle", (60, b"TEXtREAd"): "book of a Palm",
}  # fmt: skip
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # Office before 2007, Outlook messages, and encrypted Office since
_READ = {
    b"\x78\x9f\x3e\x22": "tnef", b"!BDN": "pst", b"bplist00": "plist",
    b"\x1f\x8b": "packed", b"BZh": "packed", b"\xfd7zXZ\0": "packed",
}  # fmt: skip
_HEAD = 8192  # bytes that are looked at for a structure
_JUNK = 65_536  # bytes before a PDF that mail programs, web servers and scanners may have left there
_NOT_SNIFFED = frozenset(("markdown", "rest", "delimited", "latex", "notebook"))  # a name that says enough


class Choice(NamedTuple):
    """The kind of a file and why."""

    kind: str
    why: str  # "its first bytes", "its structure", "its name", "its declared type", "nothing else"
    named: str | None  # the kind that the name stands for


def choose(source: Source) -> Choice:
    """Unreadable("unsupported", "encrypted", "damaged") if the content is known for what no reader is for."""
    named = BY_EXTENSION.get(source.extension)
    kind = _signature(source, named)
    if kind is not None:
        return Choice(kind, "its first bytes", named)
    head = _head(source.content)
    kind = _structure(source, head, named)
    if kind is not None:
        return Choice(kind, "its structure", named)
    if named in BINARY:
        return Choice(_text_named(source, head, named), "nothing else", named)
    if named is not None and not (named in ("mail", "mhtml", "mbox", "emlx") and not _HEADER.match(head)):
        return Choice(named, "its name", named)
    declared = BY_TYPE.get(source.declared)
    if declared is not None and declared not in BINARY:
        return Choice(declared, "its declared type", named)
    return Choice("text", "nothing else", named)


def has_reader(head: bytes) -> bool:
    """Whether the first bytes of a file say that a reader is for it, whatever it is called; a text says nothing."""
    zipped = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
    known = (*_READ, *zipped, _OLE, b"\xff\xfe", b"\xfe\xff")
    return head.startswith(known) or b"%PDF-" in head or head.startswith(b"ustar", 257) or is_sealed(head)


def _signature(source: Source, named: str | None) -> str | None:
    """The kind that the first bytes prove, whatever the name says; None if they prove nothing."""
    content = source.content
    if is_sealed(content):
        return "signed"
    if content.startswith(b"%PDF-") or _pdf_after_junk(content, named):
        return "pdf"
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _zip_kind(source, named)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:5] == b"{\\rtf":
        return "rtf"
    if content.startswith(_OLE):
        return _ole_kind(content, named)
    for signature, kind in _READ.items():
        if content.startswith(signature):
            return kind
    _refuse_foreign(content)
    return "tar" if content.startswith(b"ustar", 257) else None


def _refuse_foreign(content: bytes) -> None:
    for signature, what in _FOREIGN.items():
        if content.startswith(signature):
            raise Unreadable("unsupported", what)
    for (at, mark), what in _FOREIGN_INSIDE.items():
        if content.startswith(mark, at) and b"\0" in content[:_HEAD]:
            raise Unreadable("unsupported", what)


def _pdf_after_junk(content: bytes, named: str | None) -> bool:
    at = content.find(b"%PDF-", 0, _JUNK)
    return at >= 0 and (named == "pdf" or b"startxref" in content[-2048:] and content[at + 5 : at + 6].isdigit())


def _zip_kind(source: Source, named: str | None) -> str:
    names = set(
        Archive(Source(source.name, source.content, Account(source.account.limits))).names(r"[^/]*|[^/]*/[^/]*")
    )
    for kind, marks in (
        ("docx", ("word/document.xml",)),
        ("pptx", ("ppt/presentation.xml",)),
        ("spreadsheet", ("xl/workbook.xml", "xl/workbook.bin")),
        ("epub", ("META-INF/container.xml",)),
    ):
        if any(mark in names for mark in marks):
            return kind
    mimetype = source.content[30:120]  # stored, first: that is what OpenDocument and EPUB demand
    if "mimetype" in names and b"application/epub+zip" in mimetype:
        return "epub"
    if "content.xml" in names and "mimetype" in names:
        return (
            "spreadsheet"
            if re.search(rb"spreadsheet|xml\.calc", mimetype) or named == "spreadsheet"
            else "opendocument"
        )
    if named == "epub" and any(name.lower().endswith((".opf", ".xhtml", ".html", ".htm")) for name in names):
        return "epub"
    if any(re.fullmatch(r"Index/\w+\.iwa|Index\.zip", name) for name in names):
        raise Unreadable("unsupported", "Pages, Numbers or Keynote")
    if named in ZIPPED:
        if named == "docx" and "[Content_Types].xml" in names:
            return "docx"  # some programs call the main part by another name
        raise Unreadable("damaged", f"a ZIP without the parts of {source.extension}")
    return "zip"


def _ole_kind(content: bytes, named: str | None) -> str:
    def holds(name: str) -> bool:
        return name.encode("utf-16-le") in content

    if holds("EncryptedPackage"):
        raise Unreadable("encrypted", "encrypted Office file")
    if holds("__properties_version1.0") or holds("__substg1.0_"):
        return "msg"
    if holds("Workbook") or holds("Book\0"):
        return "spreadsheet"
    if holds("WordDocument") or holds("PowerPoint Document"):
        return "legacy"
    if named == "spreadsheet":
        raise Unreadable("damaged", "no workbook inside")
    raise Unreadable("unsupported", "an unknown program's file")


def _head(content: bytes) -> str:
    """The beginning as text, for looking at its structure; "" if it is none."""
    head = content[:_HEAD]
    if b"\0" in head or head.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return decode(content[:_HEAD]).text.lstrip()
        except Unreadable:
            return ""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n \t").decode("latin-1").replace("\r\n", "\n")


# A header of a mail, and names that only mails have: "Title:" and "Date:" also stand above notes in Markdown.
_HEADER = re.compile(r"[!-9;-~]{1,76}:(?:[ \t].*)?(?:\n|$)")
_CONTINUED = re.compile(r"[ \t].*(?:\n|$)")
_ENVELOPE = re.compile(r">?From .*\n")
_MIME = re.compile(r"mime-version:.*\n(?:[ \t].*\n)*content-type:", re.I)
_SAVED_PAGES = frozenset(("mhtml", "legacy", "docx", "spreadsheet"))  # a web page that Office was given to open
_OF_MAIL = frozenset(
    "received return-path message-id mime-version delivered-to dkim-signature x-mailer x-original-to reply-to "
    "content-transfer-encoding in-reply-to thread-index x-mozilla-status user-agent".split()
)
_USUAL = frozenset("from to cc subject date sender bcc".split())
_MBOX = re.compile(ENVELOPE + r"(?:>?From .*\n)?[!-9;-~]{1,76}:")
_CUE = re.compile(
    r"(?:\d{1,6}\s*\n)?\s*(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3}[ \t]*--?>[ \t]*(?:\d{1,3}:)?\d{1,2}:\d{2}"
)
_OTHER_CUES = re.compile(r"[{\[]\d+[}\]][{\[]\d+[}\]]|\d{1,2}:\d\d:\d\d\.\d{2,3},\d{1,2}:\d\d:\d\d\.\d{2,3}\s*\n")
_ELEMENT = re.compile(r"<([\w.:-]+)")
_ENTRY = re.compile(
    r"(?:%.*\n|\s)*@(?:article|book|inproceedings|incollection|misc|phdthesis|techreport|string|comment|online|inbook|"
    r"proceedings|mastersthesis|manual|unpublished|preamble|report|thesis)\s*[{(]",
    re.I,
)
_BEGINNINGS = {
    "WARC/1.": "warc", "WARC/0.": "warc", "BEGIN:VCALENDAR": "calendar", "BEGIN:VCARD": "contacts",
    "WEBVTT": "subtitles", "[Script Info]": "subtitles",
}  # fmt: skip
_BEFORE_ROOT = (("<?", "?>"), ("<!--", "-->"), ("<!", ">"))
_CAPTIONS = frozenset(("sami", "tt", "timedtext", "transcript"))
_HTML_ROOTS = frozenset(("html", "head", "body"))


def _structure(source: Source, head: str, named: str | None) -> str | None:
    """The kind that the beginning of a text shows; None if it shows none."""
    if _MBOX.match(head):
        return "mbox"
    first, _, rest = head.partition("\n")
    if first.strip().isdigit() and _is_mail(rest):
        return "emlx"
    if _is_mail(head):
        return "mhtml" if named in _SAVED_PAGES else "mail"
    if named in _SAVED_PAGES and _MIME.match(head):
        return "mhtml"
    for begin, kind in _BEGINNINGS.items():
        if head.startswith(begin):
            return kind
    if _CUE.match(head) or _OTHER_CUES.match(head):
        return "subtitles"
    if named in _NOT_SNIFFED:
        return None
    if head.startswith("<"):
        return _markup_kind(source, head, named)
    if head.startswith(("{", "[")) and named in (None, "text", "json", "jsonl"):
        return _json_kind(source, head, named)
    if named in (None, "text") and source.extension in ("", "txt", "text", "bak", "old", "orig", "js"):
        return _source_kind(source, head)
    return None


def _source_kind(source: Source, head: str) -> str | None:
    """Texts that are written for a program, under a name that says nothing."""
    if source.extension in ("", "js") and is_assigned_json(head, source.content):
        return "json"
    if source.extension == "js":
        return None
    if re.search(r"^\s*\\document(?:class|style)\b", head, re.M):
        return "latex"
    if _ENTRY.match(head):
        return "bibtex"
    po = re.search(r'^msgid "', head, re.M) and re.search(r'^msgstr(?:\[0\])? "', head, re.M)
    return "gettext" if po else None


def _is_mail(head: str) -> bool:
    envelope = _ENVELOPE.match(head)
    at, names = envelope.end() if envelope else 0, set[str]()
    while header := _HEADER.match(head, at):
        names.add(header[0].partition(":")[0].lower())
        at = header.end()
        while continued := _CONTINUED.match(head, at):
            at = continued.end()
    if at < len(head) and head[at] != "\n" and at < _HEAD // 2:
        return False  # the headers of a mail end with an empty line
    return bool(names & _OF_MAIL and names & (_USUAL | {"received"})) or ("from" in names and len(names & _USUAL) > 1)


def _markup_kind(source: Source, head: str, named: str | None) -> str | None:
    if re.match(r"<!doctype html|<html[\s>]", head, re.I):
        return "html"
    root = _root(head)
    if root is not None and root.lower().rpartition(":")[2] in _CAPTIONS:
        return "subtitles"
    if root is None or named not in (
        None,
        "text",
        "html",
        "xml",
        "flat",
        "spreadsheet",
        "docx",
        "legacy",
        "opendocument",
    ):
        return None
    name = root.lower()
    if name in _HTML_ROOTS:
        return "html"
    if name == "office:document":
        return "flat"
    if name == "workbook" and "urn:schemas-microsoft-com:office:spreadsheet" in head:
        return "excel_xml"
    if head.startswith("<?xml") or head.lower().startswith("<!doctype"):
        return "xml"
    if named in ("spreadsheet", "legacy") or (
        named is None and name in ("table", "div", "p", "meta", "font", "center")
    ):
        return "html"
    whole = source.content.rstrip().endswith(f"</{root}>".encode())
    return "xml" if named is None and (whole or "xmlns" in head[:2000]) else None


def _root(head: str) -> str | None:
    """The name of the outermost element, behind declarations and comments."""
    at = 0
    while at < len(head):
        at += len(head[at:]) - len(head[at:].lstrip())
        ending = next((end for begin, end in _BEFORE_ROOT if head.startswith(begin, at)), None)
        if ending is None:
            element = _ELEMENT.match(head, at)
            return element[1] if element else None
        if ending == ">" and 0 <= head.find("[", at) < head.find(">", at):
            ending = "]>"
        found = head.find(ending, at)
        at = found + len(ending) if found >= 0 else len(head)
    return None


def _json_kind(source: Source, head: str, named: str | None) -> str | None:
    lines = [line for line in head.split("\n")[:4] if line.strip()]
    whole = lines[:-1] if len(source.content) > _HEAD and len(lines) < 4 else lines
    if len(whole) > 1 and all(_is_object(line) for line in whole):
        return "jsonl"
    if named == "jsonl":
        return None
    if '"nbformat"' in head or ('"cells"' in head and '"cell_type"' in head):
        return "notebook"
    if named is None:
        try:
            json.loads(source.content)
        except (ValueError, RecursionError):
            return None
        return "json"
    return None


def _is_object(line: str) -> bool:
    line = line.strip()
    if not (line.startswith("{") and line.endswith("}")) and not (line.startswith("[") and line.endswith("]")):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _text_named(source: Source, head: str, named: str) -> str:
    """A web page saved as .xls, a note called .pdf: if it is text, its words are there to be read."""
    try:
        decode(source.content[: 1 << 16])
    except Unreadable:
        raise Unreadable("damaged", f"no {source.extension} inside") from None
    start = head[:4096].lower()
    if start.startswith(("<html", "<!doctype html")) or "<table" in start:
        return "html"
    return "delimited" if named == "spreadsheet" and re.search(r"[\t;,].*\n.*[\t;,]", head) else "text"
