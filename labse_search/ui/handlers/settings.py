"""What happens in the Settings tab. Values in, values out; no gradio here."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from labse_search.encoder.folder import read_folder
from labse_search.encoder.hub import find_model
from labse_search.errors import UserError
from labse_search.settings import CHOICES, EDITABLE, Settings, save
from labse_search.ui.context import AppContext
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, guarded, sentence
from labse_search.ui.strings import text
from labse_search.ui.translations import LANGUAGES
from labse_search.ui.users import load_users

PACKAGES = ("gradio", "torch", "transformers", "sentence-transformers", "qdrant-client", "qdrant-edge-py")
FIELDS = {  # those with a field of their own, and the label of each; language and theme are chosen above them
    "model": "settings_new_model",
    "precision": "settings_precision",
    "max_file_mb": "settings_max_mb",
    "ocr": "settings_ocr",
}
SPACE = (
    "originals",
    "texts",
    "store",
    "backups",
    "uploads",
    "logs",
)  # folders of the home that are shown, "other" is the rest


class SettingsHandlers:
    """What the Settings tab does."""

    def __init__(self, shared: Shared) -> None:
        self.context = shared.context

    def shown(self, message: str = "", *, saved: bool = False) -> Value:
        """The settings as they hold now, and what went wrong."""

        def look() -> Value:
            return _value(self.context, self.context.current) | {"message": message, "saved": saved}

        def failed(*why: str) -> Value:  # the file is damaged: what holds now is shown
            return _value(self.context, self.context.settings) | {"message": sentence(*why), "saved": False}

        return guarded(look, failed)

    def save(self, event: Event) -> Value:
        """Keep what was changed in the home's file. Where others sign in, nobody changes it from the page."""

        def keep() -> Value:
            if not self.context.local:
                raise UserError(text("settings_note"))
            free = [name for name in EDITABLE if name not in self.context.settings.fixed and event.has(name)]
            changes = {name: event.text(name).strip() for name in free}
            if changes.get("model") == self.context.model:
                del changes["model"]
            if changes.get("model"):
                read_folder(find_model(changes["model"]))  # raises what a person should know
            if changes.get("language", "") not in ("", *LANGUAGES):
                changes["language"] = ""
            save(self.context.settings.home, changes)
            return self.shown(saved=True)

        return guarded(keep, lambda *why: self.shown(sentence(*why)))


def _value(context: AppContext, settings: Settings) -> dict[str, Any]:
    people = text("settings_nobody") if context.local else ", ".join(sorted(load_users(settings.home)))
    home = str(settings.home) if context.local else ""
    rows = [
        ("settings_store", settings.store or text("settings_embedded"), "LABSE_STORE"),
        ("settings_home", home, "LABSE_HOME"),
        ("settings_log", home and str(settings.home / "logs" / "labse-search.log"), ""),
        ("settings_address", f"{settings.host}:{settings.port}", "LABSE_HOST, LABSE_PORT"),
        ("settings_people", people, ""),
        ("settings_versions", versions(), ""),
    ]
    return {
        "rows": [{"label": label, "value": value, "variable": name} for label, value, name in rows if value],
        "fields": [_field(context, settings, name, label) for name, label in FIELDS.items()],
        "space": _space(context),
        "editable": context.local,
        "signs_in": not context.local,
    }


def _field(context: AppContext, settings: Settings, name: str, label: str) -> dict[str, Any]:
    value = context.new_model if name == "model" else str(getattr(settings, name))
    return {
        "name": name,
        "label": label,
        "value": value,
        "choices": list(CHOICES.get(name, ())),
        "variable": f"LABSE_{name.upper()}",
        "fixed": name in settings.fixed,
    }


def _space(context: AppContext) -> list[list[Any]]:
    """(string's key, bytes) for what takes room in the home, the total first."""
    used = context.library.bytes_used()
    parts = {f"space_{name}": used.pop(name, 0) for name in SPACE}
    total = [["settings_used", sum(parts.values()) + sum(used.values())]]
    return [*total, *([key, size] for key, size in parts.items() if size), ["space_other", sum(used.values())]]


def versions() -> str:
    """Of Python and of the packages that matter, for a report."""
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue  # an adapter that is not installed is not in use
    return ", ".join(found)
