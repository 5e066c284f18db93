"""Measure a model on pairs, and decide between it and the base: which mix of both, or neither.

A mix is admitted when the domain gains and nothing else loses more than it may; among those, the best on the domain
wins. The base itself is always admitted, as "refused". numpy arithmetic comes from `evaluate.pairs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import PartialState
from accelerate.utils import gather_object
from numpy.typing import NDArray

from labse_search.errors import UserError
from labse_search.evaluate.pairs import Interval, pair_accuracy, paired_bootstrap
from labse_search.finetune.config import FinetuneConfig, Scores
from labse_search.finetune.pairs import TrainingPair, read_pairs
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
    alpha: float
    reason: str
    gain: Interval | None  # on the domain, of the chosen mix or, if refused, of the best one tried

    @property
    def accepted(self) -> bool:
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


def measure(
    model: Any, dev: Sequence[TrainingPair], regression: Mapping[str, Sequence[TrainingPair]] | None
) -> Measured:
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


def score(
    pairs: Sequence[TrainingPair], sources: Vectors, targets: Vectors, pools: Sequence[str] | None = None
) -> Scores:
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


def decide(base: Measured, mixes: Mapping[float, Measured], config: FinetuneConfig) -> Verdict:
    """The admissible mix that is best on the domain, or alpha 0 with the reason why none is."""
    reasons: list[str] = []
    admitted: dict[float, Interval] = {}
    for alpha, mix in sorted(mixes.items()):
        gain = paired_bootstrap(base.domain.hits, mix.domain.hits, seed=config.seed)
        why_not = objection(base, mix, gain, config)
        if why_not:
            reasons.append(f"alpha {alpha:g}: {why_not}")
        else:
            admitted[alpha] = gain
    if admitted:
        # Of equal gains the smaller step away from the base.
        best = max(admitted, key=lambda alpha: (round(admitted[alpha].difference, 6), -alpha))
        return Verdict(best, f"the domain gains {_points(admitted[best])}", admitted[best])
    if not mixes:
        return Verdict(0.0, "nothing to choose from", None)
    tried = max(mixes.values(), key=lambda mix: mix.domain.accuracy)
    return Verdict(0.0, "; ".join(reasons), paired_bootstrap(base.domain.hits, tried.domain.hits, seed=config.seed))


def check_room(base: Measured, config: FinetuneConfig) -> None:
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


def objection(base: Measured, mix: Measured, gain: Interval, config: FinetuneConfig) -> str:
    """Why this mix may not replace the base; empty if it may."""
    if mix.spread > max(COLLAPSE_COSINE, base.spread + COLLAPSE_RISE):
        return f"vectors collapse: unrelated texts have a mean cosine of {mix.spread:.2f} (before: {base.spread:.2f})"
    if config.accept == "strict" and not gain.is_gain:
        return f"no sure gain on the domain, {_points(gain)}"
    if gain.difference <= 0:
        return f"no gain on the domain, {_points(gain)}"
    if base.regression and mix.regression:
        lost = 100 * (base.regression.accuracy - mix.regression.accuracy)
        if lost > config.max_regression:
            return f"the regression set loses {lost:.1f} points, allowed are {config.max_regression:g}"
        drops = {
            language: 100 * (before - mix.regression.languages[language])
            for language, before in base.regression.languages.items()
        }
        worst = max(drops, key=lambda language: drops[language])
        if drops[worst] > config.max_language_drop:
            return f"{worst} loses {drops[worst]:.1f} points, allowed are {config.max_language_drop:g}"
    return ""


def read_regression(specifications: Sequence[str], at_most: int) -> dict[str, list[TrainingPair]]:
    """Pools of pairs by name: of tatoeba:DIR one pool a language, of a file one a language pair."""
    pools: dict[str, list[TrainingPair]] = {}
    for specification in specifications:
        if specification.startswith("tatoeba:"):
            pools.update(_tatoeba(specification.removeprefix("tatoeba:")))
            continue
        for pair in read_pairs(specification):
            name = Path(specification.split("=")[0]).name.split(".")[0]
            pools.setdefault(f"{name} {pair.language}".strip(), []).append(pair)
    return {name: pairs[:at_most] for name, pairs in pools.items()}


def _tatoeba(specification: str) -> dict[str, list[TrainingPair]]:
    """LASER's layout (tatoeba.xxx-eng.xxx beside .eng) or one tatoeba.xxx-eng.tsv[.xz] a language."""
    folder, _, wanted = specification.partition(":")
    only = set(filter(None, wanted.split(",")))
    pools = {}
    for file in sorted(Path(folder).glob("tatoeba.???-eng.*")):
        language = file.name.split(".")[1].split("-")[0]
        if only and language not in only:
            continue
        if ".tsv" in file.name:
            pools[language] = read_pairs(str(file))
        elif file.suffix == f".{language}":
            pools[language] = read_pairs(f"{file},{file.with_suffix('.eng')}")
    missing = only - pools.keys()
    if missing or not pools:
        raise UserError(
            f"tatoeba:{specification}: no files tatoeba.xxx-eng.* for {', '.join(sorted(missing)) or 'any language'}."
        )
    return pools


def _points(gain: Interval) -> str:
    return f"{100 * gain.difference:+.1f} points (95 % between {100 * gain.low:+.1f} and {100 * gain.high:+.1f})"
