"""The plain values that travel between the stages, and nothing else.

file → Extraction (Units with places) → Segments → vectors → store → Found → Hit → card on the page.
All offsets are code points into the document's text, which is `Extraction.text`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

# Where in the source a person would find it. Keys, all optional: page, pages, slide, slides, sheet, row, line,
# section, chapter, title, time, path (inside JSON), paragraph, member (inside an archive), message (its number in a
# mailbox), attachment, part.
Place = Mapping[str, str | int]

Mode = Literal["meaning", "words", "both"]
Intent = Literal["about", "translation"]  # what answers a question, or what says the same in another language

UNIT_SEPARATOR = "\n"
UNKNOWN_LANGUAGE = "unknown"

FACTS = ("reader", "holds")  # codes of notes that tell of no loss: which reader and why, what the file holds

_POINTS = uuid.UUID("6f1c2b9e-5d0a-5c7b-9c53-1abe5ea2c400")


@dataclass(frozen=True, slots=True)
class Unit:
    """A page, slide, row, section: text that no segment may cross the border of."""

    text: str
    place: Place = field(default_factory=dict)
    # Code points of `text` that only name what follows: headings, the names of a table's columns. In order, apart.
    headings: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something the reader of a file should tell the person: a key (pages_without_text, pages_damaged,
    lines_damaged, undecodable_bytes, member_skipped, encoding_guessed, unreadable) and what it concerns ("3-7")."""

    code: str
    detail: str = ""


@dataclass(frozen=True)
class Extraction:
    """All that was read from one file."""

    units: tuple[Unit, ...]
    kind: str  # the format that was read: "pdf", "docx", "text", ...
    title: str | None = None
    encoding: str | None = None
    notes: tuple[Note, ...] = ()
    reader: str = ""  # which reader was chosen, and why: "mail (its headers)"
    # What the file holds as far as its format tells, read or not: {"messages": 2, "attachments": 1}.
    holds: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The document's text, which every offset refers to."""
        return UNIT_SEPARATOR.join(unit.text for unit in self.units)

    def unit_starts(self) -> list[int]:
        """The code point at which each unit begins in `text`."""
        starts, at = [], 0
        for unit in self.units:
            starts.append(at)
            at += len(unit.text) + len(UNIT_SEPARATOR)
        return starts


@dataclass(frozen=True, slots=True)
class Segment:
    """One to a few sentences that fill, and never exceed, the model's window."""

    index: int  # position in the document, from 0
    start: int
    end: int  # text == document text[start:end]
    text: str
    language: str  # ISO 639-1, or "unknown"
    place: Place
    sentences: tuple[tuple[int, int], ...] = ()  # code points, relative to the segment's own text
    headings: tuple[int, ...] = ()  # which of `sentences` are headings or names of columns: context, never an answer
    unreadable: bool = False  # most of it lies in tokens that the model does not know: its vector says nothing


@dataclass(frozen=True)
class StoredSegment:
    """A segment with what a search needs to know of its document: what the store keeps beside the vector."""

    document: str  # document_id() of the file's content
    names: tuple[str, ...]  # the same content under every name it was added with, relative with "/" separators
    folders: tuple[str, ...]  # every folder above those names, for filtering
    kind: str  # file type for filtering: the lower-case extension, or Extraction.kind
    added: float  # seconds since the epoch
    segment: Segment

    @cached_property
    def point(self) -> str:
        """Its id in every store."""
        return point_id(self.document, self.segment.index)


@dataclass(frozen=True)
class Filter:
    """Which segments a search may return. Empty fields filter nothing; all that is given must hold."""

    languages: tuple[str, ...] = ()
    not_languages: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    not_documents: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    added_after: float | None = None  # seconds since the epoch, inclusive
    added_before: float | None = None  # exclusive
    indexes: tuple[int, ...] = ()  # segment indexes, for single passages


@dataclass(frozen=True)
class Found:
    """One segment that the store found. `score` is the cosine for a search by meaning, BM25 for one by words."""

    stored: StoredSegment
    score: float


@dataclass(frozen=True)
class CollectionSpec:
    """What a collection was made for. Vectors of two models never mix."""

    dimension: int
    fingerprint: str  # Encoder.fingerprint
    model: str  # name or path, to tell a person which one


@dataclass(frozen=True)
class CollectionInfo:
    """What a store says of a collection."""

    name: str
    spec: CollectionSpec
    segments: int
    words: int = 1  # folding.VERSION that its words were folded with
    owner: str = ""  # home_id() of the home that may change it; "" for the embedded store's and old ones on a server
    generation: int = 1  # which one this is


@dataclass(frozen=True, slots=True)
class Link:
    """A word of the question and the word of the passage that is closest in meaning, each the other's best."""

    question: tuple[int, int]  # code points in the question
    passage: tuple[int, int]  # code points in the segment's text
    score: float  # cosine of the two words


STRENGTHS = ("far", "related", "close", "very close")


@dataclass(frozen=True)
class Hit:
    """One answer, as the command line and the page show it."""

    rank: int  # from 1
    score: float  # cosine similarity of question and segment, whatever the mode
    stored: StoredSegment
    probability: float = 0.0  # that it answers, 0..1, as the model's profile estimates it
    strength: str = "far"  # the same in words, one of STRENGTHS
    neighbours: tuple[StoredSegment, ...] = ()  # the segments just before and after, in reading order
    # The sentence closest to the question, relative to the segment's text; None: not looked for yet.
    best_sentence: tuple[int, int] | None = None
    meaning_rank: int | None = None  # rank in the search by meaning alone, from 1
    words_rank: int | None = None  # rank in the search by words alone
    links: tuple[Link, ...] = ()  # which word of the question found which word here, strongest first
    shared_words: tuple[str, ...] = ()  # names, numbers and words that stand in both
    copies: tuple[StoredSegment, ...] = ()  # passages with the same text that this one stands for
    translations: tuple[StoredSegment, ...] = ()  # passages that say the same in other languages, hits of their own
    more_in_document: tuple[Found, ...] = ()  # further passages of the same document, best first
    closer_than: float = 0.0  # share of the collection that is less close, 0..1, estimated from a sample

    @property
    def sentence(self) -> tuple[int, int]:
        """The closest sentence, or all of the text where none was looked for."""
        return self.best_sentence or (0, len(self.stored.segment.text))


@dataclass(frozen=True)
class Pair:
    """Two texts that mean the same."""

    source: str
    target: str
    score: float = 1.0
    source_language: str = ""
    target_language: str = ""


def point_id(document: str, index: int) -> str:
    """The id of a segment in every store: equal content, equal id, so that a repeated upsert is harmless."""
    return str(uuid.uuid5(_POINTS, f"{document}:{index}"))
