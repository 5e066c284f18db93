"""Which reader for which file. Readers are imported when their first file comes."""

from __future__ import annotations

import importlib
import re
import zipfile
from collections.abc import Callable

from indexer.read.archive import Archive, is_link, is_skipped_silently, member_name, nested_place
from indexer.read.limits import DEFAULT_LIMITS, Account, Limits, Source
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

Reader = Callable[[Source], Extraction]

# kind → (module, function)
_READERS = {
    "text": ("plain", "read_text"),
    "markdown": ("plain", "read_markdown"),
    "rest": ("plain", "read_rest"),
    "html": ("web", "read_html"),
    "xml": ("xml", "read_xml"),
    "pdf": ("pdf", "read_pdf"),
    "docx": ("office", "read_docx"),
    "pptx": ("office", "read_pptx"),
    "spreadsheet": ("table", "read_spreadsheet"),
    "delimited": ("table", "read_delimited"),
    "opendocument": ("opendocument", "read_opendocument"),
    "rtf": ("rich", "read_rtf"),
    "epub": ("epub", "read_epub"),
    "json": ("structured", "read_json"),
    "jsonl": ("structured", "read_json_lines"),
    "notebook": ("structured", "read_notebook"),
    "subtitles": ("structured", "read_subtitles"),
}
_EXTENSIONS = {
    "text": "txt text log tex bib org adoc asciidoc textile wiki conf cfg ini toml yaml yml properties env po pot diff "
    "patch py pyi ipy js mjs cjs jsx ts tsx java kt kts scala groovy c h cc cpp cxx hpp hh cs go rs swift m mm php rb "
    "pl pm lua r jl hs ml mli fs clj cljs ex exs erl elm dart zig nim d pas f f90 ada asm s v vhd sql sh bash zsh fish "
    "bat cmd ps1 vue svelte css scss sass less graphql proto tf cmake mk gradle dockerfile",
    "markdown": "md markdown mdown mkd mdx qmd rmd",
    "rest": "rst rest",
    "html": "html htm xhtml xht shtml",
    "xml": "xml dbk docbook tei fb2 svg rss atom opml xliff xlf tmx ttml",
    "pdf": "pdf",
    "docx": "docx docm dotx dotm",
    "pptx": "pptx pptm ppsx ppsm potx",
    "spreadsheet": "xlsx xlsm xltx xlsb xls ods",
    "delimited": "csv tsv tab",
    "opendocument": "odt ott odp otp",
    "rtf": "rtf",
    "epub": "epub",
    "json": "json geojson webmanifest",
    "jsonl": "jsonl ndjson",
    "notebook": "ipynb",
    "subtitles": "srt vtt",
    "mail": "eml mht mhtml",
    "zip": "zip",
}
_KINDS = {extension: kind for kind, names in _EXTENSIONS.items() for extension in names.split()}
SUPPORTED = frozenset(_KINDS)

_OFFICE_KINDS = frozenset(("docx", "pptx", "spreadsheet", "opendocument", "epub"))  # ZIPs inside
# First bytes of what no reader is for. The rest of the world's binary files are known by their control bytes.
_FOREIGN = {
    b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar",
    b"(\xb5/\xfd": "zstd", b"\x89PNG": "picture", b"\xff\xd8\xff": "picture", b"GIF8": "picture", b"ID3": "sound",
    b"OggS": "sound", b"fLaC": "sound", b"\x7fELF": "program", b"MZ\x90": "program", b"SQLite format 3\0": "database",
    b"%!PS": "PostScript",
}  # fmt: skip
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # Office before 2007, and encrypted Office since


