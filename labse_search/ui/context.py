"""What the page needs from whoever starts it: open resources and three ways to act. It opens nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from indexer.estimate import measured_rate
from indexer.watching import Watching
from labse_search.library import Library
from labse_search.search import Searcher
from labse_search.settings import Settings
from labse_search.store import Store
from labse_search.ui.users import is_loopback


@dataclass(frozen=True)
class AppContext:
    """What the page's handlers work on."""

    settings: Settings
    library: Library
    store: Store
    model: str  # the model that new collections were indexed with at the start: `new_model` is the one of now
    searcher: Callable[[str], Searcher]  # of a collection; may load the model, which takes seconds, the first time
    wake: Callable[[], None]  # called after a job was added or told to go on: let a worker look
    examples: Path  # the sample collection; absent in some installations
    probe: Callable[[str], float | None] = lambda model: None  # passages a second of a model that is loaded
    watching: Watching | None = None  # keeps folders in step; None where nobody does
    token: str = ""  # what a visitor must know where only this computer can reach the page; empty: nothing

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
        known = self.library.ledger.collections.all().get(collection)
        return known[0] if known else self.new_model

    def rate(self, collection: str) -> float | None:
        """Passages a second of the collection's model on this computer: of the last job, else measured now."""
        model = self.model_of(collection)
        return measured_rate(self.library, model) or self.probe(model)

    @property
    def new_model(self) -> str:
        """The model that a new collection is made with: what was chosen on the page since the start counts."""
        return self.model if "model" in self.settings.fixed else self.current.model or self.model

    @property
    def current(self) -> Settings:
        """The settings as they would be after a new start."""
        return self.settings.with_file()
