"""What happens when a person does something on the page, by tab.

Every public method answers with a value that the page can show, whatever happens: failures are explained in place.
"""

from typing import Any

from labse_search.ui.context import AppContext
from labse_search.ui.handlers.adding import AddingHandlers
from labse_search.ui.handlers.aligning import AligningHandlers
from labse_search.ui.handlers.base import Shared, guarded
from labse_search.ui.handlers.batch import BatchHandlers
from labse_search.ui.handlers.collection import CollectionHandlers
from labse_search.ui.handlers.findings import FindingsHandlers
from labse_search.ui.handlers.judging import JudgingHandlers
from labse_search.ui.handlers.manage import ManageHandlers
from labse_search.ui.handlers.map import MapHandlers
from labse_search.ui.handlers.models import ModelHandlers
from labse_search.ui.handlers.saved import SavedHandlers
from labse_search.ui.handlers.search import SearchHandlers
from labse_search.ui.handlers.settings import SettingsHandlers
from labse_search.ui.handlers.teaching import TeachingHandlers
from labse_search.ui.handlers.tuning import TuningHandlers
from labse_search.ui.handlers.watches import WatchHandlers

__all__ = [
    "AddingHandlers",
    "AligningHandlers",
    "BatchHandlers",
    "CollectionHandlers",
    "FindingsHandlers",
    "Handlers",
    "JudgingHandlers",
    "ManageHandlers",
    "ModelHandlers",
    "MapHandlers",
    "SavedHandlers",
    "SearchHandlers",
    "TeachingHandlers",
    "SettingsHandlers",
    "TuningHandlers",
    "WatchHandlers",
]


class Handlers:
    """What the page's events do, by tab."""

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.shared = Shared(context)
        self.search = SearchHandlers(self.shared)
        self.adding = AddingHandlers(self.shared)
        self.findings = FindingsHandlers(self.shared)
        self.saved = SavedHandlers(self.shared)
        self.batch = BatchHandlers(self.shared)
        self.collection = CollectionHandlers(self.shared)
        self.aligning = AligningHandlers(self.shared)
        self.teaching = TeachingHandlers(self.shared)
        self.judging = JudgingHandlers(self.shared)
        self.tuning = TuningHandlers(self.shared)
        self.watches = WatchHandlers(self.shared)
        self.settings = SettingsHandlers(self.shared)
        self.manage = ManageHandlers(self.shared)
        self.map = MapHandlers(self.shared)
        self.models = ModelHandlers(self.shared)

    def state(self, collection: str) -> dict[str, Any]:
        """What changes by itself and every open page follows: header, jobs, watched folders, backups, fetches."""
        header, jobs = self.adding.tick(collection)
        works = guarded(lambda: [*self.manage.jobs(), *self.models.fetches()], lambda *failed: [])
        return {"header": header, "jobs": jobs, "watches": self.watches.shown(collection), "works": works}
