"""Cuts what was read from a file into segments that fill, and never exceed, the model's window.

In: an Extraction. Out: a Split: segments in reading order, and a count of the characters that are in none, by reason,
so that both add up to the document's text to the character. Segments are made of one to four whole sentences,
and a short fifth one; they stay inside their unit and inside one language, and begin rather than end with headings.

Tokens are counted once: sentences are packed by an estimate (the document's own tokens per character), and the
finished segments are counted in large batches. What turns out too long is divided and counted again: no segment leaves
here unverified, since tokens of a whole are not the sum over its parts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from indexer.read.encoded import encoded_spans
from indexer.sentences import (
    HOLE,
    LINE,
    MAX_CODE_POINTS,
    MUST,
    PARAGRAPH,
    Sentence,
    blocks,
    cut,
    ends_a_sentence,
    line_borders,
    marked,
    sentences,
    with_headings,
)
from labse_search.encoder import Tokenizer
from labse_search.encoder.tokens import pack_ids, unpack_ids
from labse_search.languages.identify import LanguageIdentifier, majority
from labse_search.records import UNIT_SEPARATOR, UNKNOWN_LANGUAGE, Extraction, Place, Segment

VERSION = 4  # raise it when the same text gives other segments: stored ones then no longer fit
BATCH = 1024  # segments counted in one call: bounds the memory of their tokens
SAMPLE = 64  # sentences counted to estimate the rest; the estimate only steers packing

_SURROGATE = re.compile("[\ud800-\udfff]")

Group = tuple[Sentence, ...]  # the sentences of one segment


@dataclass(frozen=True)
class Split:
    """len(extraction.text) == sum of all segments' lengths + sum of `skipped`, always."""

    segments: tuple[Segment, ...]
    # Code points in no segment. whitespace: between segments; separator: between units; no_tokens: the model has
    # nothing for them (zero-width, control); undecodable: half of a surrogate pair; over_window: one character alone
    # makes more tokens than the window; encoded: base64, hexadecimal, minified programs.
    skipped: dict[str, int]
    language: str  # of most of the document, or "unknown"
    # Each segment's tokens, as `encoder.tokens.pack_ids` packs them, and the identity of the tokenizer: so that nobody
    # has to tokenize it again to encode it.
    ids: tuple[bytes, ...] = ()
    tokenizer: str = ""


