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
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labse_search.files import write_json

if TYPE_CHECKING:
    from labse_search.search.searcher import Searcher

log = logging.getLogger(__name__)
_measuring = threading.Lock()  # first questions that come together wait for one measurement
_unkept: dict[Path, Unanswered] = {}  # what could not be written down, and what tells nothing; for this process

ASKED = 60  # of the shipped questions
FEWEST = 20  # answers that a mean can be taken of
GROWTH = 2.0  # times as many passages, or as few: from there on it is measured again
OUTLIER = 4.0  # deviations above the median: a question that the collection does answer
QUARTILES = 1.349  # of a normal distribution, in deviations


@dataclass(frozen=True)
class Unanswered:
    """Log-odds of the first passage, over questions that nothing answers."""

    mean: float
    deviation: float
    passages: int  # in the collection when it was asked

    @property
    def tells(self) -> bool:
        """Whether enough questions found anything."""
        return math.isfinite(self.mean)

    def fits(self, count: int) -> bool:
        """Whether it still holds for a collection of so many passages."""
        return self.passages / GROWTH <= count <= self.passages * GROWTH


def usual(odds: NDArray[np.floating]) -> tuple[float, float]:
    """Mean and deviation of log-odds (n,), but for those so high that they must be of answers."""
    low, middle, high = np.quantile(odds, (0.25, 0.5, 0.75))
    kept = odds[odds <= middle + OUTLIER * (high - low) / QUARTILES]
    return float(kept.mean()), float(kept.std())


def unanswered_of(searcher: Callable[[], Searcher], home: Path, collection: str, count: int) -> Unanswered | None:
    """What is kept of the store's collection of `count` passages, or measured now and kept. `searcher` must not ask for
    it itself. None where hardly a question finds anything."""
    name = hashlib.sha256(collection.encode()).hexdigest()[:32]
    asked = searcher()
    path = home / "profiles" / asked.encoder.fingerprint / f"{name}.json"
    with _measuring:
        kept = _load(path) or _unkept.get(path)
        if kept is None or not kept.fits(count):
            log.info("asking a collection of %d passages once what nothing in it answers", count)
            kept = _measure(asked, count)
            try:
                if kept.tells:
                    write_json(path, asdict(kept))
                else:
                    _unkept[path] = kept
            except OSError as error:  # a full disk is no reason not to answer
                log.warning("what a collection finds without an answer could not be kept: %s", error)
                _unkept[path] = kept
    return kept if kept.tells else None


def _measure(searcher: Searcher, count: int) -> Unanswered:
    from labse_search.search.measure import calibration_questions

    questions = calibration_questions()
    some = questions[:: max(1, len(questions) // ASKED)]
    # One after the other: in batches the last digits differ each time, and a restored collection answers otherwise.
    answers = [searcher.search(question, mode="meaning") for question in some] if count else []
    best = np.array([answer.hits[0].probability for answer in answers if answer.hits], np.float64)
    if len(best) < FEWEST:
        return Unanswered(math.nan, math.nan, count)
    best = np.clip(best, 1e-9, 1 - 1e-9)
    mean, deviation = usual(np.log(best / (1 - best)))
    return Unanswered(mean, deviation, count)


def _load(path: Path) -> Unanswered | None:
    try:
        return Unanswered(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # none yet, or no longer readable: it is measured again
        return None
