"""XML documents of any kind in, their text out: in elements, in attributes, and in markup inside of either.

Feeds, outlines, notebooks, books, translation memories, dumps of forums and telephones are all read by one set of
rules about names that these formats use; what no rule knows is read as plain elements with text.
"""

from __future__ import annotations

import base64
import html
import re
import zlib
from urllib.parse import unquote_to_bytes

from indexer.read.charset import Decoded, decode
from indexer.read.clean import clean
from indexer.read.limits import Source
from indexer.read.markup import is_markup, without_cdata
from indexer.read.sections import Sections
from indexer.read.web import Page
from indexer.read.xml import events
from indexer.read.xml_mended import mended
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

# Elements that run inside a sentence, in the document formats we know (DocBook, TEI, FictionBook, SVG, Word): around
# any other element the text breaks.
_INLINE = frozenset(
    "a b i u em strong emphasis hi span tspan sub sup code literal link ref foreign term bold italic g font tt abbr "
    "acronym cite q persname placename quote ulink xref w:t w:r style lb pb cb milestone".split()
)
_BREAKS = frozenset("lb pb cb".split())  # of an old book's lines and pages, inside its sentences
# Inside one text of a translation memory: codes of the format that was translated, and what marks them.
_SEGMENTS = frozenset("seg source target".split())
_CODES = frozenset("bpt ept ph it ut".split())
_MARKS = _CODES | frozenset("x bx ex mrk pc sc ec sm em hi sub".split())

