"""A stored segment as the flat record that both engines keep beside a vector, and back; and the checks that both
adapters make before anything goes in: names, models, texts."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from labse_search.errors import CollectionMissing, ModelMismatch, UserError
from labse_search.naming import collection_name, split_generation
from labse_search.records import CollectionSpec, Filter, Found, Segment, StoredSegment
from labse_search.similarity import Vectors, check_vectors

MEANING, WORDS = "meaning", "words"  # the two vectors of every point
FACET_FIELDS = {"language": "language", "kind": "kind", "folder": "folders", "document": "document"}
KEYWORD_FIELDS, NUMBER_FIELDS, INTEGER_FIELDS = ("document", "language", "kind", "folders"), ("added",), ("index",)

Payload = dict[str, Any]
# (field, what to compare, value): "any" and "none" of a list, "from" and "before" a number
Condition = tuple[str, str, Any]


def to_payload(stored: StoredSegment) -> Payload:
    """The segment as both stores keep it, beside its vectors."""
    segment = stored.segment
    return {
        "document": stored.document,
        "names": list(stored.names),
        "folders": list(stored.folders),
        "kind": stored.kind,
        "added": stored.added,
        "index": segment.index,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "language": segment.language,
        "place": dict(segment.place),
        "sentences": [list(sentence) for sentence in segment.sentences],
        "headings": list(segment.headings),
        **({"unreadable": True} if segment.unreadable else {}),
    }


def from_payload(payload: Mapping[str, Any]) -> StoredSegment:
    """What `to_payload` made."""
    return StoredSegment(
        document=payload["document"],
        names=tuple(payload["names"]),
        folders=tuple(payload["folders"]),
        kind=payload["kind"],
        added=float(payload["added"]),
        segment=Segment(
            index=payload["index"],
            start=payload["start"],
            end=payload["end"],
            text=payload["text"],
            language=payload["language"],
            place=payload["place"],
            sentences=tuple((start, end) for start, end in payload["sentences"]),
            headings=tuple(payload.get("headings", ())),
            unreadable=bool(payload.get("unreadable", False)),
        ),
    )


def best_first(scored: Iterable[tuple[Mapping[str, Any], float]]) -> list[Found]:
    """What the engine found, with equal scores in an order that does not depend on the engine's files."""
    return in_order(Found(from_payload(payload), score) for payload, score in scored)


def in_order(found: Iterable[Found]) -> list[Found]:
    """Best first, equal scores by document and index."""
    return sorted(found, key=lambda one: (-one.score, one.stored.document, one.stored.segment.index))


def conditions(where: Filter) -> list[Condition]:
    """A filter as plain conditions that must all hold; each adapter says them in its engine's words."""
    lists: list[Condition] = [
        ("language", "any", list(where.languages)),
        ("language", "none", list(where.not_languages)),
        ("document", "any", list(where.documents)),
        ("document", "none", list(where.not_documents)),
        ("kind", "any", list(where.kinds)),
        ("folders", "any", list(where.folders)),
        ("index", "any", list(where.indexes)),
    ]
    numbers: list[Condition] = [("added", "from", where.added_after), ("added", "before", where.added_before)]
    return [one for one in lists if one[2]] + [one for one in numbers if one[2] is not None]


def check_name(name: str) -> str:
    """The name of a collection or of one of its generations as it is, or a UserError."""
    collection, _ = split_generation(name)
    if collection_name(collection) != collection:
        raise UserError(f"{name!r} cannot be the name of a collection: use {collection_name(collection)!r}.")
    return name


def check_model(collection: str, spec: CollectionSpec, fingerprint: str, model: str = "") -> None:
    """ModelMismatch unless the fingerprint is the one that the collection was made with."""
    if spec.fingerprint == fingerprint:
        return
    other = f"{model} ({fingerprint[:12]})" if model else f"one with the fingerprint {fingerprint[:12]}"
    name, today = shlex.quote(split_generation(collection)[0]), shlex.quote(model or spec.model)
    raise ModelMismatch(
        f'The collection "{collection}" was made with the model {spec.model} ({spec.fingerprint[:12]}), this model is '
        f"{other}. Choose that one again (LABSE_MODEL), or embed the texts that are kept with the model of today: "
        f"python -m labse_search.library reembed --collection {name} --model {today} --switch, or in the "
        "Collection tab. Or use another collection (LABSE_COLLECTION)."
    )


def check_spec(collection: str, there: CollectionSpec, wanted: CollectionSpec) -> None:
    """Nothing if the existing collection may serve as the wanted one, else ModelMismatch."""
    check_model(collection, there, wanted.fingerprint, wanted.model)
    if there.dimension != wanted.dimension:
        raise ModelMismatch(
            f'The collection "{collection}" holds vectors of {there.dimension} dimensions, the model {wanted.model} '
            f"makes {wanted.dimension}. Use another collection (LABSE_COLLECTION)."
        )


def check_batch(segments: Sequence[StoredSegment], vectors: Vectors) -> tuple[list[Payload], Vectors]:
    """The payloads and the vectors, all good, or a ValueError that names the first that is not."""
    array = np.asarray(vectors, dtype=np.float32)
    if array.ndim != 2:
        raise ValueError(f"vectors have shape {array.shape}, expected ({len(segments)}, dimension)")
    array = check_vectors(array, array.shape[1], len(segments))
    payloads = [to_payload(stored) for stored in segments]
    # Refused by the engine in the middle of a batch otherwise: half of a surrogate pair, NaN in a place.
    json.dumps(payloads, ensure_ascii=False, allow_nan=False).encode("utf-8")
    return payloads, array


def missing(collection: str, location: str, existing: Sequence[str]) -> CollectionMissing:
    """The error that says so, with the names that there are."""
    names = ", ".join(existing) if existing else "none yet"
    return CollectionMissing(
        f'There is no collection "{collection}" in {location}. It has: {names}. Add documents to make one.'
    )
