"""Hit → card: plain values for results.js, which draws them. Pure; nothing here is markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labse_search.places import describe_place
from labse_search.records import STRENGTHS, Found, Hit, Link, StoredSegment
from labse_search.search import Answer
from labse_search.teach import passage_name

NEIGHBOUR_CHARACTERS = 220  # of a neighbour without sentence marks
CLIP_CHARACTERS = 160  # of a passage in a list


def answer_value(answer: Answer) -> dict[str, Any]:
    """The value of the results component for an answer: state, cards, and the line above them."""
    pairs = zip(answer.hits, answer.strengths, strict=True)
    cards = [card(hit, strength, answer.question) for hit, strength in pairs]
    return {
        "state": "none" if not cards else "results" if answer.good else "weak",
        "question": answer.question,
        "question_language": answer.question_language,
        "cards": cards,
        "seconds": f"{answer.seconds:.2f}",
        "notes": list(answer.notes),
    }


def card(hit: Hit, strength: str, question: str = "") -> dict[str, Any]:
    """The hit as the page shows it: JSON, with offsets in the passage and the reasons why it was found."""
    stored = hit.stored
    segment = stored.segment
    before, after = _neighbours(hit)
    return {
        "rank": hit.rank,
        "document": stored.document,
        "index": segment.index,
        "passage": passage_name(stored.document, segment.start, segment.end),
        "lang": segment.language,
        "title": title(stored.names),
        "names": list(stored.names),
        "place": describe_place(segment.place),
        "level": STRENGTHS.index(strength),
        "cosine": f"{hit.score:.3f}",
        "likely": round(hit.probability * 100),
        "also": sorted({one.segment.language for one in hit.translations}),
        "before": before,
        "after": after,
        "why": why(hit, question),
        "more": [_line(found) for found in hit.more_in_document],
        "copies": [_reference(copy) for copy in hit.copies],
        **marking(hit),
    }


def marking(hit: Hit) -> dict[str, Any]:
    """What of a card depends on the closest sentence; `mark` is None while that was not looked for."""
    start, end = hit.best_sentence or (0, 0)
    return {
        "mark": list(hit.best_sentence) if hit.best_sentence else None,
        "sentence": hit.stored.segment.text[start:end].strip(),
        "parts": parts(hit.stored.segment.text, start, end, _apart(hit.links)),
        "citation": citation(hit),
    }


def why(hit: Hit, question: str = "") -> dict[str, Any]:
    """The reasons, all of them measured: nothing is made up for the occasion."""
    meaning, words = hit.meaning_rank, hit.words_rank
    found = "why_both" if meaning and words else "why_meaning" if meaning else "why_words" if words else ""
    return {
        "shared": list(hit.shared_words),
        "links": [
            {"question": question[slice(*link.question)], "passage": hit.stored.segment.text[slice(*link.passage)]}
            for link in _apart(hit.links)
        ],
        "closer": _percent(hit.closer_than),
        "found": found,
        "meaning": meaning or 0,
        "words": words or 0,
    }


def explained(question: str, shown: str, mark: tuple[int, int], links: Sequence[Link]) -> dict[str, Any]:
    """The passage's text `shown` as parts, with the words that met, and the words as pairs."""
    apart = _apart(links)
    words = [question[slice(*link.question)] for link in apart]
    pieces = parts(shown, *mark, apart)
    for one in pieces:
        if one["link"]:
            one["word"] = words[one["link"] - 1]
    pairs = [
        {"question": word, "passage": shown[slice(*link.passage)]} for word, link in zip(words, apart, strict=True)
    ]
    return {"parts": pieces, "links": pairs}


def citation(hit: Hit) -> str:
    """“The closest sentence” — document, place."""
    start, end = hit.sentence
    sentence = " ".join(hit.stored.segment.text[start:end].split())
    where = ", ".join(part for part in (title(hit.stored.names), describe_place(hit.stored.segment.place)) if part)
    return f"“{sentence}” — {where}"


def parts(text: str, start: int, end: int, links: Sequence[Link] = ()) -> list[dict[str, Any]]:
    """The text cut into pieces: the one between `start` and `end` marked, linked words with the number of their link
    from 1, others with 0."""
    borders = {0, start, end, len(text), *(at for link in links for at in link.passage)}
    cuts = sorted(at for at in borders if 0 <= at <= len(text))
    return [
        {"text": text[left:right], "mark": start <= left < end, "link": _link_at(left, links)}
        for left, right in zip(cuts, cuts[1:], strict=False)
    ]


def _apart(links: Sequence[Link]) -> list[Link]:
    """The strongest links whose words in the passage do not overlap."""
    kept: list[Link] = []
    for link in links:
        if all(link.passage[1] <= other.passage[0] or other.passage[1] <= link.passage[0] for other in kept):
            kept.append(link)
    return kept


def _link_at(at: int, links: Sequence[Link]) -> int:
    return next((number for number, link in enumerate(links, 1) if link.passage[0] <= at < link.passage[1]), 0)


def title(names: tuple[str, ...]) -> str:
    """What a person calls the document: its file name without the folders."""
    return names[0].rpartition("/")[2] if names else ""


def _neighbours(hit: Hit) -> tuple[dict[str, str] | None, dict[str, str] | None]:
    """The last sentence before the passage and the first one after it."""
    index = hit.stored.segment.index
    near = {one.segment.index: one for one in hit.neighbours}
    return _sentence(near.get(index - 1), last=True), _sentence(near.get(index + 1), last=False)


def _sentence(stored: StoredSegment | None, *, last: bool) -> dict[str, str] | None:
    if stored is None:
        return None
    segment = stored.segment
    if segment.sentences:
        start, end = segment.sentences[-1 if last else 0]
        text = segment.text[start:end]
    else:
        text = segment.text
    text = text.strip()
    if len(text) > NEIGHBOUR_CHARACTERS:
        text = "… " + text[-NEIGHBOUR_CHARACTERS:] if last else text[:NEIGHBOUR_CHARACTERS] + " …"
    return {"text": text, "lang": segment.language}


def _line(found: Found) -> dict[str, Any]:
    segment = found.stored.segment
    return {
        "document": found.stored.document,
        "index": segment.index,
        "place": describe_place(segment.place),
        "lang": segment.language,
        "text": " ".join(segment.text[: CLIP_CHARACTERS * 2].split())[:CLIP_CHARACTERS],
    }


def _reference(stored: StoredSegment) -> dict[str, Any]:
    return {
        "document": stored.document,
        "index": stored.segment.index,
        "title": title(stored.names),
        "place": describe_place(stored.segment.place),
    }


def _percent(share: float) -> str:
    """ "99.6 %"; never 100 %, because the passage itself is one of them. "" when nothing is known."""
    if share <= 0:
        return ""
    return f"{min(share * 100, 99.9):.1f} %"
