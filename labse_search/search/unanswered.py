"""How close the best passage of a collection comes to questions that nothing in it answers.

How close is close depends on what a collection is about, how long its passages are and how many there are, and no
profile of a model can know that: of 50,000 short texts in 58 languages the best one for a question without an answer
is closer than of as many news. So the collection is asked itself: some of the shipped questions (search/measure), once,
and again when it has doubled or halved. What a few of them do find there counts for little.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np

from labse_search.encoder import Encoder, Task
from labse_search.encoder.texts import encode_texts, fit_window
from labse_search.files import write_json
from labse_search.records import StoredSegment
from labse_search.search.finding import Finder
from labse_search.search.late import answering, read_tokens, telling, token_cosines
from labse_search.search.likelihood import take_sample
from labse_search.search.profile import ModelProfile, Unanswered, log_odds, usual_odds
from labse_search.search.refining import FINER
from labse_search.similarity import Vectors
from labse_search.store import NO_FILTER, Store, StoreAnswer

log = logging.getLogger(__name__)
_measuring = threading.Lock()  # first questions that come together wait for one measurement
_unkept: dict[Path, Unanswered] = {}  # what could not be written down, and what tells nothing; for this process

ASKED = 60  # of the shipped questions
FEWEST = 20  # answers that a mean can be taken of


def unanswered_of(
    store: Store, encoder: Encoder, collection: str, profile: ModelProfile, home: Path, count: int
) -> Unanswered | None:
    """What is kept of the store's collection of `count` passages, or measured now and kept. None where hardly a
    question finds anything."""
    name = hashlib.sha256(collection.encode()).hexdigest()[:32]
    path = home / "profiles" / encoder.fingerprint / f"{name}.json"
    kept = _kept(path)
    if kept is not None and kept.fits(count):  # nobody waits while another collection is measured
        return kept if kept.tells else None
    with _measuring:
        kept = _kept(path)
        if kept is None or not kept.fits(count):
            log.info("asking a collection of %d passages once what nothing in it answers", count)
            kept = _measure(store, encoder, collection, profile, count)
            try:
                if kept.tells:
                    write_json(path, asdict(kept))
                else:
                    _unkept[path] = kept
            except OSError as error:  # a full disk is no reason not to answer
                log.warning("what a collection finds without an answer could not be kept: %s", error)
                _unkept[path] = kept
    return kept if kept.tells else None


def _measure(store: Store, encoder: Encoder, collection: str, profile: ModelProfile, count: int) -> Unanswered:
    """As a search does it, but what is encoded is encoded together: the questions, and all passages that they find."""
    from labse_search.search.measure import calibration_questions, first_one

    questions = calibration_questions()
    questions = fit_window(encoder, questions[:: max(1, len(questions) // ASKED)] if count else [])
    vectors = profile.neutral(encode_texts(encoder, questions, "query"))
    sample = profile.neutral(take_sample(store, collection, encoder.dimension, count).rows)
    finder = Finder(store, encoder, collection)
    answers = [_closest(finder.find(vector, None, NO_FILTER, FINER), vector, profile) for vector in vectors]
    passages = {one.point: one for found, _ in answers for one in found}
    spans = [answering(one) for one in passages.values()]
    texts = [one.segment.text for one in passages.values()]
    read = dict(zip(passages, read_tokens(encoder, texts, spans, ["document"] * len(texts)), strict=True))
    tasks: list[Task] = ["query" for _ in questions]
    asked = read_tokens(encoder, questions, [[(0, len(question))] for question in questions], tasks)
    best = []
    for question, tokens, vector, (found, rows) in zip(questions, asked, vectors, answers, strict=True):
        told = telling([question], [tokens], profile.token_mean)
        there = [number for number, one in enumerate(found) if len(read[one.point].spans)]
        if there:
            cosines = (token_cosines(told, read[found[at].point].states, profile.token_mean) for at in there)
            closeness = np.array([one.max(axis=1).mean() for one in cosines], np.float64)
            _, first, beside = first_one(closeness, rows[there], profile.translation)
            best.append(profile.late_probability(np.array([first]), beside, sample @ vector, count)[0])
    if len(best) < FEWEST:
        return Unanswered(math.nan, math.nan, count)
    return Unanswered(*usual_odds(log_odds(best)), count)


def _closest(answer: StoreAnswer, vector: Vectors, profile: ModelProfile) -> tuple[list[StoredSegment], Vectors]:
    """The closest passages, the closest first, and their neutral vectors (n, dimension)."""
    found = [one.stored for one in answer.meaning if one.stored.point in answer.vectors]
    if not found:
        return [], np.zeros((0, len(vector)), np.float32)
    rows = profile.neutral(np.stack([answer.vectors[one.point] for one in found]))
    order = np.argsort(-(rows @ vector), kind="stable")[:FINER]
    return [found[at] for at in order], rows[order]


def _kept(path: Path) -> Unanswered | None:
    try:
        return Unanswered(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # none yet, or no longer readable: it is measured again
        return _unkept.get(path)