class Segmenter:
    """Cuts documents for one model. `target_tokens`: what a segment should hold, without special tokens."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        identify: LanguageIdentifier,
        *,
        target_tokens: int = 96,
        max_sentences: int = 4,
    ) -> None:
        self._tokenizer = tokenizer
        self._identify = identify
        self._max_sentences = max_sentences
        self._special = tokenizer.count([""])[0]
        if tokenizer.max_tokens <= self._special:
            raise ValueError(
                f"a window of {tokenizer.max_tokens} tokens has no room beside {self._special} special ones"
            )
        room = tokenizer.max_tokens - self._special
        self._target = min(target_tokens, room)
        # A whole sentence is worth going over the target for.
        self._limit = min(self._target * 3 // 2, room) + self._special

    def split(self, extraction: Extraction) -> Split:
        """The segments of one document, and what is in none."""
        text = extraction.text
        encoded = encoded_spans(text)
        clean = _SURROGATE.sub(HOLE, _without(text, encoded))
        units = self._sentences(extraction, clean)
        found, skipped = self._fit(clean, self._pack(clean, units))
        groups = [group for group, _ in found]
        segments = self._marked(tuple(_segments(extraction, text, groups)), [ids for _, ids in found])
        skipped.update(_gaps(text, segments))
        skipped["encoded"] = sum(_visible(text[start:end]) for start, end in encoded)
        separators = max(0, len(extraction.units) - 1) * len(UNIT_SEPARATOR)
        skipped.update(separator=separators, whitespace=-separators)
        language = majority((segment.language, len(segment.text)) for segment in segments)
        return Split(
            segments,
            {reason: n for reason, n in skipped.items() if n},
            language,
            tuple(ids for _, ids in found),
            self._tokenizer.identity,
        )

    def _marked(self, segments: tuple[Segment, ...], ids: Sequence[bytes]) -> tuple[Segment, ...]:
        """The segments, those marked that the model cannot read."""
        texts = [segment.text for segment in segments]
        unreadable = self._tokenizer.unreadable(texts, [unpack_ids(packed) for packed in ids])
        return tuple(
            replace(segment, unreadable=True) if marked else segment
            for segment, marked in zip(segments, unreadable, strict=True)
        )

    def _sentences(self, extraction: Extraction, clean: str) -> list[list[Sentence]]:
        """The sentences of each unit, with offsets into the document."""
        starts = extraction.unit_starts()
        texts = [clean[start : start + len(unit.text)] for start, unit in zip(starts, extraction.units, strict=True)]
        lines = [
            with_headings(line_borders(text), unit.headings, text)
            for text, unit in zip(texts, extraction.units, strict=True)
        ]
        stretches = [list(blocks(text, borders)) for text, borders in zip(texts, lines, strict=True)]
        every = [
            (unit, text[block.start : block.end])
            for unit, (text, unit_blocks) in enumerate(zip(texts, stretches, strict=True))
            for block in unit_blocks
        ]
        labels = iter(self._identify.label([text for _, text in every], [unit for unit, _ in every]))
        units = []
        for unit, start, text, borders, unit_blocks in zip(
            extraction.units, starts, texts, lines, stretches, strict=True
        ):
            languages = [next(labels) for _ in unit_blocks]
            found = marked(sentences(text, borders, unit_blocks, languages), unit.headings)
            units.append([s._replace(start=s.start + start, end=s.end + start) for s in found])
        return units

    def _pack(self, text: str, units: Sequence[Sequence[Sentence]]) -> list[Group]:
        """Groups of neighbouring sentences of about the target, by estimate."""
        everything = [sentence for unit in units for sentence in unit]
        tokens_per_code_point = self._estimate(text, everything)
        groups: list[Group] = []
        for unit in units:
            joined = list(_join_lines(unit, text, tokens_per_code_point, self._target / self._max_sentences))
            sizes = [(s.end - s.start) * tokens_per_code_point[s.language] for s in joined]
            groups += [tuple(joined[a:b]) for a, b in self._pack_unit(joined, sizes)]
        return groups

    def _estimate(self, text: str, everything: Sequence[Sentence]) -> dict[str, float]:
        """Tokens per code point of each language in this document. Nothing is kept from document to document: the same
        document gives the same segments whatever came before it."""
        sample = {*everything[:: max(1, len(everything) // SAMPLE)], *_first_of_each_language(everything)}
        tokens: Counter[str] = Counter()
        code_points: Counter[str] = Counter()
        for sentence, ids in zip(sample, self._tokenizer.ids([text[s.start : s.end] for s in sample]), strict=True):
            tokens[sentence.language] += len(ids) - self._special
            code_points[sentence.language] += sentence.end - sentence.start
        return {language: tokens[language] / code_points[language] for language in code_points}

    def _pack_unit(self, unit: Sequence[Sentence], sizes: Sequence[float]) -> list[tuple[int, int]]:
        """(first, after the last) sentence of each group of a unit."""
        groups: list[tuple[int, int]] = []
        begin, held = 0, 0.0
        for i in range(len(unit)):
            if i > begin:
                end = self._end_of_group(unit, begin, i, held, sizes[i])
                if end:
                    self._close(groups, unit, sizes, begin, end)
                    begin, held = end, sum(sizes[end:i])
            held += sizes[i]
        if begin < len(unit):
            self._close(groups, unit, sizes, begin, len(unit))
        return groups

    def _end_of_group(self, unit: Sequence[Sentence], begin: int, i: int, held: float, size: float) -> int:
        """Where the group from `begin` ends if sentence `i` is not to join it, else 0."""
        if unit[i].border == MUST:
            return i
        # Headings count as one sentence, however many they are.
        sentences = _says(unit, begin, i) + unit[begin].heading
        full = held + size > self._target or sentences >= self._max_sentences
        if unit[i - 1].heading:  # headings stay with what follows
            end = i
            while end > begin and unit[end - 1].heading:
                end -= 1
            if end > begin:
                return end if full else 0
            return i if full and held >= self._target / 3 else 0  # only headings: divided if they must be
        rounded = unit[i].border == PARAGRAPH and held >= self._target / 3
        # The next section begins a passage, unless there is only a line or two so far, as on top of a letter.
        top = begin == 0 and not unit[0].heading and held < self._target / 4
        return i if full or rounded or unit[i].heading and not top else 0

    def _close(
        self, groups: list[tuple[int, int]], unit: Sequence[Sentence], sizes: Sequence[float], begin: int, end: int
    ) -> None:
        """Adds a group. What is left over of a section joins the group before it if it is a scrap and there is room; a
        sentence that would be alone takes another one with it. Alone they say little and are close to any question."""
        if groups and unit[begin].border != MUST and not unit[begin].heading:
            first, _ = groups[-1]
            scrap = sum(sizes[begin:end]) < self._target / 4
            fits = sum(sizes[first:end]) <= self._limit - self._special
            if scrap and fits and _says(unit, first, end) <= self._max_sentences + 1:
                groups[-1] = (first, end)
                return
            alone = end - begin == 1 and unit[begin].border < PARAGRAPH
            heads = unit[begin - 2].heading  # what another sentence would leave alone
            if alone and not heads and _says(unit, first, begin) > 2 and sum(sizes[begin - 1 : end]) <= self._target:
                begin -= 1
                groups[-1] = (first, begin)
        groups.append((begin, end))

    def _fit(self, text: str, pending: list[Group]) -> tuple[list[tuple[Group, bytes]], Counter[str]]:
        """The groups that were counted and found to fit, in order, with their tokens; the others divided until they
        do."""
        fitting: list[tuple[Group, bytes]] = []
        skipped: Counter[str] = Counter()
        while pending:
            divided: list[Group] = []
            for group, ids in zip(pending, self._ids(text, pending), strict=True):
                count = len(ids)
                if count <= self._special:
                    skipped["no_tokens"] += _visible(text[group[0].start : group[-1].end])
                elif count <= self._limit and group[-1].end - group[0].start <= 2 * MAX_CODE_POINTS:
                    fitting.append((group, pack_ids(ids)))
                elif len(group) > 1:
                    divided += _halves(group)
                elif group[0].end - group[0].start > 1:
                    divided += self._cut(text, group[0])
                else:
                    skipped["over_window"] += 1
            pending = divided
        return sorted(fitting, key=lambda found: found[0][0].start), skipped

    def _cut(self, text: str, sentence: Sentence) -> Iterator[Group]:
        """One sentence cut into parts of about the target."""
        start, end = sentence.start, sentence.end
        tokens = self._tokenizer.offsets(text[start:end])
        parts = max(2, -(-len(tokens) // self._target))
        ideal = [start + tokens[len(tokens) * part // parts][0] for part in range(1, parts) if tokens]
        ideal = sorted({at for at in ideal if start < at < end}) or [(start + end) // 2]
        for a, b in cut(text, start, end, ideal):
            yield (sentence._replace(start=a, end=b),)

    def _ids(self, text: str, groups: Sequence[Group]) -> Iterator[list[int]]:
        for at in range(0, len(groups), BATCH):
            part = groups[at : at + BATCH]
            yield from self._tokenizer.ids([text[group[0].start : group[-1].end] for group in part])


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with holes for these stretches, as long as before."""
    if not spans:
        return text
    pieces, at = [], 0
    for start, end in spans:
        pieces += [text[at:start], HOLE * (end - start)]
        at = end
    return "".join([*pieces, text[at:]])


