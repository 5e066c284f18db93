"""What an evaluation found: sections of named rows and columns, as a table for people and as JSON for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labse_search.evaluate.pairs import paired_bootstrap

Row = tuple[float | None, ...]


@dataclass(frozen=True)
class Section:
    """A table. Values are percentages where `columns` say nothing else; None is "not measured"."""

    title: str
    columns: tuple[str, ...]
    rows: dict[str, Row]
    note: str = ""
    digits: int = 1
    is_matrix: bool = False  # rows and columns are the same things: drawn as a map


@dataclass(frozen=True)
class Report:
    """One model on one task."""

    task: str
    model: str
    sections: tuple[Section, ...]
    facts: dict[str, str | int | float] = field(default_factory=dict)  # pool sizes, sentences, seconds, fingerprint
    scores: NDArray[Any] | None = None  # one score an item, for the interval of the difference between two models
    items: tuple[dict[str, Any], ...] = ()  # what the model did with each item, where a person reads them one by one


def render(reports: Sequence[Report]) -> str:
    """Every section once, the models side by side, then what separates them."""
    parts = []
    for section in reports[0].sections:
        same = [_section(report, section.title) for report in reports]
        if section.is_matrix:  # too wide to stand side by side
            parts += [
                _table(replace(one, note=report.model), [report.model], [one])
                for report, one in zip(reports, same, strict=True)
                if one
            ]
        else:
            parts.append(_table(section, [report.model for report in reports], same))
    parts.append("\n".join(_facts(report) for report in reports))
    parts += [line for report in reports[1:] if (line := difference(reports[0], report))]
    return "\n\n".join(parts)


def difference(first: Report, second: Report) -> str:
    """How much better the second model is, over the same items, with a 95 % interval."""
    if first.scores is None or second.scores is None or not len(first.scores):
        return ""
    interval = paired_bootstrap(first.scores, second.scores)
    verdict = "a gain" if interval.is_gain else "a loss" if interval.is_loss else "no sure difference"
    return (
        f"{second.model} against {first.model}, mean over {len(first.scores):,} items: "
        f"{100 * interval.difference:+.2f} points, 95 % interval {100 * interval.low:+.2f} … {100 * interval.high:+.2f}"
        f" (paired bootstrap): {verdict}"
    )


def to_json(reports: Sequence[Report], published: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """The reports as one object: models with their sections, then the differences to the first model."""
    models: list[dict[str, Any]] = []
    for report in reports:
        sections = {
            section.title: {name: dict(zip(section.columns, row, strict=True)) for name, row in section.rows.items()}
            for section in report.sections
        }
        models.append({"model": report.model, "facts": report.facts, "sections": sections})
        if report.items:
            models[-1]["items"] = list(report.items)
    found: dict[str, Any] = {"task": reports[0].task, "models": models}
    if published:
        found["published"] = list(published)
    differences = []
    for report in reports[1:]:
        if reports[0].scores is not None and report.scores is not None and len(report.scores):
            interval = paired_bootstrap(reports[0].scores, report.scores)
            differences.append({"model": report.model, "against": reports[0].model, **vars(interval)})
    if differences:
        found["differences"] = differences
    return found


def percent(value: float) -> float:
    """Of a share, with three decimals."""
    return round(100 * float(value), 3)


def _section(report: Report, title: str) -> Section | None:
    return next((section for section in report.sections if section.title == title), None)


def _table(section: Section, models: Sequence[str], same: Sequence[Section | None]) -> str:
    header = [""] + [column for _ in models for column in section.columns]
    lines = [header]
    for name in section.rows:
        line = [name]
        for other in same:
            values = other.rows.get(name) if other else None
            line += [_number(value, section.digits) for value in values or (None,) * len(section.columns)]
        lines.append(line)
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = [section.title]
    if len(models) > 1:
        text += [f"  model {number}: {model}" for number, model in enumerate(models, start=1)]
        numbers = [""] + [f"model {n}" for n in range(1, len(models) + 1) for _ in section.columns]
        widths = [max(width, len(number)) for width, number in zip(widths, numbers, strict=True)]
        lines.insert(0, numbers)
    for line in lines:
        cells = [f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)]
        text.append("  ".join(["  " + line[0].ljust(widths[0]), *cells]).rstrip())
    if section.note:
        text += ["  " + line for line in section.note.splitlines()]
    return "\n".join(text)


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "-"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return f"{value:.{digits}f}"


def _facts(report: Report) -> str:
    facts = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in report.facts.items()
    )
    return f"{report.model}: {facts}"
