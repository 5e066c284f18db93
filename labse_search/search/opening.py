"""A searcher put together from open resources, for whoever answers questions."""

from __future__ import annotations

import functools
import logging
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

log = logging.getLogger(__name__)


def make_searcher(
    store: Store,
    encoder: Encoder,
    collection: str,
    home: Path,
    profile: Callable[[], ModelProfile] | None = None,
    *,
    in_bulk: bool = False,
    aside: bool = False,
    tell: Callable[[str], None] = log.info,
) -> Searcher:
    """A searcher whose questions go before whoever encodes in bulk in the same home, unless they are asked `in_bulk`. A
    model without a profile is measured at the first question, unless `profile` says otherwise; so is the collection,
    for the strengths of what it finds: before that question is answered, as `tell` is told, or `aside`, while it and
    others are."""
    from labse_search.encoder.priority import QueryPriority
    from labse_search.search.measure import profile_of
    from labse_search.search.unanswered import Measured

    priority = QueryPriority(home / "locks" / "questions.lock")
    identify = question_identifier(encoder.languages)
    profile = profile or functools.cache(lambda: profile_of(encoder, home))
    measured = Measured(store, encoder, collection, profile, home, tell)
    unanswered = measured.so_far if aside else measured.now
    if in_bulk or aside:  # else a question waits for it, and would wait for itself
        unanswered = functools.partial(unanswered, pause=priority.wait_for_queries)
    return Searcher(
        store, encoder, collection, identify=identify, profile=profile,
        query_priority=nullcontext if in_bulk else priority.query, unanswered=unanswered,
    )  # fmt: skip


def question_identifier(languages: tuple[str, ...]) -> Callable[[str], str]:
    """Names the language of a question, loading what that takes (a third of a second) at the first one."""

    @functools.cache
    def identifier() -> LanguageIdentifier:
        from labse_search.languages.identify import LanguageIdentifier

        return LanguageIdentifier(languages)

    return lambda text: identifier().identify_question(text) or UNKNOWN_LANGUAGE
