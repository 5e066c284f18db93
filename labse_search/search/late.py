"""Late interaction: each token of a question looks for its best counterpart in a passage (Khattab and Zaharia 2020,
ColBERT), by what the transformer knows of both in their contexts.

One vector a passage finds what a question is about; which of what was found answers it is seen better token by token,
and so is the sentence that answers. How much better is in benchmarks/EXPERIMENTS.md.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder import Encoder, Task, TokenStates
from labse_search.records import StoredSegment
from labse_search.search.passages import sentences as answering_sentences
from labse_search.similarity import Vectors, normalize

MOST_TOKENS = 32_768  # kept of passages that were read before: 25 MB at 384 numbers a token

Span = tuple[int, int]


@dataclass(frozen=True)
class Marked:
    """A passage as a question sees it token by token."""

    span: Span  # in its text: the sentence that is closest to the question
    closeness: float | None  # of the whole passage; None where it has no token that can be compared


class LateInteraction:
    """Compares with one encoder's tokens. Passages are read once while they are asked for; many threads may call."""

    def __init__(self, encoder: Encoder, *, most_tokens: int = MOST_TOKENS) -> None:
        self._encoder, self._most_tokens = encoder, most_tokens
        self._known: OrderedDict[tuple[str, tuple[Span, ...]], TokenStates] = OrderedDict()  # the last asked for last
        self._tokens = 0
        self._lock = threading.Lock()

    def compare(self, parts: Sequence[str], stored: Sequence[StoredSegment], mean: Vectors) -> dict[str, Marked]:
        """Of each segment, by point, how close it is to the question, and which sentence of it is closest, never a
        heading. `parts`: the question, in pieces that fit the model's window; `mean` (width,) is taken off all."""
        if not stored:
            return {}
        question, passages = self._read(parts, stored)
        asked = telling(parts, question, mean)
        # One multiplication for all: threads that share a small one wait for each other, on a busy machine for long.
        cosines = token_cosines(asked, np.concatenate([tokens.states for tokens in passages]), mean)
        parted = np.split(cosines, np.cumsum([len(tokens.spans) for tokens in passages])[:-1], axis=1)
        return {
            one.point: marked(of_one, tokens.spans, answering(one))
            for one, tokens, of_one in zip(stored, passages, parted, strict=True)
        }

    def _read(
        self, parts: Sequence[str], stored: Sequence[StoredSegment]
    ) -> tuple[list[TokenStates], list[TokenStates]]:
        """The tokens of both, what is new of them in one call of the encoder."""
        keys = [(one.segment.text, tuple(answering(one))) for one in stored]
        with self._lock:
            known = {key: self._known[key] for key in keys if key in self._known}
        new = [key for key in dict.fromkeys(keys) if key not in known]
        texts = [*parts, *(text for text, _ in new)]
        spans = [*(((0, len(part)),) for part in parts), *(spans for _, spans in new)]
        tasks: list[Task] = ["query" for _ in parts]
        tasks += ["document" for _ in new]
        found = read_tokens(self._encoder, texts, spans, tasks)
        known.update((key, _small(tokens)) for key, tokens in zip(new, found[len(parts) :], strict=True))
        with self._lock:
            for key, tokens in known.items():
                if key not in self._known:
                    self._tokens += len(tokens.spans)
                self._known[key] = tokens
                self._known.move_to_end(key)
            while self._tokens > self._most_tokens:
                self._tokens -= len(self._known.popitem(last=False)[1].spans)
        return found[: len(parts)], [known[key] for key in keys]


def answering(stored: StoredSegment) -> list[Span]:
    """The sentences of a segment that may answer; all of it where no sentences are known."""
    return answering_sentences(stored.segment) or [(0, len(stored.segment.text))]


def read_tokens(
    encoder: Encoder, texts: Sequence[str], spans: Sequence[Sequence[Span]], tasks: Sequence[Task]
) -> list[TokenStates]:
    """What the model knows of each token of each text; where it tells nothing of tokens, of each sentence, whose
    `spans` in the text are given."""
    found = encoder.token_states(texts, tasks) if texts else []
    if found is not None:
        return found
    told: list[TokenStates] = []
    for text, of_one, task in zip(texts, spans, tasks, strict=True):
        rows = encoder.encode([text[start:end] for start, end in of_one], task)
        told.append(TokenStates(rows, np.array(of_one, np.int64)))
    return told


def question_tokens(encoder: Encoder, parts: Sequence[str], mean: Vectors) -> Vectors:
    """(tokens, width) of length 1: `telling` of a question, in parts that fit the window."""
    spans = [[(0, len(part))] for part in parts]
    return telling(parts, read_tokens(encoder, parts, spans, ["query"] * len(parts)), mean)


def telling(parts: Sequence[str], tokens: Sequence[TokenStates], mean: Vectors) -> Vectors:
    """(tokens, width) of length 1, of a question's tokens that say something: a question mark finds its counterpart in
    other questions, and no answer has one. All of them where none does."""
    rows = []
    for part, found in zip(parts, tokens, strict=True):
        says = [any(map(str.isalnum, part[start:end])) for start, end in found.spans.tolist()]
        rows.append(found.states[says] if any(says) else found.states)
    return normalize(np.concatenate(rows) - mean)


def token_cosines(asked: Vectors, states: NDArray[np.floating], mean: Vectors) -> NDArray[np.float32]:
    """(question's tokens, passages' tokens) cosines of `telling` tokens to the states (tokens, width)."""
    return np.asarray(asked @ normalize(states.astype(np.float32) - mean).T)


def marked(cosines: NDArray[np.float32], spans: NDArray[np.integer], sentences: Sequence[Span]) -> Marked:
    """The passage as the question's tokens see it, by their cosines (question's, passage's) to its tokens."""
    if not cosines.size:
        return Marked(sentences[0], None)
    starts, ends = spans.T
    closeness = []
    for start, end in sentences:
        inside = (starts < end) & (ends > start)
        closeness.append(float(cosines[:, inside].max(axis=1).mean()) if inside.any() else -1.0)
    return Marked(sentences[int(np.argmax(closeness))], float(cosines.max(axis=1).mean()))


def _small(tokens: TokenStates) -> TokenStates:
    return TokenStates(tokens.states.astype(np.float16), tokens.spans.astype(np.int32))
