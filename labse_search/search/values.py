"""A hit as plain values, the same for the command line, the page's published search and exports."""

from __future__ import annotations

from typing import Any

from labse_search.records import Hit, StoredSegment


def hit_value(hit: Hit) -> dict[str, Any]:
    """A hit as JSON: what a program needs, with code-point offsets into the document's text. `rank` is the order;
    `score` is the cosine, one of the things that the order is made of, so it need not fall from rank to rank."""
    return {
        "rank": hit.rank,
        "score": round(hit.score, 4),
        "probability": round(hit.probability, 3),
        "strength": hit.strength,
        **_segment_value(hit.stored),
        "neighbours": [_segment_value(one) for one in hit.neighbours],
        "best_sentence": hit.stored.segment.text[slice(*hit.sentence)],
        "translations": [{"document": one.names[0], "language": one.segment.language} for one in hit.translations],
        "copies": [{"document": name} for copy in hit.copies for name in copy.names],
        "more_in_document": [
            {"score": round(found.score, 4), **_segment_value(found.stored)} for found in hit.more_in_document
        ],
    }


def _segment_value(stored: StoredSegment) -> dict[str, Any]:
    segment = stored.segment
    return {
        "text": segment.text,
        "language": segment.language,
        "document": stored.names[0] if stored.names else stored.document,
        "document_id": stored.document,
        "index": segment.index,
        "place": dict(segment.place),
        "start": segment.start,
        "end": segment.end,
    }
