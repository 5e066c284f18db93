"""Documents of a collection: their sentences, and the alignment of two.

All of it from what the store holds: no original is read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labse_search.align import Bead, align_sentences
from labse_search.encoder import Encoder
from labse_search.encoder.texts import Progress
from labse_search.errors import UserError
from labse_search.records import UNKNOWN_LANGUAGE, Filter, Pair, Segment
from labse_search.store import Store


@dataclass(frozen=True)
class Sentence:
    """A sentence and where it stands in its document's text, in code points."""

    text: str
    start: int
    end: int
    language: str


@dataclass(frozen=True)
class Alignment:
    """Two texts sentence by sentence; beads name sentences by number."""

    source: tuple[Sentence, ...]
    target: tuple[Sentence, ...]
    beads: tuple[Bead, ...]

    def languages(self) -> tuple[str, str]:
        """Of most of the text of each side, "" where nobody knows."""
        return _language(self.source), _language(self.target)

    def pairs(self) -> list[Pair]:
        """What both texts say, in order; the sentences of a side joined with a space."""
        languages = self.languages()
        return [
            Pair(_text(self.source, bead.source), _text(self.target, bead.target), bead.score, *languages)
            for bead in self.beads
            if bead.source and bead.target
        ]

    def alone(self) -> tuple[int, int]:
        """How many sentences stand only in the source, and only in the target."""
        source = sum(len(bead.source) for bead in self.beads if not bead.target)
        return source, sum(len(bead.target) for bead in self.beads if not bead.source)


def sentences_of(segments: Iterable[Segment]) -> tuple[Sentence, ...]:
    """The sentences of a document from its segments, in order."""
    found = []
    for segment in sorted(segments, key=lambda segment: segment.index):
        for start, end in segment.sentences or ((0, len(segment.text)),):
            text = segment.text[start:end]
            if text.strip():
                found.append(Sentence(text, segment.start + start, segment.start + end, segment.language))
    return tuple(found)


def align_segments(
    encoder: Encoder, source: Iterable[Segment], target: Iterable[Segment], *, progress: Progress | None = None
) -> Alignment:
    """The alignment of two documents, given by their segments."""
    sides = sentences_of(source), sentences_of(target)
    texts = [[sentence.text for sentence in side] for side in sides]
    return Alignment(*sides, tuple(align_sentences(encoder, texts[0], texts[1], progress=progress)))


def align_documents(
    encoder: Encoder, store: Store, collection: str, documents: tuple[str, str], *, progress: Progress | None = None
) -> Alignment:
    """The alignment of two documents of a collection, by their ids. UserError if it has no such document."""
    sides = [_segments(store, collection, document) for document in documents]
    return align_segments(encoder, sides[0], sides[1], progress=progress)


def _segments(store: Store, collection: str, document: str) -> list[Segment]:
    found = [stored.segment for stored in store.segments(collection, Filter(documents=(document,)))]
    if not found:
        raise UserError(f"Collection {collection!r} has no document {document!r}.")
    return found


def _text(side: Sequence[Sentence], numbers: range) -> str:
    return " ".join(side[number].text for number in numbers)


def _language(side: Sequence[Sentence]) -> str:
    """Of most of the text, "" where nobody knows."""
    letters: Counter[str] = Counter()
    for sentence in side:
        letters[sentence.language] += len(sentence.text)
    language = letters.most_common(1)[0][0] if letters else UNKNOWN_LANGUAGE
    return "" if language == UNKNOWN_LANGUAGE else language
