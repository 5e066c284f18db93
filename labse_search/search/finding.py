"""A question's vector and words → the passages that the store finds for them, in two rankings, each as deep as it must
be: past what the model cannot read, past what quotes and exclusions leave out, past a long document that fills it all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from labse_search.encoder import Encoder
from labse_search.records import Filter, Found
from labse_search.search.filters import deep
from labse_search.search.passages import is_readable
from labse_search.search.question import EXACT_BONUS, Question, exactness
from labse_search.similarity import Vectors
from labse_search.store import Store, StoreAnswer, StoreQuestion

POOL = 60  # segments taken from each ranking before grouping

Passing = Callable[[Found], bool]


@dataclass(frozen=True)
class Finder:
    """Finds in one collection with the collection's own model."""

    store: Store
    encoder: Encoder
    collection: str

    def find(
        self,
        vector: Vectors | None,
        words: Question | None,
        where: Filter,
        limit: int,
        passing: Passing | None = None,
    ) -> StoreAnswer:
        """Both rankings for `limit` documents, by one call of the store as a rule; a ranking that nothing is given for
        is empty. `passing`: what the store cannot filter by. What was found by looking deeper is not in `vectors`."""
        pool = max(POOL, 2 * limit)
        text = None if words is None else words.text
        asked = StoreQuestion(self.encoder.fingerprint, vector, text, pool, where)
        found = self.store.ask(self.collection, asked)
        if vector is not None:
            found = replace(found, meaning=self._meaning(found.meaning, asked, limit, passing))
        if words is not None:
            found = replace(found, words=self._words(found.words, asked, words, passing))
        return found

    def _meaning(self, found: list[Found], asked: StoreQuestion, limit: int, passing: Passing | None) -> list[Found]:
        """The closest passages; where a few long documents fill them all, also the closest of the others."""
        assert asked.vector is not None
        vector, where, model = asked.vector, asked.where, asked.fingerprint

        def look(pool: int, where: Filter = where) -> list[Found]:
            return self.store.search_meaning(self.collection, vector, pool, where=where, fingerprint=model)

        if passing is not None:
            return deep(look, asked.limit, lambda one: is_readable(one) and passing(one), found)
        if not all(map(is_readable, found)):
            return deep(look, asked.limit, is_readable, found)
        documents = {one.stored.document for one in found}
        if len(found) == asked.limit and len(documents) < limit:
            others = replace(where, not_documents=(*where.not_documents, *documents))
            return found + look(asked.limit, others)
        return found

    def _words(
        self, found: list[Found], asked: StoreQuestion, question: Question, passing: Passing | None
    ) -> list[Found]:
        """The passages that share words with the question; among near equals those that spell them as it does first."""

        def look(pool: int) -> list[Found]:
            return self.store.search_words(self.collection, question.text, pool, where=asked.where)

        found = found if passing is None else deep(look, asked.limit, passing, found)
        exact = exactness(question.text)
        return sorted(found, key=lambda one: -one.score * (1 + EXACT_BONUS * exact(one.stored.segment.text)))