# Their text is no text: pictures, programs, and the codes of another format inside a translation.
_UNSEEN = frozenset(
    "binary binarydata bindata pkg:binarydata office:binary-data script recognition en-crypt "
    "lastbuilddate pubdate guid ttl docs generator cloud".split()
)
_PICTURES = frozenset("binary data binarydata bindata pkg:binarydata office:binary-data".split())
_CONTAINERS = frozenset(
    "section body chapter article part appendix preface book bookinfo info articleinfo sect1 sect2 sect3 sect4 sect5 "
    "div div1 div2 div3 item entry note channel feed document placemark folder page post".split()
)
_NAMES = frozenset(("title", "head"))  # of a container: its heading
_RECORDS = frozenset("trans-unit unit tu row sms mms record message string-array".split())
# Attributes that hold text in the formats that keep it there, and those that look like text and are none.
_TEXT = frozenset(
    "text title body _note note description summary label caption alt comment message contact_name subject aboutme "
    "displayname tags headline content".split()
)
_SHOWN = {"mxcell": "value", "glyphs": "unicodestring"}  # whatever it is, it is drawn: draw.io's, XPS's
_NO_TEXT = frozenset(
    "style class d points transform viewbox href src id type schemalocation xsi:schemalocation version encoding lang "
    "xml:lang charset font font-family rel mime media values keytimes path xmlurl htmlurl url ct fn created modified "
    "o:gfxdata".split()
)
_REFERENCE = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_ATTRIBUTE = re.compile(r"([\w:.-]{1,60})\s*=\s*\"([^\"<]*)\"")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([n'\"@?\\]))")
_WORD = re.compile(r"[^\W\d_]{2,}")
_NO_LETTERS = re.compile(r"[^a-zA-Z\u00aa-\U0010ffff]*")
_ADDRESS = re.compile(r"(?:[a-z][a-z+.-]{1,20}:|/|#)\S*|[\w.-]*\d[\w.-]*", re.I)


def read_xml(source: Source) -> Extraction:
    """What is not well formed is mended, or read as it stands, without its tags: its words are there all the same."""
    decoded = _decoded(source)
    document = _Document()
    try:
        document.follow(decoded.text.lstrip().encode())
    except Unreadable as error:
        if error.code != "damaged":
            raise
        document = _Document()
        try:
            document.follow(mended(decoded.text).lstrip().encode())
        except Unreadable:
            return _as_text(decoded)
    holds = {"images without text": document.pictures} if document.pictures else {}
    found = document.sections
    return Extraction(found.units(), "xml", found.first_heading, decoded.encoding, decoded.notes, holds=holds)


def _decoded(source: Source) -> Decoded:
    head = source.content[:200].decode("latin-1")
    declared = head.partition('encoding="')[2].partition('"')[0] or head.partition("encoding='")[2].partition("'")[0]
    return decode(source.content, declared)


def well_formed(source: Source) -> bytes:
    """The document in UTF-8, with the damage that programs often do to XML mended; it may be damaged all the same."""
    return mended(_decoded(source).text).lstrip().encode()


def _as_text(decoded: Decoded) -> Extraction:
    """Without tags, but with those of their attributes that hold text."""

    def said(tag: re.Match[str]) -> str:
        texts = [value for key, value in _ATTRIBUTE.findall(tag[0]) if _is_text(key.lower(), value)]
        return f" {' '.join(texts)} " if texts else " "

    text = re.sub(r"<!\[CDATA\[|\]\]>", "", decoded.text)
    text = clean(html.unescape(re.sub(r"</?[A-Za-z_!?][^<>]{0,20000}>", said, text))).rstrip()
    notes = (*decoded.notes, Note("read_as_text"))
    return Extraction((Unit(text, {"line": 1}),), "xml", None, decoded.encoding, notes)


class _Document:
    def __init__(self) -> None:
        self.sections = Sections()
        self.pictures = 0
        self._parts: list[str] = []
        self._depth = 0  # of containers
        self._names = 0  # open elements that name their container
        self._unseen = 0
        self._records = 0
        self._segments = 0
        self._open: list[str] = []

    def follow(self, content: bytes) -> None:
        for kind, name, attributes in events(content, encoding="utf-8"):
            if kind == "text":
                if not self._unseen:
                    self._parts.append(name)
            elif kind == "start":
                self._start(name.lower(), attributes)
            else:
                self._end(name.lower())
        self._flush()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._unseen:
            self._unseen += 1
            return
        if not self._is_inline(name):
            self._flush()
        if self._is_unseen(name, attributes):
            self._unseen = 1
            self.pictures += name in _PICTURES
            return
        if name in _NAMES and self._open and self._open[-1] in _CONTAINERS:
            self._names += 1
        if name in _BREAKS and attributes.get("break") != "no":
            self._parts.append(" ")
        self._open.append(name)
        self._segments += name in _SEGMENTS
        if name in _CONTAINERS:
            self._depth += 1
        elif name in _RECORDS:
            self._records += 1
            self.sections.record(self._records)
        if attributes:
            self._attributes(name, attributes)

    def _is_unseen(self, name: str, attributes: dict[str, str]) -> bool:
        if name == "style":  # a sheet in a drawing, words in a book
            return self._open[:1] == ["svg"]
        if name == "data":  # Evernote's files, and anybody's texts
            return attributes.get("encoding") == "base64"
        return name in _UNSEEN or (self._segments > 0 and name in _CODES)

    def _is_inline(self, name: str) -> bool:
        return (
            name in _INLINE
            or (name == "c" and self._open[:1] == ["abiword"])
            or (self._segments > 0 and name in _MARKS)
        )

    def _attributes(self, name: str, attributes: dict[str, str]) -> None:
        shown = _SHOWN.get(name)
        texts = [_readable(v) for key, v in attributes.items() if key.lower() == shown or _is_text(key.lower(), v)]
        if texts:
            self._flush()
            self.sections.paragraph("\n".join(dict.fromkeys(text for text in texts if text)))

    def _end(self, name: str) -> None:
        if self._unseen:
            self._unseen -= 1
            return
        if name == "diagram" and self._open[:1] == ["mxfile"] and (packed := "".join(self._parts).strip()):
            self._parts.clear()
            self.follow(unpacked_diagram(packed))
        if not self._is_inline(name):
            self._flush()
        self._open.pop()
        self._segments -= name in _SEGMENTS
        if name in _NAMES and self._names and self._open and self._open[-1] in _CONTAINERS:
            self._names -= 1
        elif name in _CONTAINERS:
            self._depth -= 1

    def _flush(self) -> None:
        raw = "".join(self._parts)
        self._parts.clear()
        if not raw or raw.isspace():
            return
        text = _readable(_unescaped(raw) if "\\" in raw and self._open[:1] == ["resources"] else raw)
        if not text:
            return
        if self._names and len(text) <= 300:
            self.sections.heading(max(1, self._depth), text)
        else:
            self.sections.paragraph(text)


def _readable(text: str) -> str:
    """Without the markup of its own, and with letters for references that were written twice."""
    if is_markup(text):
        return "\n\n".join(unit.text for unit in Page(without_cdata(text)).units())
    text = " ".join(text.split())
    return html.unescape(text) if "&" in text and _REFERENCE.search(text) else text


def unpacked_diagram(packed: str) -> bytes:
    """The page of a drawing that draw.io keeps deflated, in base64, under the escapes of an address; as it stands if it
    is none. Unreadable if it is broken, or a bomb."""
    try:
        deflated, unpack = base64.b64decode(packed, validate=True), zlib.decompressobj(-15)
        found = unpack.decompress(deflated, max(1 << 20, 200 * len(deflated)))
    except (ValueError, zlib.error) as error:
        raise Unreadable("damaged", f"draw.io: {error}") from None
    if unpack.unconsumed_tail:
        raise Unreadable("archive_bomb", "draw.io: a page that unpacks to too much")
    return unquote_to_bytes(found)


def _unescaped(text: str) -> str:
    """A text of an Android program without its backslashes."""
    return _ESCAPE.sub(
        lambda escape: chr(int(escape[1], 16)) if escape[1] else {"n": "\n"}.get(escape[2], escape[2]), text
    )


def _is_text(key: str, value: str) -> bool:
    if key in _NO_TEXT or key.startswith("xmlns") or _NO_LETTERS.fullmatch(value):
        return False
    if key in _TEXT:
        return _ADDRESS.fullmatch(value) is None and value not in ("null", "none", "true", "false")
    return sum(1 for word in value[:400].split() if _WORD.search(word)) > 2 and _ADDRESS.match(value[:8]) is None