def read(name: str, content: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Extraction:
    """Units of text that are clean and not empty, with their places. Unreadable if there are none.

    `name` is a label with "/" separators; its extension helps where the content does not say what it is.
    """
    return _read(Source(name, content, Account(limits)))


def _read(source: Source) -> Extraction:
    if not source.content.strip(b"\0 \t\r\n"):
        raise Unreadable("empty")
    if len(source.content) > source.account.limits.file_bytes:
        raise Unreadable("too_large", f"{len(source.content)} bytes")
    kind, remarks = _kind(source)
    try:
        extraction = _reader(kind)(source)
    except RecursionError:
        raise Unreadable("damaged", "nested too deeply") from None
    units = tuple(unit for unit in extraction.units if unit.text.strip())
    if not units:
        raise Unreadable("no_text", ", ".join(sorted({note.code for note in extraction.notes})))
    return Extraction(units, extraction.kind, extraction.title, extraction.encoding, (*extraction.notes, *remarks))


def _reader(kind: str) -> Reader:
    if kind == "zip":
        return _read_zip
    if kind == "mail":
        from indexer.read.mail import read_mail

        return lambda source: read_mail(source, _read_deeper)
    module, function = _READERS[kind]
    reader: Reader = getattr(importlib.import_module(f"indexer.read.{module}"), function)
    return reader


def _kind(source: Source) -> tuple[str, tuple[Note, ...]]:
    """What to read it as, and a note if that is not what its name says."""
    named = _KINDS.get(source.extension)
    found = _signature(source, named)
    if found is None and (named in _OFFICE_KINDS or named in ("pdf", "rtf", "zip")):
        # A web page saved as .xls, a note called .pdf: if it is text, its words are there to be read.
        head = source.content[:4096].lstrip().lower()
        found = "html" if head.startswith((b"<html", b"<!doctype html")) or b"<table" in head else "text"
        if _looks_damaged(source.content):
            raise Unreadable("damaged", f"no {source.extension} inside")
    kind = found or named or "text"
    differs = named is not None and found is not None and found != named
    return kind, (Note("read_as", kind),) if differs else ()


def _looks_damaged(content: bytes) -> bool:
    """Bytes under a binary format's name that are no text either."""
    from indexer.read.charset import decode

    try:
        decode(content[: 1 << 16])
    except Unreadable:
        return True
    return False


def _signature(source: Source, named: str | None) -> str | None:
    """The kind that the first bytes prove, whatever the name says; None if they prove nothing."""
    content = source.content
    if b"%PDF-" in content[:1024] and (named == "pdf" or content.startswith(b"%PDF-")):
        return "pdf"
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _zip_kind(source, named)
    if content.startswith(b"{\\rtf"):
        return "rtf"
    if content.startswith(_OLE):
        return _ole_kind(content, named)
    for signature, what in _FOREIGN.items():
        if content.startswith(signature):
            raise Unreadable("unsupported", what)
    if content[257:262] == b"ustar":
        raise Unreadable("unsupported", "tar")
    return None


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
    if "content.xml" in names and "mimetype" in names:
        mimetype = source.content[30:120]  # stored, first: that is what the format demands
        return "spreadsheet" if b"spreadsheet" in mimetype or named == "spreadsheet" else "opendocument"
    if named in _OFFICE_KINDS:
        if named == "docx" and "[Content_Types].xml" in names:
            return "docx"  # some programs call the main part by another name
        raise Unreadable("damaged", f"a ZIP without the parts of {source.extension}")
    return "zip"


def _ole_kind(content: bytes, named: str | None) -> str:
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise Unreadable("encrypted", "encrypted Office file")
    if "Workbook".encode("utf-16-le") in content or "Book\0".encode("utf-16-le") in content:
        return "spreadsheet"
    if named == "spreadsheet":
        raise Unreadable("damaged", "no workbook inside")
    raise Unreadable("unsupported", "Office before 2007")


def _read_deeper(source: Source) -> Extraction:
    """A member or attachment. A surprise in one of a hundred members is a note, not the end of the others."""
    try:
        return _read(source)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise Unreadable("crashed", f"{type(error).__name__} in a member") from error


def _read_zip(source: Source) -> Extraction:
    """Every member, folders and archives inside included; what can't be read is noted with its reason."""
    if source.depth >= source.account.limits.depth:
        raise Unreadable("archive_too_deep", f"{source.depth} archives around it")
    archive = Archive(source)
    source.account.spend_members(len(archive.members))
    units: list[Unit] = []
    notes: list[Note] = []
    reasons: list[str] = []
    for member in archive.members:
        name = member_name(member)
        if member.filename.endswith("/") or is_skipped_silently(name):
            continue
        try:
            read_member = _read_member(archive, member, name, source)
        except Unreadable as error:
            reasons.append(error.code)
            notes.append(Note("member_skipped", f"{name}: {error.code}"))
            continue
        units += [Unit(unit.text, nested_place("member", name, unit.place)) for unit in read_member.units]
        notes += [_within(name, note) for note in read_member.notes]
    if not units:
        raise Unreadable(_overall(reasons), "; ".join(f"{note.code} {note.detail}" for note in notes[:5]))
    return Extraction(tuple(units), "zip", notes=tuple(notes))


def _read_member(archive: Archive, member: zipfile.ZipInfo, name: str, source: Source) -> Extraction:
    if is_link(member):
        raise Unreadable("link", "points to another file")
    return _read_deeper(Source(name, archive.read(member), source.account, source.depth + 1))


def _within(name: str, note: Note) -> Note:
    inner = note.detail if note.code == "member_skipped" else f": {note.detail}".rstrip(": ")
    return Note(note.code, f"{name}/{inner}" if note.code == "member_skipped" else f"{name}{inner}")


def _overall(reasons: list[str]) -> str:
    """Why a whole archive gives no text: the reason that all its members share."""
    if not reasons:
        return "empty"
    return reasons[0] if len(set(reasons)) == 1 and not re.fullmatch("link|crashed", reasons[0]) else "no_text"
