"""What every tab's handlers share: the resources, and one place where unexpected errors are explained."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from labse_search.errors import UserError
from labse_search.library.findings import Findings
from labse_search.library.searches import SavedSearches
from labse_search.teach import Teaching
from labse_search.ui.context import AppContext
from labse_search.ui.error_reports import explain
from labse_search.ui.events import Event
from labse_search.ui.strings import text
from labse_search.ui.values import Jobs, Status

Value = dict[str, Any]
Answer = TypeVar("Answer")

MAX_CHOICES = 500  # values offered in one filter, problems named
_LONGEST_NAME = 200  # characters of a collection's name that are looked at: no real one is as long


class Shared:
    """What all tabs look at."""

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.status = Status(context)
        self.jobs = Jobs(context)

    @cached_property
    def teaching(self) -> Teaching:
        """What people said of pairs and answers; the file is made when first asked for."""
        return Teaching(self.context.settings.home)

    @cached_property
    def findings(self) -> Findings:
        """The passages that people kept in this home."""
        return Findings(self.context.settings.home)

    @cached_property
    def saved(self) -> SavedSearches:
        """The searches that people saved in this home."""
        return SavedSearches(self.context.settings.home)

    def collection_named(self, name: object) -> str:
        """The collection of that name, which may not be there; without a name that of the settings."""
        given = unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""
        return given[:_LONGEST_NAME] or self.context.settings.collection


def guarded(act: Callable[[], Answer], instead: Callable[[str, str], Answer]) -> Answer:
    """What `act` answers; if it fails, whatever the reason, `instead` of (sentence for the person, reference or "").

    The page's border: a UserError's sentence is shown as it is, anything else is a bug that is explained and logged.
    """
    try:
        return act()
    except Exception as error:
        return instead(*explain(error))


def looked(look: Callable[[], Value], instead: Callable[[str, str], Value]) -> Value:
    """`guarded`, with the moment before it as `nonce`: answers may overtake each other on their way, and of two the one
    that began to look later knows more."""
    began = time.time_ns()
    return guarded(look, instead) | {"nonce": began}


def same_collection(collection: str, event: Event) -> None:
    """UserError if the event is of another collection than the open one: for a moment after another was opened the page
    still shows the parts of the last, and what is done there must not happen to this one."""
    if event.has("collection") and event.text("collection") != collection:
        raise UserError(text("another_open"))


def then_shown(act: Callable[[], object], shown: Callable[..., Value], collection: str) -> Value:
    """What a part of the page shows of the collection after `act`, or with the sentence that says why it failed."""

    def change() -> Value:
        act()
        return shown(collection)

    return guarded(change, lambda *failed: shown(collection, sentence(*failed)))


def sentence(message: str, reference: str) -> str:
    """What the page shows of a failure: the message, and the number under which the log has more."""
    return f"{message} {text('reference', reference=reference)}." if reference else message
