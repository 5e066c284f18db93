"""The map of a collection."""

from __future__ import annotations

MAP: dict[str, str | tuple[str, str]] = {
    "map_title": "Map of passages",
    "map_intro": "Passages about the same thing lie together, whatever their language.",
    "map_few": "A map needs at least {least} passages. Add more documents to this collection.",
    "map_make": "Compute the map",
    "map_update": "Add them to the map",
    "map_anew": "Compute anew",
    "map_running": "Computing the map",
    "map_added": ("{n} passage came since the map was made.", "{n} passages came since the map was made."),
    "map_gone": ("{n} passage on the map is gone.", "{n} passages on the map are gone."),
    "map_much": "Much has changed: computed anew, the map shows it better.",
    "map_generation": "Another model answers by now: the map has to be computed anew.",
    "map_sample": "An even sample is shown: {shown} of {all} passages.",
    "map_colour": "Colour by",
    "map_other": "Others",
    "map_no_folder": "No folder",
    "map_zoom_in": "Zoom in",
    "map_zoom_out": "Zoom out",
    "map_whole": "Whole map",
    "map_select": "Select an area",
    "map_label": "Map. Arrow keys: from passage to passage. Enter: open. Plus, minus: zoom. "
    "The topics are listed below.",
    "map_topics": "Topics",
    "map_area": "Selected area",
    "map_clear": "Show all again",
    "map_hits": "Circled: what your question found.",
    "map_failed": "The map could not be loaded. Open this tab again.",
    "map_replaced": "The map was computed anew meanwhile. Open this tab again.",
}
