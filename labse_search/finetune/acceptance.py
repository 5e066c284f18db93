"""The acceptance test: measure a model on pairs, and decide between the base and what was tuned.

Candidates are interpolations of the base's and the tuned weights (WiSE-FT). One is admitted when the domain gains and
nothing else loses more than it may; among those, the best on the domain wins. The base itself is always admitted, as
"refused". The arithmetic is that of `evaluate.pairs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from accelerate import PartialState
from accelerate.utils import gather_object
from numpy.typing import NDArray

from labse_search.corpora.values import Pair
from labse_search.errors import UserError
from labse_search.evaluate.pairs import Interval, pair_accuracy, paired_bootstrap
from labse_search.finetune.config import FinetuneConfig, Scores
from labse_search.similarity import Vectors, normalize

ENCODE_BATCH = 64
COLLAPSE_COSINE = 0.6  # of random pairs of texts; LaBSE's are near 0.2, a collapsed model's near 1
COLLAPSE_RISE = 0.1  # some models start above; then it is the rise that counts


@dataclass(frozen=True)
class Measured:
    """One model's vectors turned into numbers: on the domain, and on what must not get worse."""

    domain: Scores
    regression: Scores | None
    positives: NDArray[np.float32]  # cosines of the true pairs of the domain
    negatives: NDArray[np.float32]  # cosines of wrong pairs of the domain
    spread: float  # mean cosine of random sources of the domain: near 1 is collapse


@dataclass(frozen=True)
class Verdict:
    """What was decided: `alpha` 0 means that the base stays."""

    alpha: float
    reason: str
    gain: Interval | None  # on the domain, of the chosen interpolation or, if refused, of the best one tried

    @property
    def accepted(self) -> bool:
        """Whether the tuned model, or a part of it, replaces the base."""
        return self.alpha > 0


def encode_shared(model: Any, texts: Sequence[str]) -> Vectors:
    """Vectors of length 1 of all texts, (n, dimension), the same on every process; each encodes its part."""
    state = PartialState()
    # Alike in length: little padding. In one order on every process, which that of a set is not.
    distinct = sorted(set(texts), key=lambda text: (len(text), text))
    mine = distinct[state.process_index :: state.num_processes]
    training = model.training
    vectors = model.encode(mine, batch_size=ENCODE_BATCH, show_progress_bar=False, convert_to_numpy=True)
    model.train(training)
    parts = gather_object([np.asarray(vectors, dtype=np.float32)])
    row = {}
    for process in range(state.num_processes):
        for at, text in enumerate(distinct[process :: state.num_processes]):
            row[text] = (process, at)
    return normalize(np.stack([parts[row[text][0]][row[text][1]] for text in texts]))


def measure(model: Any, dev: Sequence[Pair], regression: Mapping[str, Sequence[Pair]] | None) -> Measured:
    """Scores of the dev pairs and of the regression pools, if there are any. All processes call it and get the same."""
    sources = encode_shared(model, [pair.source for pair in dev])
    targets = encode_shared(model, [pair.target for pair in dev])
    domain = score(dev, sources, targets)
    # A wrong pair is each source with the next pair's target; equal neighbours are rare and do no harm.
    wrong = np.einsum("ij,ij->i", sources, np.roll(targets, 1, axis=0))
    half = len(sources) // 2
    spread = float(np.einsum("ij,ij->i", sources[:half], sources[half : 2 * half]).mean()) if half else 0.0
    held = None
    if regression:
        pairs = [pair for group in regression.values() for pair in group]
        held = score(
            pairs,
            encode_shared(model, [pair.source for pair in pairs]),
            encode_shared(model, [pair.target for pair in pairs]),
            pools=[name for name, group in regression.items() for _ in group],
        )
    return Measured(domain, held, np.einsum("ij,ij->i", sources, targets), wrong, spread)


