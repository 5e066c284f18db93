"""Search your own documents by meaning, across languages, and teach the model your field.

The names below are the documented interface (docs/api.md). They are imported when they are first used, so that
`import labse_search` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labse_search.encoder import load_encoder
    from labse_search.errors import UserError
    from labse_search.library import Library
    from labse_search.mine import mine_pairs
    from labse_search.records import Filter
    from labse_search.search import Searcher
    from labse_search.settings import Settings
    from labse_search.store import open_store

__version__ = "0.1.0"
__all__ = ["Filter", "Library", "Searcher", "Settings", "UserError", "load_encoder", "mine_pairs", "open_store"]

_MODULES = {
    "Filter": "records",
    "Library": "library",
    "Searcher": "search",
    "Settings": "settings",
    "UserError": "errors",
    "load_encoder": "encoder",
    "mine_pairs": "mine",
    "open_store": "store",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"labse_search.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'labse_search' has no attribute {name!r}")
