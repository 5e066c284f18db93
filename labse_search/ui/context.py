"""What the page needs from whoever starts it: open resources and three ways to act. It opens nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labse_search.library import Library
from labse_search.search import Searcher
from labse_search.settings import Settings
from labse_search.store import Store
from labse_search.ui.users import is_loopback


@dataclass(frozen=True)
class AppContext:
    settings: Settings
    library: Library
    store: Store
    model: str  # the model that new collections are indexed with
    searcher: Callable[[str], Searcher]  # of a collection; may load the model, which takes seconds, the first time
    wake: Callable[[], None]  # called after a job was added or told to go on: let a worker look
    examples: Path  # the sample collection; absent in some installations

    @property
    def uploads(self) -> Path:
        """Where files that were dropped on the page wait until a job has kept them."""
        return self.settings.home / "uploads"

    @property
    def local(self) -> bool:
        """Whether only this computer can reach the page."""
        return is_loopback(self.settings.host)

    def model_of(self, collection: str) -> str:
        """The model a collection was made with; for a new one, the one to make it with."""
        known = self.library.ledger.collections().get(collection)
        return known[0] if known else self.model