def _join_lines(
    unit: Sequence[Sentence], text: str, tokens_per_code_point: Mapping[str, float], most_tokens: float
) -> Iterator[Sentence]:
    """The sentences with neighbouring short lines as one: the fields of a row, a list, lines of code are no sentences,
    and counting them as such would cut a row of ten columns into three segments."""
    held: Sentence | None = None
    for sentence in unit:
        size = (sentence.end - (held or sentence).start) * tokens_per_code_point[sentence.language]
        same = held and sentence.border == LINE and sentence.heading == held.heading
        if held and same and size <= most_tokens and not ends_a_sentence(text, held):
            held = held._replace(end=sentence.end)
            continue
        if held:
            yield held
        held = sentence
    if held:
        yield held


def _says(unit: Sequence[Sentence], begin: int, end: int) -> int:
    """How many of these sentences are no headings."""
    return sum(not sentence.heading for sentence in unit[begin:end])


def _halves(group: Group) -> list[Group]:
    """A group divided at its strongest border, the one nearest the middle among equals."""
    middle = (group[0].start + group[-1].end) / 2
    at = max(
        range(1, len(group)),
        key=lambda i: (not group[i - 1].heading, group[i].border, -abs(group[i].start - middle)),
    )
    return [group[:at], group[at:]]


def _segments(extraction: Extraction, text: str, groups: Sequence[Group]) -> Iterator[Segment]:
    starts = extraction.unit_starts()
    unit, seen, newlines = 0, 0, 0  # newlines from the unit's start to `seen`
    for index, group in enumerate(groups):
        start, end = group[0].start, group[-1].end
        while unit + 1 < len(starts) and starts[unit + 1] <= start:
            unit, seen, newlines = unit + 1, starts[unit + 1], 0
        seen = max(seen, starts[unit])
        newlines += text.count("\n", seen, start)
        seen = start
        place = _at_line(extraction.units[unit].place, newlines)
        spans = tuple((s.start - start, s.end - start) for s in group)
        language = next((s.language for s in group if s.language != UNKNOWN_LANGUAGE), UNKNOWN_LANGUAGE)
        headings = tuple(number for number, sentence in enumerate(group) if sentence.heading)
        yield Segment(index, start, end, text[start:end], language, place, spans, headings)


def _at_line(place: Place, newlines: int) -> Place:
    line = place.get("line")
    return {**place, "line": line + newlines} if isinstance(line, int) and newlines else place


def _gaps(text: str, segments: Sequence[Segment]) -> Counter[str]:
    """White space and halves of surrogate pairs that lie between the segments."""
    ends = [0, *(segment.end for segment in segments)]
    starts = [*(segment.start for segment in segments), len(text)]
    gaps = "".join(text[end:start] for end, start in zip(ends, starts, strict=True))
    return Counter(whitespace=len(gaps) - _visible(gaps), undecodable=len(_SURROGATE.findall(gaps)))


def _visible(text: str) -> int:
    return len("".join(text.split()))


def _first_of_each_language(sentences: Sequence[Sentence]) -> Iterator[Sentence]:
    seen = set()
    for sentence in sentences:
        if sentence.language not in seen:
            seen.add(sentence.language)
            yield sentence
