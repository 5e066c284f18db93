"""A question as the model sees it: its vectors, steered or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from labse_search.encoder import Encoder
from labse_search.records import Intent, point_id
from labse_search.search.profile import ModelProfile
from labse_search.search.question import read_question
from labse_search.search.steer import Steer, steered
from labse_search.similarity import Vectors, normalize
from labse_search.store import Store


@dataclass(frozen=True)
class Asked:
    """A question made ready: its vector, and what else it asks for."""

    text: str
    vector: Vectors  # (dimension,)
    neutral: Vectors  # the same without what only tells its language: what it is looked for with
    parts: tuple[str, ...]  # the text in pieces that fit the model's window
    intent: Intent = "about"
    unreadable: bool = False  # in a script that the model has no tokens for
    towards: tuple[str, ...] = ()  # further questions that it is steered towards
    away: frozenset[str] = frozenset()  # points of the passages that it is steered away from: never among the answers
    steered: bool = False

    @property
    def cut(self) -> bool:
        """Whether it is longer than the window: its vector is the mean of its parts'."""
        return len(self.parts) > 1

    @property
    def said(self) -> str:
        """All that is asked in words."""
        return " ".join([self.text, *self.towards])


def ask(text: str, encoder: Encoder, profile: ModelProfile, intent: Intent = "about") -> Asked:
    """The question as the model sees it; one that is longer than the window is averaged over its parts."""
    parts = question_parts(text, encoder)
    vector = normalize(encoder.encode(parts, "query").mean(axis=0))
    unreadable = encoder.tokenizer.unreadable([text])[0]
    return Asked(text, vector, profile.neutral(vector), tuple(parts), intent=intent, unreadable=unreadable)


def question_parts(text: str, encoder: Encoder) -> list[str]:
    """The text in pieces that fit the model's window, as a rule one."""
    tokenizer = encoder.tokenizer
    if tokenizer.count([text])[0] <= tokenizer.max_tokens:
        return [text]
    # Half the window: special tokens take room, and pieces split differently at a new border.
    pieces = _pieces(tokenizer.offsets(text), max(1, tokenizer.max_tokens // 2))
    return [text[piece[0][0] : piece[-1][1]] for piece in pieces]


@dataclass(frozen=True)
class Steering:
    """Moves questions to one collection."""

    store: Store
    collection: str
    encoder: Encoder
    profile: ModelProfile

    def move(self, asked: Asked, steers: Sequence[Steer], notes: list[str]) -> Asked:
        """The question moved by what it is steered by; what is no longer there is said in `notes`. UserError for a
        further question that holds nothing to look for."""
        points = [point_id(one.document, one.index) for one in steers if not one.text]
        stored = self.store.vectors(self.collection, points) if points else {}
        if len(stored) < len(set(points)):
            notes.append("A passage that the question was steered by is no longer in the collection.")
        known = [one for one in steers if one.text or point_id(one.document, one.index) in stored]
        if not known:
            return asked
        raw = np.array([self._vector(one, stored) for one in known])
        weights = [one.weight for one in known]
        return replace(
            asked,
            vector=steered(asked.vector, raw, weights),
            neutral=steered(asked.neutral, self.profile.neutral(raw), weights),
            towards=tuple(one.text for one in known if one.text and one.weight > 0),
            steered=True,
            away=frozenset(point_id(one.document, one.index) for one in known if one.weight < 0 and not one.text),
        )

    def _vector(self, steer: Steer, stored: dict[str, Vectors]) -> Vectors:
        if not steer.text:
            return stored[point_id(steer.document, steer.index)]
        return ask(read_question(steer.text, commands=False).text, self.encoder, self.profile).vector


def _pieces(offsets: Sequence[tuple[int, int]], room: int) -> list[Sequence[tuple[int, int]]]:
    return [offsets[at : at + room] for at in range(0, len(offsets), room)]
