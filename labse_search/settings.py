"""Every setting, its default and its meaning. Read from the environment here and nowhere else.

Some can be changed on the page: they are kept in a file of the home, and count where neither the environment nor the
command line says otherwise.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, replace
from pathlib import Path
from typing import Any

import platformdirs

from labse_search.errors import UserError
from labse_search.files import changing, write_private
from labse_search.home import at_home
from labse_search.naming import collection_name

FILE = "settings.json"  # in the home
EDITABLE = ("model", "precision", "max_file_mb", "ocr", "language", "theme")  # kept in that file
CHOICES = {"precision": ("auto", "fp32", "bf16"), "theme": ("auto", "light", "dark")}
_ADDRESS = re.compile(r"[\w.-]+:[0-9]{1,5}/?|\[[0-9a-fA-F:]+\]:[0-9]{1,5}/?")


@dataclass(frozen=True)
class Settings:
    """What the environment and the flags say; see the README for each."""

    home: Path = Path()  # LABSE_HOME: originals, ledger and the embedded store; default: the system's data folder
    store: str = ""  # LABSE_STORE: URL of a Qdrant server or cluster; empty: embedded, inside LABSE_HOME
    api_key: str = ""  # LABSE_API_KEY: key of that server
    collection: str = "documents"  # LABSE_COLLECTION: which collection to open
    model: str = ""  # LABSE_MODEL: folder or hub name; empty: labse-mini
    host: str = "127.0.0.1"  # LABSE_HOST: address the page listens on
    port: int = 7860  # LABSE_PORT: port of the page
    precision: str = "auto"  # LABSE_PRECISION: auto, fp32 or bf16
    token: bool = True  # LABSE_TOKEN: ask for the token in the printed address; no lets every account in
    proxies: str = (
        ""  # LABSE_PROXIES: addresses of proxies in front, by commas; only theirs is X-Forwarded-For believed
    )
    max_file_mb: int = 200  # LABSE_MAX_FILE_MB: largest file that is read, in megabytes
    ocr: str = ""  # LABSE_OCR: read scanned pages with Tesseract: auto, or its names of languages (deu+rus); empty: no
    language: str = ""  # LABSE_LANGUAGE: of the page, where a browser has chosen none; empty: the browser's
    theme: str = "auto"  # LABSE_THEME: auto (the system's), light or dark, where a browser has chosen none
    fixed: frozenset[str] = frozenset()  # names of those that the environment or the command line says

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """The settings in LABSE_* variables, then those of the home's file; an unreadable value is a UserError that
        names it."""
        values: dict[str, object] = {}
        for setting in _settings():
            variable = "LABSE_" + setting.name.upper()
            text = environ.get(variable, "").strip()
            if text:
                values[setting.name] = _parse(variable, text, setting)
        fixed = frozenset(values)
        values.setdefault("home", default_home())
        store = str(values.get("store", ""))
        if store and not is_url(store):
            _check_is_no_address(store, "LABSE_STORE")
            raise UserError(f"LABSE_STORE is {store!r}, expected the URL of a Qdrant server. For a folder: LABSE_HOME.")
        return cls(**values, fixed=fixed).with_file()  # type: ignore[arg-type]

    def with_file(self) -> Settings:
        """The same with what the home's file says now of whatever is not fixed."""
        free = [setting for setting in _settings() if setting.name in EDITABLE and setting.name not in self.fixed]
        saved = read_saved(self.home)
        values = {one.name: saved.get(one.name, one.default) for one in free}
        return replace(self, **values)  # type: ignore[arg-type]

    def with_arguments(
        self, *, store: str | None, collection: str | None, model: str | None, precision: str | None = None
    ) -> Settings:
        """The same settings with a command line's in front. `store` is a server's URL, or a home folder."""
        given = {name for name, value in (("model", model), ("precision", precision)) if value}
        settings = replace(
            self,
            fixed=self.fixed | given,
            collection=collection_name(collection or self.collection),
            model=_anywhere(model or self.model),
            precision=precision or self.precision,
        )
        if store and is_url(store):
            return replace(settings, store=store)
        if store:
            _check_is_no_address(store, "--store")
            return replace(settings, home=Path(store).expanduser().resolve(), store="").with_file()
        return settings

    def model_for(self, known: str) -> str:
        """The model to use with a collection that was made with `known`: that one, unless the environment or the
        command line names another. What was chosen on the page is for new collections."""
        return self.model if "model" in self.fixed else known


