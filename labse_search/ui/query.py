"""What a person asked for: the question and its filters, from the controls or from the address bar."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from labse_search.records import Filter, Mode
from labse_search.ui.strings import text

MAX_QUESTION = 5000  # characters; a longer paragraph is a document
MAX_CHOICES = 200  # values of one filter that are taken from an address
DAY = 86_400.0
PERIODS = {"": 0.0, "day": DAY, "week": 7 * DAY, "month": 30 * DAY, "year": 365 * DAY}
PERIOD_NAMES = {"": "any_time", "day": "last_day", "week": "last_week", "month": "last_month", "year": "last_year"}


@dataclass(frozen=True)
class Query:
    question: str = ""
    mode: Mode = "both"
    only_other: bool = False
    languages: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    added: str = ""  # key of PERIODS

    @classmethod
    def from_controls(cls, *values: object) -> Query:
        """In the order of the fields. A browser sent them: what is not of the right kind counts as empty."""
        question, mode, only_other, languages, kinds, folders, documents, added = values
        return cls(
            question=question.strip() if isinstance(question, str) else "",
            mode=cast(Mode, mode) if mode in get_args(Mode) else "both",
            only_other=only_other is True,
            languages=_strings(languages),
            kinds=_strings(kinds),
            folders=_strings(folders),
            documents=_strings(documents),
            added=added if isinstance(added, str) and added in PERIODS else "",
        )

    @classmethod
    def from_address(cls, parameters: Mapping[str, str]) -> Query:
        """From the part of an address after the question mark, as page.js writes it."""
        return cls.from_controls(
            parameters.get("q", ""),
            parameters.get("mode"),
            parameters.get("only") == "1",
            *(_list(parameters.get(key, "")) for key in ("lang", "kind", "folder", "doc")),
            parameters.get("added"),
        )

    def controls(self) -> tuple[Any, ...]:
        """The values of the controls, in the order of the fields."""
        lists = (self.languages, self.kinds, self.folders, self.documents)
        return (self.question, self.mode, self.only_other, *(list(values) for values in lists), self.added)

    def filter(self, now: float) -> Filter:
        """`now` in seconds since the epoch."""
        return Filter(
            languages=self.languages,
            kinds=self.kinds,
            folders=self.folders,
            documents=self.documents,
            added_after=now - PERIODS[self.added] if self.added else None,
        )

    def without(self, name: str, value: str) -> Query:
        """The same without one value of one filter."""
        fields = {field: getattr(self, field) for field in self.__dataclass_fields__}
        if name == "added":
            fields["added"] = ""
        elif name in ("languages", "kinds", "folders", "documents"):
            fields[name] = tuple(one for one in fields[name] if one != value)
        return Query(**fields)

    def chips(self, titles: Mapping[str, str]) -> list[dict[str, str]]:
        """The filters in force, for the row above the answers; `titles` of the documents by id."""
        chips = [{"name": "languages", "value": code, "lang": code, "label": code} for code in self.languages]
        chips += [{"name": "kinds", "value": kind, "label": kind.upper()} for kind in self.kinds]
        chips += [{"name": "folders", "value": folder, "label": f"{folder}/"} for folder in self.folders]
        chips += [{"name": "documents", "value": one, "label": titles.get(one, one)} for one in self.documents]
        if self.added:
            chips.append({"name": "added", "value": self.added, "label": text(PERIOD_NAMES[self.added])})
        return chips


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(one for one in value if isinstance(one, str) and len(one) <= 1024)[:MAX_CHOICES]


def _list(value: str) -> object:
    try:
        return json.loads(value) if value else []
    except (ValueError, RecursionError):  # the latter: brackets in brackets, thousands deep
        return []
