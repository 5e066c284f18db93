"""The folder a run leaves: the model with its card, and `run/`: config, metrics, history, plots.

Everything is written into OUTPUT.partial and renamed at the end. A refused run leaves OUTPUT.refused with `run/` alone;
what lay at OUTPUT stays as it was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from labse_search.encoder.folder import OWN_FILE
from labse_search.errors import UserError
from labse_search.finetune.config import FinetuneConfig, Scores
from labse_search.finetune.gate import Measured, Verdict
from labse_search.finetune.model import SHIPPED, is_static

if TYPE_CHECKING:
    from labse_search.finetune.recipe import Data, Plan


# Settings that a resumed run may have otherwise than the interrupted one.
MAY_CHANGE = frozenset(
    "resume overwrite dry_run report_to eval_steps save_steps save_limit alphas accept grad_cache".split()
)


@dataclass(frozen=True)
class Run:
    """All that the folder tells of a run."""

    config: FinetuneConfig
    data: Data
    plan: Plan
    base: Measured
    mixes: Mapping[float, Measured]
    verdict: Verdict
    seconds: float
    stored: torch.dtype  # in which the base's weights lay


def refused_folder(folder: Path) -> Path:
    return folder.with_name(folder.name + ".refused")


def check_same_run(work: Path, config: Any, may_change: Collection[str] = MAY_CHANGE) -> None:
    """UserError when an interrupted run of this output had other settings, a dataclass whose fields are flags: its
    checkpoint would not fit them."""
    file = work / "run" / "config.json"
    if not file.exists():
        return
    old = json.loads(file.read_text(encoding="utf-8"))
    new = json.loads(json.dumps(dataclasses.asdict(config)))
    changed = [name for name in new if name not in may_change and old.get(name) != new[name]]
    if changed:
        raise UserError(
            f"an interrupted run of {work} had another --{changed[0].replace('_', '-')} ({old.get(changed[0])!r}). "
            "Give the same settings to go on, or --resume none to start anew."
        )


def prepare(work: Path, config: FinetuneConfig, *, keep: bool) -> None:
    """An empty run folder; with `keep` the checkpoints and history of an interrupted run stay."""
    if work.exists() and not keep:
        shutil.rmtree(work)
    (work / "run" / "plots").mkdir(parents=True, exist_ok=True)
    write_json(work / "run" / "config.json", dataclasses.asdict(config))
    if not (work / "checkpoints").exists():
        (work / "run" / "history.jsonl").unlink(missing_ok=True)


def finish(run: Run, model: Any, work: Path, folder: Path) -> Path:
    """Write what is missing, drop the checkpoints, rename; returns where it lies."""
    write_json(work / "run" / "metrics.json", metrics(run))
    plot_all(run, work / "run")
    target = folder if run.verdict.accepted else refused_folder(folder)
    if run.verdict.accepted:
        save_model(model, run, work)
    shutil.rmtree(work / "checkpoints", ignore_errors=True)
    aside = None
    if target.exists():  # only with --overwrite, or a refusal that follows a refusal
        aside = target.with_name(target.name + ".old")
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
    work.rename(target)
    if aside:
        shutil.rmtree(aside)
    return target


def save_model(model: Any, run: Run, folder: Path) -> None:
    if is_static(model):
        model.to(run.stored)  # labse-mini's halves: a hundredth of a point at most, half the size
    model.save(str(folder), create_model_card=False)
    known = base_description(run).get("languages", [])
    languages = sorted(trained_languages(run) | set(known))
    (folder / "README.md").write_text(card(run, languages), encoding="utf-8")
    if known:  # of a base that does not say its languages, the field's alone would be too few
        write_json(folder / OWN_FILE, {**base_description(run), "languages": languages})


def base_description(run: Run) -> dict[str, Any]:
    file = Path(run.config.model or SHIPPED) / OWN_FILE
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def trained_languages(run: Run) -> set[str]:
    return {
        language.split("-")[0].lower()
        for pair in run.data.training
        for language in (pair.source_language, pair.target_language)
        if language
    }


def metrics(run: Run) -> dict[str, Any]:
    gain = run.verdict.gain
    return {
        "accepted": run.verdict.accepted,
        "alpha": run.verdict.alpha,
        "reason": run.verdict.reason,
        "before": _measured(run.base),
        "after": {f"{alpha:g}": _measured(mix) for alpha, mix in run.mixes.items()},
        "gain_points": gain
        and {
            "difference": 100 * gain.difference,
            "low": 100 * gain.low,
            "high": 100 * gain.high,
            "confidence": gain.confidence,
        },
        "plan": dataclasses.asdict(run.plan),
        "training_pairs": len(run.data.training),
        "dev_pairs": len(run.data.dev),
        "training_languages": dict(Counter(pair.language or "all" for pair in run.data.training).most_common()),
        "training_sha256": _digest(run),
        "seconds": round(run.seconds, 1),
        "versions": _versions(),
    }


def verdict_lines(base: Measured, mixes: Mapping[float, Measured], verdict: Verdict, path: Path) -> list[str]:
    """The before/after table and the decision, for the terminal."""
    shown = mixes.get(verdict.alpha) or (mixes[max(mixes)] if mixes else None)
    lines = []
    if shown:
        lines.append(f"{'':28}{'before':>9}{'after':>9}{'change':>9}")
        for name, before, after in rows(base, shown):
            lines.append(f"{name:28}{before:9.2f}{after:9.2f}{after - before:+9.2f}")
    decision = f"accepted with alpha {verdict.alpha:g}" if verdict.accepted else "refused, the base stays"
    return [*lines, f"{decision}: {verdict.reason}", f"written to {path}"]


def rows(base: Measured, after: Measured) -> list[tuple[str, float, float]]:
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


def card(run: Run, known: list[str]) -> str:
    """README.md of the model folder, with the front matter that sentence-transformers and the hub read."""
    config, after = run.config, run.mixes[run.verdict.alpha]
    counts = Counter(pair.language or "not named" for pair in run.data.training)
    margin = 0.0 if config.loss == "infonce" else config.margin
    table = "\n".join(
        f"| {name} | {before:.2f} | {now:.2f} | {now - before:+.2f} |" for name, before, now in rows(run.base, after)
    )
    by_language = "\n".join(f"| {name} | {count:,} |" for name, count in counts.most_common())
    report = "\n".join(f"* {line}" for line in run.data.report)
    plan, unseen = run.plan, ""
    if after.regression is None:
        unseen = "\n* No regression set was given: what it forgot outside its field was not measured."
    return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [sentence-transformers, sentence-similarity, feature-extraction]
base_model: {config.model or "labse-mini"}
language: [{", ".join(known)}]
---

# {Path(config.output).name}

{config.model or "labse-mini"}, taught a field with pairs of texts that mean the same. Its vectors are not
interchangeable with the base's: a collection of documents must be indexed anew with it.

```python
from sentence_transformers import SentenceTransformer
model = SentenceTransformer("{Path(config.output).name}")
```

## Before and after

{len(run.data.dev):,} pairs of the field that share no text with training; each text looks for its partner among the
texts of the same two languages. In percent.

| | before | after | change |
|---|---|---|---|
{table}

Decision: accepted with alpha {run.verdict.alpha:g} ({run.verdict.reason}). Alpha is the share of the tuned weights
in the mix with the base's.

## Data

{report}

| languages | pairs |
|---|---|
{by_language}

## Loss

Additive-margin softmax both ways (LaBSE, arXiv 2007.01852): scale {config.scale:g}, margin {margin:g},
{config.reduction} of the directions, {plan.global_batch} pairs a step over {plan.processes} processes,
{plan.negatives} negatives a row, {plan.steps:,} steps, peak learning rate {plan.learning_rate:g}, pooling
{config.pooling}, {run.seconds:.0f} seconds of training.

## Limits

* It was measured on translation pairs of the field. Likeness that is not translation was not measured; models of this
  kind are weak at it.
* A small corpus teaches its words; other words of the field are as they were.{unseen}
"""