def score(pairs: Sequence[Pair], sources: Vectors, targets: Vectors, pools: Sequence[str] | None = None) -> Scores:
    """Each pair looks for its partner among the pairs of its own pool (its languages, unless `pools` says)."""
    names = list(pools) if pools is not None else [pair.language for pair in pairs]
    hits, mrr, forward, backward = np.zeros(len(pairs)), np.zeros(len(pairs)), 0.0, 0.0
    languages = {}
    for name in sorted(set(names)):
        rows = np.array([at for at, other in enumerate(names) if other == name])
        found = pair_accuracy(
            sources[rows],
            targets[rows],
            source_texts=[pairs[at].source for at in rows],
            target_texts=[pairs[at].target for at in rows],
        )
        hits[rows] = found.hits()
        mrr[rows] = (1 / found.forward_ranks + 1 / found.backward_ranks) / 2
        forward += found.forward * len(rows)
        backward += found.backward * len(rows)
        languages[name or "all"] = found.mean
    n = len(pairs)
    return Scores(n, forward / n, backward / n, float(mrr.mean()), languages, hits)


def decide(base: Measured, tuned: Mapping[float, Measured], config: FinetuneConfig) -> Verdict:
    """The admissible interpolation that is best on the domain, or alpha 0 with the reason why none is."""
    reasons: list[str] = []
    admitted: dict[float, Interval] = {}
    for alpha, after in sorted(tuned.items()):
        gain = paired_bootstrap(base.domain.hits, after.domain.hits, seed=config.seed)
        rejection = rejection_reason(base, after, gain, config)
        if rejection:
            reasons.append(f"alpha {alpha:g}: {rejection}")
        else:
            admitted[alpha] = gain
    if admitted:
        # Of equal gains the smaller step away from the base.
        best = max(admitted, key=lambda alpha: (round(admitted[alpha].difference, 6), -alpha))
        return Verdict(best, f"the domain gains {_points(admitted[best])}", admitted[best])
    if not tuned:
        return Verdict(0.0, "nothing to choose from", None)
    tried = max(tuned.values(), key=lambda after: after.domain.accuracy)
    return Verdict(0.0, "; ".join(reasons), paired_bootstrap(base.domain.hits, tried.domain.hits, seed=config.seed))


def check_gain_possible(base: Measured, config: FinetuneConfig) -> None:
    """UserError where not even a model without a mistake could be accepted: hours of training would be for nothing."""
    hits = base.domain.hits
    best = paired_bootstrap(hits, np.ones_like(hits), seed=config.seed)
    if best.is_gain if config.accept == "strict" else best.difference > 0:
        return
    raise UserError(
        f"the base already finds the partners of {np.count_nonzero(hits == 1):,} of the {len(hits):,} pairs to measure "
        "on: no training could show a sure gain on them. Pairs that were mined are pairs that the model finds; measure "
        "on pairs that people translated, and on many: --dev FILE."
    )


def rejection_reason(base: Measured, after: Measured, gain: Interval, config: FinetuneConfig) -> str:
    """Why this interpolation may not replace the base; empty if it may."""
    if after.spread > max(COLLAPSE_COSINE, base.spread + COLLAPSE_RISE):
        return f"vectors collapse: unrelated texts have a mean cosine of {after.spread:.2f} (before: {base.spread:.2f})"
    if config.accept == "strict" and not gain.is_gain:
        return f"no sure gain on the domain, {_points(gain)}"
    if gain.difference <= 0:
        return f"no gain on the domain, {_points(gain)}"
    if base.regression and after.regression:
        lost = 100 * (base.regression.accuracy - after.regression.accuracy)
        if lost > config.max_regression:
            return f"the regression set loses {lost:.1f} points, allowed are {config.max_regression:g}"
        drops = {
            language: 100 * (before - after.regression.languages[language])
            for language, before in base.regression.languages.items()
        }
        worst = max(drops, key=lambda language: drops[language])
        if drops[worst] > config.max_language_drop:
            return f"{worst} loses {drops[worst]:.1f} points, allowed are {config.max_language_drop:g}"
    return ""


def _points(gain: Interval) -> str:
    return f"{100 * gain.difference:+.1f} points (95 % between {100 * gain.low:+.1f} and {100 * gain.high:+.1f})"
