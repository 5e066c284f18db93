"""A collection as a map: passages about the same thing lie together, whatever their language.

vectors → `neutral` (without their language, fewer dimensions) → `layout` (two dimensions) → `topics` (groups and the
words that tell them apart) → `file` (kept in the home) → the page, or `written` (JSON, CSV, HTML). `job` does it all.
"""

from labse_search.map.file import Changes, PassageMap, find_changes, forget_map, load_map
from labse_search.map.topics import Topic

__all__ = ["Changes", "PassageMap", "Topic", "find_changes", "forget_map", "load_map"]
