"""What a run found, as numbers and as lines for a person."""

from __future__ import annotations

import dataclasses
import platform
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from labse_search.evaluate.pairs import paired_bootstrap
from labse_search.finetune.acceptance import Measured, Verdict
from labse_search.finetune.config import FinetuneConfig, Scores
from labse_search.finetune.data import Data
from labse_search.finetune.plan import Plan


@dataclass(frozen=True)
class Outcome:
    """All that the folder tells of a run."""

    config: FinetuneConfig
    data: Data
    plan: Plan
    base_folder: Path
    base: Measured
    tuned: Mapping[float, Measured]  # by alpha, the share of the tuned weights in the interpolation with the base's
    verdict: Verdict
    seconds: float
    stored: torch.dtype  # in which the base's weights lay


def metrics(run: Outcome) -> dict[str, Any]:
    """What `run/metrics.json` holds."""
    gain = run.verdict.gain
    return {
        "accepted": run.verdict.accepted,
        "alpha": run.verdict.alpha,
        "reason": run.verdict.reason,
        "table": table_rows(run.base, after) if (after := shown(run.tuned, run.verdict)) else [],
        "before": _measured(run.base),
        "after": {f"{alpha:g}": _measured(measured) for alpha, measured in run.tuned.items()},
        "gain_points": gain
        and {
            "difference": 100 * gain.difference,
            "low": 100 * gain.low,
            "high": 100 * gain.high,
            "confidence": gain.confidence,
        },
        "by_language": by_language(run),
        "plan": dataclasses.asdict(run.plan),
        "training_pairs": len(run.data.training),
        "dev_pairs": len(run.data.dev),
        "training_languages": dict(Counter(pair.language or "all" for pair in run.data.training).most_common()),
        "training_sha256": run.data.summary()["sha256"],
        "seconds": round(run.seconds, 1),
        "versions": _versions(),
    }


def by_language(run: Outcome) -> dict[str, dict[str, float]]:
    """Of each language pair of the dev set, in percent: before and after, and the interval of the change. After is the
    model that won or, where none did, the tuned weights as they are."""
    after = shown(run.tuned, run.verdict)
    if after is None:
        return {}
    rows: dict[str, list[int]] = {}
    for at, pair in enumerate(run.data.dev):
        rows.setdefault(pair.language or "all", []).append(at)
    found = {}
    for name, chosen in rows.items():
        before, now = run.base.domain.hits[chosen], after.domain.hits[chosen]
        change = paired_bootstrap(before, now, seed=run.config.seed)
        found[name] = {"pairs": len(chosen), "before": 100 * float(before.mean()), "after": 100 * float(now.mean())}
        found[name] |= {"low": 100 * change.low, "high": 100 * change.high}
    return found


def shown(tuned: Mapping[float, Measured], verdict: Verdict) -> Measured | None:
    """What stands as "after" in tables: the model that won or, where none did, the tuned weights as they are."""
    return tuned.get(verdict.alpha) or (tuned[max(tuned)] if tuned else None)


def verdict_lines(base: Measured, tuned: Mapping[float, Measured], verdict: Verdict, path: Path) -> list[str]:
    """The before/after table and the decision, for the terminal."""
    measured = shown(tuned, verdict)
    lines = []
    if measured:
        lines.append(f"{'':28}{'before':>9}{'after':>9}{'change':>9}")
        for name, before, after in table_rows(base, measured):
            lines.append(f"{name:28}{before:9.2f}{after:9.2f}{after - before:+9.2f}")
    decision = f"accepted with alpha {verdict.alpha:g}" if verdict.accepted else "refused, the base stays"
    kept = [] if verdict.accepted or not tuned else [f"the tuned weights are kept in {path / 'tuned'}"]
    if verdict.accepted:
        kept = [f"next: python -m labse_search.library reembed --model {shlex.quote(str(path))} --switch"]
    return [*lines, f"{decision}: {verdict.reason}", f"written to {path}", *kept]


def table_rows(base: Measured, after: Measured) -> list[tuple[str, float, float]]:
    """Name, before and after, in percent."""
    table = [
        ("dev accuracy →", 100 * base.domain.forward, 100 * after.domain.forward),
        ("dev accuracy ←", 100 * base.domain.backward, 100 * after.domain.backward),
        ("dev reciprocal rank", 100 * base.domain.mrr, 100 * after.domain.mrr),
    ]
    if base.regression and after.regression:
        table.append(("regression accuracy", 100 * base.regression.accuracy, 100 * after.regression.accuracy))
        changes = {name: after.regression.languages[name] - value for name, value in base.regression.languages.items()}
        worst = min(changes, key=lambda name: changes[name])
        before = base.regression.languages[worst]
        table.append((f"worst: {worst}", 100 * before, 100 * after.regression.languages[worst]))
    return table


def percent(scores: Scores) -> str:
    """Accuracy from sources to targets and back."""
    return f"{100 * scores.forward:.2f} → {100 * scores.backward:.2f} ← %"


def _measured(measured: Measured) -> dict[str, Any]:
    return {
        "domain": _scores(measured.domain),
        "regression": measured.regression and _scores(measured.regression),
        "mean_cosine_of_true_pairs": float(measured.positives.mean()),
        "mean_cosine_of_wrong_pairs": float(measured.negatives.mean()),
        "mean_cosine_of_unrelated_sources": measured.spread,
    }


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        "pairs": scores.pairs,
        "accuracy": scores.accuracy,
        "forward": scores.forward,
        "backward": scores.backward,
        "mrr": scores.mrr,
        "languages": scores.languages,
    }


def _versions() -> dict[str, str]:
    import sentence_transformers
    import torch
    import transformers

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "sentence_transformers": sentence_transformers.__version__,
    }
