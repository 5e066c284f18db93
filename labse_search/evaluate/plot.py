"""Reports as pictures: bars for rows, a map for a matrix. matplotlib is imported when it draws."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labse_search.evaluate.report import Report, Section

COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")  # Paul Tol's bright scheme


def plot_reports(folder: Path, reports: Sequence[Report]) -> list[Path]:
    """A PNG for every section, the models beside one another."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for section in reports[0].sections:
        same = [other for report in reports for other in report.sections if other.title == section.title]
        name = re.sub(r"[^a-z0-9]+", "_", section.title.lower()).strip("_")[:60]
        path = folder / f"{name}.png"
        models = [report.model for report in reports]
        figure = _maps(section.title, models, same) if section.is_matrix else _bars(models, same)
        figure.savefig(path, dpi=120)
        drawn.append(path)
    return drawn


def _bars(models: Sequence[str], same: Sequence[Section]) -> Any:
    """The first column of every row, one bar a model."""
    from matplotlib.figure import Figure

    names = list(same[0].rows)
    figure = Figure(figsize=(8, 1.5 + 0.22 * len(names) * max(len(models), 1)), layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / len(models)
    for number, (model, section) in enumerate(zip(models, same, strict=False)):
        values = [float((section.rows.get(name) or (0.0,))[0] or 0.0) for name in names]
        places = np.arange(len(names)) + number * height
        bars = axes.barh(places, values, height, color=COLORS[number % len(COLORS)], label=model)
        axes.bar_label(bars, fmt="%.1f", padding=2, fontsize=7)
    axes.set_yticks(np.arange(len(names)) + 0.4 - height / 2, names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(same[0].columns[0])
    axes.set_title(same[0].title, fontsize=10)
    axes.legend(fontsize=8, loc="lower right")
    return figure


def _maps(title: str, models: Sequence[str], same: Sequence[Section]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * len(models), 5), layout="constrained")
    for number, (model, section) in enumerate(zip(models, same, strict=False), start=1):
        values = np.array([[cell or 0.0 for cell in row] for row in section.rows.values()], dtype=float)
        axes = figure.add_subplot(1, len(models), number)
        axes.imshow(values, vmin=0, vmax=100, cmap="viridis")
        axes.set_xticks(range(len(section.columns)), section.columns)
        axes.set_yticks(range(len(section.rows)), list(section.rows))
        for (row, column), value in np.ndenumerate(values):
            color = "white" if value < 60 else "black"
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=color, fontsize=7)
        axes.set_title(model, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure
