"""Every setting, its default and its meaning. Read from the environment here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import platformdirs

from labse_search.errors import UserError


@dataclass(frozen=True)
class Settings:
    home: Path = Path()  # LABSE_HOME: originals, ledger and the embedded store; default: the system's data folder
    store: str = ""  # LABSE_STORE: URL of a Qdrant server or cluster; empty: embedded, inside LABSE_HOME
    api_key: str = ""  # LABSE_API_KEY: key of that server
    collection: str = "documents"  # LABSE_COLLECTION: which collection to open
    model: str = ""  # LABSE_MODEL: folder or hub name; empty: LaBSE if it is on disk, else labse-mini
    host: str = "127.0.0.1"  # LABSE_HOST: address the page listens on
    port: int = 7860  # LABSE_PORT: port of the page
    precision: str = "auto"  # LABSE_PRECISION: auto, fp32 or bf16
    max_file_mb: int = 200  # LABSE_MAX_FILE_MB: largest file that is read, in megabytes

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """The settings in LABSE_* variables; an unreadable value is a UserError that names it."""
        values: dict[str, object] = {}
        for setting in fields(cls):
            variable = "LABSE_" + setting.name.upper()
            text = environ.get(variable, "").strip()
            if text:
                values[setting.name] = _parse(variable, text, setting.default)
        values.setdefault("home", default_home())
        return cls(**values)  # type: ignore[arg-type]

    def with_arguments(
        self, *, store: str | None, collection: str | None, model: str | None, precision: str | None = None
    ) -> Settings:
        """The same settings with a command line's in front. `store` is a server's URL, or a home folder."""
        settings = replace(
            self,
            collection=collection or self.collection,
            model=_anywhere(model or self.model),
            precision=precision or self.precision,
        )
        if store and store.startswith(("http://", "https://")):
            return replace(settings, store=store)
        if store:
            return replace(settings, home=Path(store).expanduser().resolve(), store="")
        return settings


def _anywhere(model: str) -> str:
    """A folder's absolute path, since collections and jobs remember it and are used in any folder; else the name."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if model and folder.is_dir() else model


def default_home() -> Path:
    return Path(platformdirs.user_data_dir("labse-search", appauthor=False))


def _parse(variable: str, text: str, default: object) -> object:
    if isinstance(default, Path):
        return Path(text).expanduser().resolve()
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError:
            raise UserError(f"{variable} is {text!r}, expected a whole number") from None
    return text


def cache_folder() -> Path:
    """Where what can be made again is kept for the next start."""
    return Path(platformdirs.user_cache_dir("labse-search", appauthor=False))
