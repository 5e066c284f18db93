"""A searcher put together from open resources, for whoever answers questions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from labse_search.encoder import Encoder
from labse_search.records import UNKNOWN_LANGUAGE
from labse_search.search.profile import ModelProfile
from labse_search.search.searcher import Searcher
from labse_search.store import Store

if TYPE_CHECKING:
    from labse_search.languages.identify import LanguageIdentifier


def make_searcher(
    store: Store,
    encoder: Encoder,
    collection: str,
    home: Path,
    profile: Callable[[], ModelProfile] | None = None,
    *,
    in_bulk: bool = False,
) -> Searcher:
    """A searcher whose questions go before whoever encodes in bulk in the same home, unless they are asked `in_bulk`. A
    model without a profile is measured at the first question, unless `profile` says otherwise; so is the collection, at
    the first one whose passages are compared token by token."""
    from labse_search.encoder.priority import QueryPriority
    from labse_search.search.measure import profile_of
    from labse_search.search.unanswered import unanswered_of

    first = nullcontext if in_bulk else QueryPriority(home / "locks" / "questions.lock").query
    identify = question_identifier(encoder.languages)
    profile = profile or functools.cache(lambda: profile_of(encoder, home))
    return Searcher(
        store, encoder, collection, identify=identify, query_priority=first, profile=profile,
        unanswered=lambda count: unanswered_of(store, encoder, collection, profile(), home, count),
    )  # fmt: skip


def question_identifier(languages: tuple[str, ...]) -> Callable[[str], str]:
    """Names the language of a question, loading what that takes (a third of a second) at the first one."""

    @functools.cache
    def identifier() -> LanguageIdentifier:
        from labse_search.languages.identify import LanguageIdentifier

        return LanguageIdentifier(languages)

    return lambda text: identifier().identify_question(text) or UNKNOWN_LANGUAGE
