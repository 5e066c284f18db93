"""What happens in the Collection tab. Values in, values out; no gradio here."""

from __future__ import annotations

from collections.abc import Callable

from indexer.check import PROBLEMS, check
from indexer.documents import forget_removed, remove_documents, restore_documents
from indexer.repair import repair
from labse_search.errors import UserError
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import MAX_CHOICES, Shared, Value, guarded, same_collection, sentence
from labse_search.ui.strings import text
from labse_search.ui.values import documents_value, indexing


class CollectionHandlers:
    """What the Collection tab does. Any thread may call, for any collection."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.context = shared.context

    def opened(self, collection: str) -> Value:
        """The tab was opened: the documents, and whether the store still has them."""
        return self._health(collection, full=False)

    def documents(self, collection: str, message: str = "") -> Value:
        """The list of documents, as the tab shows it."""
        return guarded(
            lambda: documents_value(self.context, collection, message),
            lambda *failed: {
                "documents": [],
                "languages": [],
                "kinds": [],
                "coverage": [],
                "message": sentence(*failed),
            },
        )

    def remove(self, collection: str, event: Event) -> Value:
        """Remove one document; it can be restored. The list then."""
        return self._changed(event, collection, lambda document: self._remove(collection, [document]))

    def restore(self, collection: str, event: Event) -> Value:
        """Put a removed document back. The list then."""
        return self._changed(event, collection, lambda document: self._restore(collection, [document]))

    def read_again(self, collection: str, event: Event) -> Value:
        """Read, segment and encode again from the kept original; all documents when none is named. What is searchable
        stays so until its successor is there."""

        def again(document: str) -> None:
            rows = self.context.library.documents(collection)
            documents = [row.document for row in rows if document in ("", row.document)]
            self.context.library.ledger.documents.read_again(collection, documents)
            self._restore(collection, documents)

        return self._changed(event, collection, again)

    def check(self, collection: str) -> Value:
        """Compare store, ledger and originals to the last character."""
        return self._health(collection, full=True)

    def repair(self, collection: str) -> Value:
        """Rebuild from the originals what the full comparison finds wrong."""

        def mend() -> Value:
            context = self.context
            problems = check(context.library, context.store, collection, full=True)
            if repair(context.library, context.store, collection, problems):
                context.wake()
            return self.documents(collection)

        return guarded(mend, lambda *failed: self.documents(collection, sentence(*failed)))

    def forget(self, collection: str, event: Event) -> Value:
        """Erase the removed documents for good, with their originals; the page has asked."""

        def erase() -> Value:
            same_collection(collection, event)
            forget_removed(self.context.library, collection)
            return self.documents(collection)

        return guarded(erase, lambda *failed: self.documents(collection, sentence(*failed)))

    def _health(self, collection: str, *, full: bool) -> Value:
        """The documents with what is wrong: counts are compared each time, everything on request."""
        value = self.documents(collection)

        def look() -> Value:
            if indexing(self.shared.jobs.rows(collection)):
                return {}
            problems = check(self.context.library, self.context.store, collection, full=full)
            named = [{"name": one.name, "what": PROBLEMS[one.code]} for one in problems[:MAX_CHOICES]]
            return {"problems": named, "checked": full}

        return value | guarded(look, lambda *failed: {"message": sentence(*failed)})

    def _changed(self, event: Event, collection: str, act: Callable[[str], None]) -> Value:
        def change() -> Value:
            same_collection(collection, event)
            document = event.document()
            if not document and event.text("document") != "":
                raise UserError(text("gone"))
            act(document)
            return self.documents(collection)

        return guarded(change, lambda *failed: self.documents(collection, sentence(*failed)))

    def _remove(self, collection: str, documents: list[str]) -> None:
        remove_documents(self.context.library, self.context.store, collection, documents)

    def _restore(self, collection: str, documents: list[str]) -> None:
        restore_documents(self.context.library, collection, self.context.model_of(collection), documents)
        self.context.wake()