def _settings() -> list[Field[Any]]:
    return [setting for setting in fields(Settings) if setting.name != "fixed"]


def read_saved(home: Path) -> dict[str, object]:
    """What was changed on the page; UserError for a file that says what cannot be."""
    file = home / FILE
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        known = {setting.name: setting for setting in _settings() if setting.name in EDITABLE}
        texts = {name: at_home(home, str(value).strip()) for name, value in found.items() if name in known}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise UserError(f"{file} cannot be read ({error}). Mend it, or delete it to go back to the defaults.") from None
    return {name: _parse(f"{name} in {file}", text, known[name]) for name, text in texts.items() if text}


def save(home: Path, changes: Mapping[str, str]) -> None:
    """Keep these in the home's file; an empty one goes back to its default. UserError for what cannot be."""
    known = {setting.name: setting for setting in _settings() if setting.name in EDITABLE}
    for name, text in changes.items():
        if text:
            _parse(name, text, known[name])
    with changing(home, "settings"):
        values = {name: str(value) for name, value in read_saved(home).items()} | dict(changes)
        kept = {name: value for name, value in values.items() if value}
        write_private(home / FILE, json.dumps(kept, ensure_ascii=False, indent=1).encode())


def flags_again(store: str | None, collection: str | None) -> str:
    """The flags of a command line that say where, for the next command that is printed; "" where none was given."""
    given = {"--store": store, "--collection": collection}
    return "".join(f" {flag} {shlex.quote(value)}" for flag, value in given.items() if value)


def is_url(store: str) -> bool:
    """Whether a store is a Qdrant server's address and not a folder."""
    return store.lower().startswith(("http://", "https://"))


def _check_is_no_address(store: str, where: str) -> None:
    """UserError for localhost:6333: somebody left out the scheme, and means no folder of that name."""
    if _ADDRESS.fullmatch(store) and not Path(store).exists():
        raise UserError(f"{where} is {store!r}: write http://{store} (or https://) for a Qdrant server.")


def _anywhere(model: str) -> str:
    """A folder's absolute path, since collections and jobs remember it and are used in any folder; else the name."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if model and folder.is_dir() else model


def default_home() -> Path:
    """The system's folder for a person's data."""
    return Path(platformdirs.user_data_dir("labse-search", appauthor=False))


def _parse(variable: str, text: str, setting: Field[Any]) -> object:
    default, choices = setting.default, CHOICES.get(setting.name, ())
    if choices and text not in choices:
        raise UserError(f"{variable} is {text!r}, expected {', '.join(choices[:-1])} or {choices[-1]}")
    if isinstance(default, Path):
        return Path(text).expanduser().resolve()
    if isinstance(default, bool):
        if text.lower() not in ("yes", "no"):
            raise UserError(f"{variable} is {text!r}, expected yes or no")
        return text.lower() == "yes"
    if isinstance(default, int):
        try:
            number = int(text)
        except ValueError:
            raise UserError(f"{variable} is {text!r}, expected a whole number") from None
        if setting.name == "max_file_mb" and not 1 <= number <= 1_000_000:
            raise UserError(f"{variable} is {text!r}, expected a whole number from 1")
        return number
    return text


def write_privately() -> None:
    """Whatever this process and its children write is for this account alone. The first act of every entry point."""
    os.umask(0o077)


def cache_folder() -> Path:
    """Where what can be made again is kept for the next start."""
    return Path(platformdirs.user_cache_dir("labse-search", appauthor=False))
