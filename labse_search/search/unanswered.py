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
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from labse_search.encoder import Encoder, Task
from labse_search.encoder.texts import encode_texts, fit_window
from labse_search.errors import UserError
from labse_search.files import write_json
from labse_search.records import StoredSegment
from labse_search.search.finding import Finder
from labse_search.search.late import answering, read_tokens, telling, token_cosines
from labse_search.search.likelihood import take_sample
from labse_search.search.profile import ModelProfile, Unanswered, log_odds, usual_odds
from labse_search.search.refining import FINER, rows_beside
from labse_search.similarity import Vectors
from labse_search.store import NO_FILTER, Store, StoreAnswer

log = logging.getLogger(__name__)
_measuring = threading.Lock()  # first questions that come together wait for one measurement
_unkept: dict[Path, Unanswered] = {}  # what could not be written down, and what tells nothing; for this process
_aside: set[Path] = set()  # being measured while questions are answered
_aside_lock = threading.Lock()

ASKED = 60  # of the shipped questions
FEWEST = 20  # answers that a mean can be taken of
READ_AT_ONCE = 16  # passages: a question that comes meanwhile waits for so many

Pause = Callable[[], None]


@dataclass(frozen=True)
class Measured:
    """One collection of a store, and how it is measured. Any thread may ask."""

    store: Store
    encoder: Encoder
    collection: str
    profile: Callable[[], ModelProfile]
    home: Path
    tell: Callable[[str], None] = log.info

    @property
    def path(self) -> Path:
        """The file that keeps what was measured."""
        return self.home / "profiles" / self.encoder.fingerprint / _file_name(self.collection)

    def now(self, count: int, pause: Pause = lambda: None) -> Unanswered | None:
        """What is kept of the collection of `count` passages, or measured now and kept. None where hardly a question
        finds anything. `pause` is called between parts of the work."""
        kept = _kept(self.path)
        if kept is None or not kept.fits(count):
            with _measuring:
                kept = _kept(self.path)
                if kept is None or not kept.fits(count):
                    kept = self._measure(count, pause)
                    self._keep(kept)
        return kept if kept.tells else None

    def so_far(self, count: int, pause: Pause = lambda: None) -> Unanswered | None:
        """The same without waiting: what was measured last, of however many passages, or nothing yet, while a thread
        measures."""
        kept = _kept(self.path)
        if kept is None or not kept.fits(count):
            with _aside_lock:
                begins = self.path not in _aside
                _aside.add(self.path)
            if begins:
                threading.Thread(target=self._aside, args=(count, pause), daemon=True, name="unanswered").start()
        return kept if kept is not None and kept.tells else None

    def _aside(self, count: int, pause: Pause) -> None:
        try:
            self.now(count, pause)
        except UserError as error:  # the collection was deleted meanwhile, or the store is gone
            log.warning("what a collection finds without an answer could not be measured: %s", error)
        finally:
            with _aside_lock:
                _aside.discard(self.path)

    def _keep(self, measured: Unanswered) -> None:
        try:
            if measured.tells:
                write_json(self.path, asdict(measured))
                return
        except OSError as error:  # a full disk is no reason not to answer
            log.warning("what a collection finds without an answer could not be kept: %s", error)
        _unkept[self.path] = measured

    def _measure(self, count: int, pause: Pause) -> Unanswered:
        """As a search does it, but each passage is read once, whichever questions found it."""
        from labse_search.search.measure import calibration_questions, first_one

        self.tell(
            f"First question to these {count:,} passages: finding out how close they come to questions without an "
            "answer, which takes some seconds."
        )
        encoder, profile = self.encoder, self.profile()
        questions = calibration_questions()
        questions = fit_window(encoder, questions[:: max(1, len(questions) // ASKED)] if count else [])
        vectors = profile.neutral(encode_texts(encoder, questions, "query"))
        sample = profile.neutral(take_sample(self.store, self.collection, encoder.dimension, count).rows)
        finder = Finder(self.store, encoder, self.collection)
        answers = []
        for vector in vectors:
            pause()
            answers.append(_closest(finder.find(vector, None, NO_FILTER, FINER), vector, profile))
        closeness = self._closeness(questions, [found for found, _ in answers], pause)
        best = []
        for vector, (found, rows), close in zip(vectors, answers, closeness, strict=True):
            there = [number for number, one in enumerate(found) if one.point in close]
            # Of the rows that were read beside them those that come first.
            there = sorted(there, key=lambda number: -close[found[number].point])[:FINER]
            if there:
                values = np.array([close[found[number].point] for number in there], np.float64)
                _, first, beside = first_one(values, rows[there], profile.translation)
                best.append(profile.late_probability(np.array([first]), beside, sample @ vector, count)[0])
        if len(best) < FEWEST:
            return Unanswered(math.nan, math.nan, count)
        return Unanswered(*usual_odds(log_odds(best)), count)

    def _closeness(
        self, questions: Sequence[str], found: Sequence[Sequence[StoredSegment]], pause: Pause
    ) -> list[dict[str, float]]:
        """Of each question, how close the passages found for it are by late interaction, by point; without those that
        have no token to compare."""
        mean = self.profile().token_mean
        tasks: list[Task] = ["query" for _ in questions]
        tokens = read_tokens(self.encoder, questions, [[(0, len(question))] for question in questions], tasks)
        asked = [telling([question], [of_one], mean) for question, of_one in zip(questions, tokens, strict=True)]
        askers: dict[str, list[int]] = defaultdict(list)
        for number, passages in enumerate(found):
            for one in passages:
                askers[one.point].append(number)
        closeness: list[dict[str, float]] = [{} for _ in questions]
        passages = list({one.point: one for passages in found for one in passages}.values())
        for start in range(0, len(passages), READ_AT_ONCE):
            pause()
            part = passages[start : start + READ_AT_ONCE]
            texts, spans = [one.segment.text for one in part], [answering(one) for one in part]
            read = read_tokens(self.encoder, texts, spans, ["document"] * len(part))
            for one, states in zip(part, (of_one.states for of_one in read), strict=True):
                for number in askers[one.point] if len(states) else ():
                    cosines = token_cosines(asked[number], states, mean)
                    closeness[number][one.point] = float(cosines.max(axis=1).mean())
        return closeness


def forget_measured(home: Path, collection: str) -> None:
    """Erase what was measured of a generation of a collection ("notes@2"): another one may come to have its name."""
    for path in (home / "profiles").glob(f"*/{_file_name(collection)}"):
        path.unlink(missing_ok=True)
        _unkept.pop(path, None)


def _file_name(collection: str) -> str:
    return hashlib.sha256(collection.encode()).hexdigest()[:32] + ".json"


def _closest(answer: StoreAnswer, vector: Vectors, profile: ModelProfile) -> tuple[list[StoredSegment], Vectors]:
    """The closest passages, the closest first, and what is read beside them; their neutral vectors (n, dimension)."""
    found = [one.stored for one in answer.meaning if one.stored.point in answer.vectors]
    if not found:
        return [], np.zeros((0, len(vector)), np.float32)
    rows = profile.neutral(np.stack([answer.vectors[one.point] for one in found]))
    order = np.argsort(-(rows @ vector), kind="stable").tolist()
    first = [found[at] for at in order[:FINER]]
    read = {one.point for one in (*first, *rows_beside(first, (found[at] for at in order)))}
    order = [at for at in order if found[at].point in read]
    return [found[at] for at in order], rows[order]


def _kept(path: Path) -> Unanswered | None:
    try:
        return Unanswered(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # none yet, or no longer readable: it is measured again
        return _unkept.get(path)
