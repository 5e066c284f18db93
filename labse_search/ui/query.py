"""What a person asked for: the question and its filters, from the controls or from the address bar."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args
from urllib.parse import urlencode

from labse_search.naming import kind_name
from labse_search.records import Filter, Intent, Mode
from labse_search.search.steer import Steer
from labse_search.ui.steers import read_steers, write_steers
from labse_search.ui.strings import text

MAX_QUESTION = 5000  # characters; a longer paragraph is a document
MAX_CHOICES = 200  # values of one filter that are taken from an address
DAY = 86_400.0
PERIODS = {"": 0.0, "day": DAY, "week": 7 * DAY, "month": 30 * DAY, "year": 365 * DAY}
LISTS = ("languages", "kinds", "folders", "documents")  # fields that hold several values
PERIOD_NAMES = {"": "any_time", "day": "last_day", "week": "last_week", "month": "last_month", "year": "last_year"}


Asked = Literal["both", "meaning", "words", "translation"]  # how to find, as the page offers it
Sort = Literal["", "place"]  # by relevance, or each document's passages in its order


@dataclass(frozen=True)
class Query:
    """A question with its filters, as the page's fields and its address have them."""

    question: str = ""
    mode: Asked = "both"
    only_other: bool = False
    languages: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    added: str = ""  # key of PERIODS
    like: str = ""  # DOCUMENT.INDEX of a passage: passages like it are shown instead of answers
    steers: tuple[Steer, ...] = ()
    sort: Sort = ""

    @classmethod
    def from_controls(cls, *values: object) -> Query:
        """In the order of the fields. A browser sent them: what is not of the right kind counts as empty."""
        question, mode, only_other, languages, kinds, folders, documents, added, like, steers, sort = values
        return cls(
            question=question.strip() if isinstance(question, str) else "",
            mode=cast(Asked, mode) if mode in get_args(Asked) else "both",
            only_other=only_other is True,
            languages=strings(languages),
            kinds=tuple(dict.fromkeys(map(kind_name, strings(kinds)))),
            folders=strings(folders),
            documents=strings(documents),
            added=added if isinstance(added, str) and added in PERIODS else "",
            like=like if isinstance(like, str) and len(like) < 64 else "",
            steers=read_steers(steers),
            sort="place" if sort == "place" else "",
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
            parameters.get("like", ""),
            parameters.get("steer", ""),
            parameters.get("sort", ""),
        )

    def controls(self) -> tuple[Any, ...]:
        """The values of the controls, in the order of the fields."""
        lists = (self.languages, self.kinds, self.folders, self.documents)
        chosen = (list(values) for values in lists)
        last = (self.added, self.like, write_steers(self.steers), self.sort)
        return (self.question, self.mode, self.only_other, *chosen, *last)

    def address(self) -> str:
        """The part of the page's address after the question mark that asks this, without the collection; equal for
        equal queries."""
        lists = {"lang": self.languages, "kind": self.kinds, "folder": self.folders, "doc": self.documents}
        written = {key: json.dumps(list(one), ensure_ascii=False) for key, one in lists.items() if one}
        said = {"q": self.question, "mode": self.mode if self.mode != "both" else "", "only": "1" * self.only_other}
        last = {"added": self.added, "like": self.like, "steer": write_steers(self.steers), "sort": self.sort}
        return urlencode({key: value for key, value in (said | written | last).items() if value})

    @property
    def how(self) -> Mode:
        """How the searcher is asked."""
        return "meaning" if self.mode == "translation" else self.mode

    @property
    def intent(self) -> Intent:
        """What the searcher looks for."""
        return "translation" if self.mode == "translation" else "about"

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
        """The same without one value of one filter; without any filter for the name "all"."""
        changes: dict[str, Any] = {"like": ""}
        if name in ("all", "added"):
            changes["added"] = ""
        for field in LISTS if name == "all" else [name] if name in LISTS else []:
            changes[field] = tuple(one for one in getattr(self, field) if name != "all" and one != value)
        return replace(self, **changes)

    def chosen(self, name: str, value: str, *, on: bool) -> Query:
        """The same with one value of one filter, or without it; it may have been so before."""
        if name == "added":
            taken = value if value in PERIODS and on else ""
            return replace(self, like="", added=taken if on or value == self.added else self.added)
        if name not in LISTS or not on:
            return self.without(name, value)
        changes: dict[str, Any] = {"like": "", name: strings(list(dict.fromkeys([*getattr(self, name), value])))}
        return replace(self, **changes)

    def chips(self, titles: Mapping[str, str]) -> list[dict[str, str]]:
        """The filters in force, for the row above the answers; `titles` of the documents by id."""
        chips = [{"name": "languages", "value": code, "lang": code, "label": code} for code in self.languages]
        chips += [{"name": "kinds", "value": kind, "label": kind.upper()} for kind in self.kinds]
        chips += [{"name": "folders", "value": folder, "label": f"{folder}/"} for folder in self.folders]
        chips += [{"name": "documents", "value": one, "label": titles.get(one, one)} for one in self.documents]
        if self.added:
            key = PERIOD_NAMES[self.added]
            chips.append({"name": "added", "value": self.added, "label": text(key), "key": key})
        return chips


def strings(value: object) -> tuple[str, ...]:
    """The texts of a list that a browser sent; nothing of anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(one for one in value if isinstance(one, str) and len(one) <= 1024)[:MAX_CHOICES]


def _list(value: str) -> object:
    try:
        return json.loads(value) if value else []
    except (ValueError, RecursionError):  # the latter: brackets in brackets, thousands deep
        return []
