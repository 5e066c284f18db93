"""What happens in the Search tab. Values in, values out; no gradio here."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer.sources import walk
from labse_search.errors import CollectionMissing, UserError
from labse_search.languages import language_name
from labse_search.naming import count_kinds
from labse_search.places import describe_place
from labse_search.records import point_id
from labse_search.search import Answer, Searcher
from labse_search.search.steer import AWAY, QUESTION, TOWARDS
from labse_search.search.values import hit_value
from labse_search.store import FacetKey
from labse_search.ui.cards import answer_value, explained, marking, title
from labse_search.ui.events import Event, is_document_id
from labse_search.ui.facets import facets
from labse_search.ui.handlers.aligning import also_in
from labse_search.ui.handlers.base import MAX_CHOICES, Shared, Value, guarded
from labse_search.ui.handlers.findings import link
from labse_search.ui.handlers.saved import saved_as
from labse_search.ui.model_value import model_value
from labse_search.ui.query import MAX_QUESTION, Query
from labse_search.ui.steers import chips
from labse_search.ui.strings import GENERAL_QUESTIONS, SAMPLE_QUESTIONS, text
from labse_search.ui.values import indexing
from labse_search.ui.viewer import Viewer, Wanted

EXPLAINED = 1000  # characters of a question whose words are linked
PAGE, MOST = 20, 100  # passages at first, and at most after "Show more"
ANSWERS = 128  # kept for whoever looks further down among their cards


class SearchHandlers:
    """What the Search tab does. Any thread may call, for any collection."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.context = shared.context
        self.viewer = Viewer(shared.context.library, shared.context.store)
        self._answers: OrderedDict[str, tuple[Searcher, Answer]] = OrderedDict()
        self._lock = threading.Lock()

    def results(self, query: Query, collection: str, limit: int = PAGE) -> Value:
        """The passages that answer, or what to show instead of them."""

        def answer() -> Value:
            filters = {"chips": query.chips(self._titles(collection, query.documents))}
            if query.like:
                return self._more_like(collection, query) | filters
            if not query.question:
                return self._no_question(collection) | filters
            now = time.time()
            searcher = self.context.searcher(collection)
            found = _search(searcher, query, limit, now)
            offered = {"facets": facets(found.pools, query, now), "sort": query.sort}
            return self._shown(found, searcher, collection, query, limit) | filters | offered

        return self._in_place(answer, collection)

    def _more_like(self, collection: str, query: Query) -> Value:
        wanted = Wanted.from_address(query.like)
        searcher = self.context.searcher(collection)
        found = searcher.more_like(wanted.document, wanted.index, limit=PAGE, mark=False, steers=query.steers)
        shown = {"text": found.question, "lang": found.question_language}
        return self._shown(found, searcher, collection, query, MOST) | {"like": shown, "question": ""}

    def _kept(self, answer: Answer, searcher: Searcher) -> str:
        """The token that names the answer in `marks`."""
        token = secrets.token_urlsafe(12)
        with self._lock:
            self._answers[token] = (searcher, replace(answer, pools={}))
            if len(self._answers) > ANSWERS:
                self._answers.popitem(last=False)
        return token

    def marks(self, token: str, ranks: Collection[int]) -> list[Value] | None:
        """What the cards of these ranks lack, best first; None if the answer is no longer at hand."""
        with self._lock:
            known = self._answers.get(token)
        if known is None:
            return None
        searcher, answer = known
        hits = searcher.marked(answer, [hit for hit in answer.hits if hit.rank in ranks])
        return [{"rank": hit.rank, **marking(hit)} for hit in hits]

    def explain(self, collection: str, passage: str, question: str) -> Value:
        """Which words of the question met which of the passage (DOCUMENT.INDEX.START-END). UserErrors are raised."""
        wanted = Wanted.from_address(passage)
        if len(question) > EXPLAINED:
            raise UserError(text("too_long", n=EXPLAINED))
        searcher = self.context.searcher(collection)
        (start, end), links = searcher.explain_words(question, wanted.document, wanted.index, wanted.mark)
        stored = self.context.store.by_point(collection, [point_id(wanted.document, wanted.index)])
        shown = next((one.segment.text for one in stored.values()), "")
        return explained(question, shown, (start, end), links)

    def search_api(self, query: str, limit: int, collection: str) -> list[Mapping[str, Any]]:
        """For programs: UserErrors are raised, not shown in place."""
        answer = self.context.searcher(collection).search(_checked(query), limit=max(1, min(limit, MOST)))
        return [hit_value(hit) for hit in answer.hits]

    def rows(self, query: Query, collection: str, address: str) -> list[Mapping[str, Any]]:
        """The answers for an export, as many as the page would show at most. UserErrors are raised."""
        found = _search(self.context.searcher(collection), query, MOST, time.time())
        return [
            {
                "rank": hit.rank,
                "text": hit.stored.segment.text,
                "title": title(hit.stored.names),
                "place": describe_place(hit.stored.segment.place),
                "language": hit.stored.segment.language,
                "strength": hit.strength,
                "probability": round(hit.probability, 3),
                "score": round(hit.score, 4),
                "question": query.question,
                "link": link(address, collection, hit.stored.document, hit.stored.segment.index),
            }
            for hit in found.hits
        ]

    def _shown(self, answer: Answer, searcher: Searcher, collection: str, query: Query, limit: int) -> Value:
        more = len(answer.hits) >= limit and limit < MOST
        said = self.shared.teaching.judgements.judged(collection, answer.question)
        judged = {one.passage: one.answers for one in said}
        value = answer_value(answer) | {"more": min(PAGE, MOST - limit) if more else 0, "limit": limit}
        if query.sort == "place":
            value["cards"].sort(key=lambda card: (card["title"].casefold(), card["document"], card["index"]))
        points = [point_id(one.document, one.index) for one in query.steers if not one.text]
        stored = self.context.store.by_point(collection, points) if points else {}
        saved = saved_as(self.shared.saved, collection, query)
        return value | {
            "saved": saved is not None,
            "new": list(saved.new) if saved else [],
            "collection": collection,
            "judged": judged,
            "kept": self._kept_cards(collection, value["cards"]),
            "steers": chips(query.steers, stored),
            "marks": self._kept(answer, searcher),
            "weights": {"plus": TOWARDS, "minus": -AWAY, "also": QUESTION},
        }

    def _kept_cards(self, collection: str, cards: list[dict[str, Any]]) -> list[str]:
        """Those that a person kept, as DOCUMENT.INDEX."""
        try:
            kept = {f"{one.document}.{one.index}" for one in self.shared.findings.all(collection)}
        except UserError:  # the file is damaged: the Findings tab says so
            return []
        return [name for card in cards if (name := f"{card['document']}.{card['index']}") in kept]

    def _no_question(self, collection: str) -> Value:
        counts = self.shared.status.counts(collection)
        if counts.problem:
            raise UserError(counts.problem)
        if not counts.passages:
            return self._first(collection)
        sample = self.context.examples.name in self.context.store.facet(collection, "folder")
        questions = SAMPLE_QUESTIONS if sample else GENERAL_QUESTIONS
        return {"state": "idle", "examples": [{"text": question, "lang": code} for question, code in questions]}

    def _first(self, collection: str) -> Value:
        """Nothing is indexed yet: what to begin with, and which model will answer."""
        model = model_value(self.context.model_of(collection))
        return {"state": "first", "sample": self.context.examples.is_dir(), "model": model}

    def _in_place(self, answer: Callable[[], Value], collection: str) -> Value:
        def found() -> Value:
            try:
                return answer()
            except CollectionMissing:
                return self._first(collection)

        value = guarded(
            found, lambda message, reference: {"state": "error", "message": message, "reference": reference}
        )
        return value | {"indexing": indexing(self.shared.jobs.rows(collection)), "nonce": time.time_ns()}

    def _titles(self, collection: str, documents: tuple[str, ...]) -> dict[str, str]:
        rows = {one: self.context.library.ledger.documents.get(collection, one) for one in documents}
        return {one: title(row.names) or row.title for one, row in rows.items() if row is not None}

    def choices(self, collection: str) -> tuple[list[tuple[str, str]], ...]:
        """What the filters offer: languages, file types, folders, documents, as (label, value)."""

        def facet(key: FacetKey) -> dict[str, int]:
            try:
                return self.context.store.facet(collection, key)
            except UserError:  # no collection yet, or no store: the answers' place says so
                return {}

        def counted(label: str, count: int) -> str:
            return f"{label} ({count:,})"

        languages = [(counted(language_name(code), count), code) for code, count in facet("language").items()]
        kinds = [(counted(kind.upper(), count), kind) for kind, count in count_kinds(facet("kind")).items()]
        folders = sorted((counted(f"{folder}/", count), folder) for folder, count in facet("folder").items())
        rows = []
        if self.shared.status.counts(collection).documents <= MAX_CHOICES:  # more are found in the Collection tab
            rows = self.context.library.documents(collection)
        documents = sorted((title(row.names) or row.title, row.document) for row in rows)
        return languages, kinds, folders[:MAX_CHOICES], documents

    def view(self, collection: str, event: Event) -> Value:
        """The document around a passage, for the reader; or the reason why it cannot be shown."""

        def failed(message: str, reference: str) -> Value:
            place = text("reference", reference=reference) if reference else ""
            return {"nonce": str(time.time_ns()), "message": message, "place": place}

        def look() -> Value:
            wanted = Wanted.from_event(event)
            return self.viewer.value(collection, wanted) | {"also": also_in(self.shared, collection, wanted.document)}

        return guarded(look, failed) | {"number": event.number("number")}  # which of its questions it answers

    def part(self, collection: str, document: str, at: str, number: int) -> Value | None:
        """A part of a document's text with the passage `at` marked; None for one that the collection does not have."""
        if self.original(collection, document) is None or not 0 <= number < 1_000_000:
            return None
        try:
            return self.viewer.part(collection, Wanted.from_address(f"{document}.{at}"), number)
        except UserError:  # no such passage
            return None

    def sample(self, collection: str) -> Value:
        """Index the sample collection; the answers' place then says that it is being indexed."""

        def begin() -> Value:
            sources = walk([self.context.examples], self.context.library, collection)
            self.context.library.add_index_job(collection, self.context.model_of(collection), sources)
            self.context.wake()
            return self._no_question(collection)

        return self._in_place(begin, collection)

    def original(self, collection: str, document: str) -> tuple[Path, str] | None:
        """(file, name to save it under), or None if the collection has no such document."""
        row = self.context.library.ledger.documents.get(collection, document) if is_document_id(document) else None
        if row is None or row.state not in ("stored", "storing"):  # a removed one is kept for Undo, not given out
            return None
        path = self.context.library.originals.path(document)
        return (path, title(row.names) or row.title) if path.is_file() else None


def _search(searcher: Searcher, query: Query, limit: int, now: float) -> Answer:
    """Unmarked: `marks` tells the closest sentences of those cards that somebody looks at."""
    return searcher.search(
        _checked(query.question),
        mode=query.how,
        intent=query.intent,
        limit=max(1, min(limit, MOST)),
        where=query.filter(now),
        other_languages_only=query.only_other,
        group=query.sort != "place",
        mark=False,
        steers=query.steers,
        pools=True,
    )


def _checked(question: str) -> str:
    """The question, or a UserError if it is too long to be one: cut short it would be another."""
    if len(question) > MAX_QUESTION:
        raise UserError(text("too_long", n=MAX_QUESTION))
    return question
