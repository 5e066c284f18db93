"""Which documents of a collection are copies of each other: half of the longer one's text stands in the other, too.

documents' sentences without case and spacing → equal documents → pairs of the others that share sentences

An excerpt is no copy, nor are two letters with the same footer: what counts is the share of the longer text.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from unicodedata import normalize

from labse_search.align.documents import sentences_of
from labse_search.records import Segment
from labse_search.store import Store

LEAST_SHARE = 0.5
COMMON_DOCUMENTS = 30  # a sentence that stands in more of them is a footer; copies share others, too

Sentences = dict[bytes, int]  # digest of a sentence → its letters


@dataclass(frozen=True)
class Copy:
    """Two documents with much of the same text."""

    source: str  # document ids
    target: str
    share: float  # of the longer document's letters, which stand in the other too, 0.5..1; 1: the same sentences


def find_copies(store: Store, collection: str) -> list[Copy]:
    """The pairs of documents that are copies of each other, the most alike first. Of documents that are all equal, each
    is paired with the first alone."""
    documents = {document: _sentences(segments) for document, segments in _documents(store, collection).items()}
    found: list[Copy] = []
    first: dict[frozenset[bytes], str] = {}
    for document, sentences in documents.items():
        same = first.setdefault(frozenset(sentences), document)
        if same != document:
            found.append(Copy(same, document, 1.0))
    for source, target in sorted(_candidates({one: documents[one] for one in first.values()})):
        share = _share(documents[source], documents[target])
        if share >= LEAST_SHARE:
            found.append(Copy(source, target, share))
    return sorted(found, key=lambda copy: -copy.share)


def _documents(store: Store, collection: str) -> dict[str, list[Segment]]:
    found: dict[str, list[Segment]] = {}
    for stored in store.segments(collection):
        found.setdefault(stored.document, []).append(stored.segment)
    return found


def _sentences(segments: list[Segment]) -> Sentences:
    texts = ("".join(normalize("NFKC", one.text).casefold().split()) for one in sentences_of(segments))
    return {hashlib.blake2b(text.encode(), digest_size=16).digest(): len(text) for text in texts}


def _candidates(documents: dict[str, Sentences]) -> Iterator[tuple[str, str]]:
    """Pairs of documents that share a sentence, each pair once."""
    holders: dict[bytes, list[str]] = {}
    for document, sentences in documents.items():
        for sentence in sentences:
            holders.setdefault(sentence, []).append(document)
    shared: Counter[tuple[str, str]] = Counter()
    for found in holders.values():
        if len(found) <= COMMON_DOCUMENTS:
            shared.update(combinations(found, 2))
    return iter(shared)


def _share(source: Sentences, target: Sentences) -> float:
    common = sum(letters for sentence, letters in source.items() if sentence in target)
    return common / max(sum(source.values()), sum(target.values()), 1)