def plot_all(run: Run, folder: Path) -> None:
    """PNGs in `folder`/plots; each needs only what the run has."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    history = _history(folder / "history.jsonl")
    plots = folder / "plots"
    last = run.mixes[max(run.mixes)] if run.mixes else None
    chosen = run.mixes.get(run.verdict.alpha, last)

    def save(name: str, title: str, x: str, y: str) -> None:
        pyplot.title(title)
        pyplot.xlabel(x)
        pyplot.ylabel(y)
        pyplot.tight_layout()
        pyplot.savefig(plots / name, dpi=120)
        pyplot.close()

    pyplot.plot(*_series(history, "loss"))
    save("loss.png", "Training loss (mean over processes)", "step", "loss")
    pyplot.plot(*_series(history, "dev_accuracy", 100), marker="o")
    save("dev_accuracy.png", "Accuracy on the first 1,000 dev pairs (step 0: the base)", "step", "%")
    if chosen is None:
        return
    _plot_languages(pyplot, run.base, chosen)
    save("languages.png", "Change by language", "points", "")
    bins = np.linspace(-0.3, 1.0, 66)
    for name, style, measured in (("before", "--", run.base), ("after", "-", chosen)):
        for kind, values, colour in (("true", measured.positives, "C0"), ("wrong", measured.negatives, "C3")):
            counts, edges = np.histogram(values, bins=bins, density=True)
            pyplot.plot((edges[:-1] + edges[1:]) / 2, counts, style, color=colour, label=f"{kind} pairs {name}")
    pyplot.legend()
    save("similarities.png", "Similarity of true and of wrong pairs", "cosine", "density")
    alphas = [0.0, *sorted(run.mixes)]
    swept = [run.base, *(run.mixes[alpha] for alpha in sorted(run.mixes))]
    pyplot.plot(alphas, _points([measured.domain.accuracy for measured in swept]), "o-", label="dev")
    held = [measured.regression for measured in swept]
    if all(held):
        pyplot.plot(alphas, _points([scores.accuracy for scores in held if scores]), "s-", label="regression")
    pyplot.axvline(run.verdict.alpha, linestyle=":", color="grey", label="chosen")
    pyplot.legend()
    save("alpha.png", "Between the base (0) and the tuned model (1)", "alpha", "change of accuracy, points")


def percent(scores: Scores) -> str:
    return f"{100 * scores.forward:.2f} → {100 * scores.backward:.2f} ← %"


def _points(accuracies: Sequence[float]) -> list[float]:
    """The change from the first, the base's."""
    return [100 * (accuracy - accuracies[0]) for accuracy in accuracies]


def _plot_languages(pyplot: Any, base: Measured, after: Measured) -> None:
    changes = []
    for label, old, new in (("", base.domain, after.domain), ("held: ", base.regression, after.regression)):
        if old and new:
            changes += [(label + name, 100 * (new.languages[name] - value)) for name, value in old.languages.items()]
    changes = sorted(changes, key=lambda change: change[1])[-60:]
    pyplot.figure(figsize=(6.4, max(3.0, 0.22 * len(changes) + 1)))
    pyplot.barh([name for name, _ in changes], [value for _, value in changes])
    pyplot.axvline(0, color="black", linewidth=0.8)
    pyplot.tick_params(axis="y", labelsize=7)


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


def _digest(run: Run) -> str:
    digest = hashlib.sha256()
    for pair in run.data.training:
        digest.update(f"{pair.source}\t{pair.target}\n".encode())
    return digest.hexdigest()


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


def _history(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def _series(history: list[dict[str, Any]], name: str, factor: float = 1) -> tuple[list[int], list[float]]:
    points = [(entry["step"], factor * entry[name]) for entry in history if name in entry]
    return [step for step, _ in points], [value for _, value in points]


def write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
