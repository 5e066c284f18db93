"""The words and numbers of charts and diagrams in Office files, each of which lies in a part of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, zip_longest

from indexer.read.archive import Archive
from indexer.read.clean import clean
from indexer.read.drawing import texts
from indexer.read.xml import events
from labse_search.records import Place, Unit

_POINTS = 500  # of a chart's series that are told


def object_texts(archive: Archive, path: str, kind: str) -> list[str]:
    """The words of a diagram or chart that lies in a part of its own."""
    if path not in archive or kind not in ("diagramData", "chart", "chartEx"):
        return []
    content = archive.read(path)
    found = texts(content)
    if kind != "diagramData":
        found += chart_lines(content) if kind == "chart" else extended_chart_lines(content)
    return list(dict.fromkeys(text.strip() for text in found if text.strip()))


def chart_lines(content: bytes) -> list[str]:
    """A line for each series: its name, and its values beside the names of their categories."""
    lines: list[str] = []
    where: list[str] = []
    series: dict[str, dict[str, str]] = {}
    point = ""
    text = ""
    for kind, name, attributes in events(content):
        if kind == "text":
            text += name
        elif kind == "start":
            text = ""
            if name in ("c:ser", "c:tx", "c:cat", "c:xVal", "c:val", "c:yVal"):
                where.append(name)
                series = {} if name == "c:ser" else series
            elif name == "c:pt":
                point = attributes.get("idx", "")
        elif name == "c:v" and where and text.strip():
            series.setdefault(where[-1], {})[point] = text.strip()
        elif where and name == where[-1]:
            where.pop()
            lines += [_series_line(series)] if name == "c:ser" else []
    return [line for line in lines if line]


def extended_chart_lines(content: bytes) -> list[str]:
    """The same of the charts of Office 2016: a line of "category value" pairs for each of its data."""
    lines: list[str] = []
    columns: list[list[str]] = []  # of the open data: names of the categories, values
    text = ""
    for kind, name, _ in events(content):
        if kind == "text":
            text += name
        elif kind == "start":
            text = ""
            columns = [] if name == "data" else columns
            columns += [[]] if name in ("strDim", "numDim") else []
        elif name == "pt" and columns:
            columns[-1].append(_rounded(text.strip()))
        elif name == "data":
            rows = zip_longest(*columns, fillvalue="")
            lines.append(", ".join(" ".join(filter(None, row)) for row in islice(rows, _POINTS)))
    return [line for line in lines if line]


def _series_line(series: dict[str, dict[str, str]]) -> str:
    name = " ".join(series.get("c:tx", {}).values())
    categories = series.get("c:cat", series.get("c:xVal", {}))
    values = series.get("c:val", series.get("c:yVal", {}))
    points = list(dict.fromkeys((*categories, *values)))[:_POINTS]
    told = [" ".join(part for part in (categories.get(at, ""), _rounded(values.get(at, ""))) if part) for at in points]
    return ": ".join(part for part in (name, ", ".join(one for one in told if one)) if part)


def _rounded(text: str) -> str:
    try:
        return f"{float(text):.6g}"
    except ValueError:
        return text


def drawing_units(archive: Archive, path: str, place: Place) -> Iterator[Unit]:
    """The boxes and charts that are drawn over a sheet."""
    boxes = clean("\n".join(texts(archive.read(path)))).strip()
    if boxes:
        yield Unit(boxes, {**place, "part": "text box"})
    for kind, target in sorted(archive.relations(path).values()):
        text = clean("\n".join(object_texts(archive, target, kind))).strip()
        if text:
            yield Unit(text, {**place, "part": "chart"})
