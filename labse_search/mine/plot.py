"""The histogram of mined scores with the threshold in it. matplotlib is imported when it is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def plot_scores(
    path: Path,
    scores: NDArray[Any],
    threshold: float,
    *,
    margin: str,
    is_gold: NDArray[np.bool_] | None = None,
) -> None:
    """A PNG: how many pairs have which score, and where the cut is."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    if len(scores):
        # Scores of wrong pairs reach far up; the picture shows 99.8 % of the pairs and says so by its edges.
        low, high = np.quantile(scores, [0.001, 0.999])
        low, high = min(low, threshold), max(high, threshold) if np.isfinite(threshold) else high
        bins = np.linspace(low, high + 1e-9, 81).tolist()
        shown = np.clip(scores, low, high)
        if is_gold is None:
            axes.hist(shown, bins, color="#4477aa", label=f"{len(scores):,} candidate pairs")
        else:
            groups = [shown[~is_gold], shown[is_gold]]
            labels = [f"{len(groups[0]):,} others", f"{len(groups[1]):,} gold pairs"]
            axes.hist(groups, bins, stacked=True, color=["#bbbbbb", "#228833"], label=labels)
        axes.set_yscale("log")
    if np.isfinite(threshold):
        note = f"threshold {threshold:.4f}: {np.count_nonzero(scores >= threshold):,} pairs kept"
        axes.axvline(threshold, color="#ee6677", linewidth=2, label=note)
    axes.set_xlabel(f"score ({margin} margin)")
    axes.set_ylabel("pairs")
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
