"""Pictures of a run: its loss, its dev accuracy, changes by language, similarities, and the interpolation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labse_search.finetune.acceptance import Measured
from labse_search.finetune.report import Outcome


def plot_all(run: Outcome, folder: Path) -> None:
    """PNGs in `folder`/plots; each needs only what the run has."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    history = _history(folder / "history.jsonl")
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    last = run.tuned[max(run.tuned)] if run.tuned else None
    chosen = run.tuned.get(run.verdict.alpha, last)

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
    alphas = [0.0, *sorted(run.tuned)]
    measurements = [run.base, *(run.tuned[alpha] for alpha in sorted(run.tuned))]
    pyplot.plot(alphas, _points([measured.domain.accuracy for measured in measurements]), "o-", label="dev")
    held = [measured.regression for measured in measurements]
    if all(held):
        pyplot.plot(alphas, _points([scores.accuracy for scores in held if scores]), "s-", label="regression")
    pyplot.axvline(run.verdict.alpha, linestyle=":", color="grey", label="chosen")
    pyplot.legend()
    save("alpha.png", "Between the base (0) and the tuned model (1)", "alpha", "change of accuracy, points")


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


def _history(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def _series(history: list[dict[str, Any]], name: str, factor: float = 1) -> tuple[list[int], list[float]]:
    points = [(entry["step"], factor * entry[name]) for entry in history if name in entry]
    return [step for step, _ in points], [value for _, value in points]
