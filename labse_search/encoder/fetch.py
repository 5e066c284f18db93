"""A model from the hub, file by file, into the hub's cache on this computer: what broke off goes on where it was.

The hub's own client begins a file again after a break, and a model is one file of hundreds of megabytes. What is
fetched lies where that client looks for it. Each file has its size, and large ones their SHA-256, from the hub.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labse_search.encoder.hub import asked_hub, hub_name, no_answer
from labse_search.errors import ModelUnavailable
from labse_search.files import move_into_place

GETS_ON = 1 << 20  # bytes between two breaks of a connection that is worth another try
SILENT_SECONDS = 20.0  # of a connection, after which it counts as broken


@dataclass(frozen=True)
class HubFile:
    """One file of a model on the hub."""

    path: str
    size: int
    sha256: str  # empty for small files


@dataclass(frozen=True)
class HubModel:
    """What is to be fetched of a model, and where it lies then."""

    name: str
    revision: str
    files: tuple[HubFile, ...]

    @property
    def bytes(self) -> int:
        """All files together."""
        return sum(file.size for file in self.files)

    @property
    def folder(self) -> Path:
        """Its folder in the hub's cache."""
        from huggingface_hub import constants

        return Path(constants.HF_HUB_CACHE) / f"models--{self.name.replace('/', '--')}" / "snapshots" / self.revision

    def place(self, file: HubFile) -> Path:
        """Where that file lies."""
        return self.folder / file.path

    def fetched(self) -> int:
        """Bytes that are here, those of a file that broke off included."""
        return sum(_size(self.place(file)) or _size(_part(self.place(file))) for file in self.files)


def look_up(model: str) -> HubModel:
    """What the hub has under that name. ModelUnavailable, with what to do, if it has nothing or does not answer."""
    name = hub_name(model)
    info, wanted = asked_hub(name)
    files = [HubFile(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else "") for one in info.siblings]
    kept = tuple(file for file in files if file.path in wanted and ".." not in Path(file.path).parts)
    return HubModel(name, str(info.sha), kept)


def fetch_file(model: HubModel, file: HubFile, came: Callable[[int], None]) -> None:
    """Fetch one file, or what is missing of it. `came`: hears how many further bytes are here; may raise to stop."""
    place = model.place(file)
    if _size(place) == file.size and place.exists():
        return
    part = _part(place)
    part.parent.mkdir(parents=True, exist_ok=True)
    while _size(part) < file.size or not part.exists():
        before = _size(part)
        try:
            _go_on(model, file, part, came)
            break
        except ModelUnavailable:
            if _size(part) - before < GETS_ON:
                raise
    if _size(part) != file.size or (file.sha256 and _sha256(part) != file.sha256):
        part.unlink()
        raise ModelUnavailable(f"{file.path} of {model.name} did not arrive as it is on the hub. Try again.")
    move_into_place(part, place)


def finish(model: HubModel) -> None:
    """Say that this is the newest revision, once every file is there."""
    main = model.folder.parent.parent / "refs" / "main"
    main.parent.mkdir(parents=True, exist_ok=True)
    main.write_text(model.revision, encoding="utf-8")


def _go_on(model: HubModel, file: HubFile, part: Path, came: Callable[[int], None]) -> None:
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # the client's HTTP library changes
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # public, by its documentation

    at = _size(part)
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if at:
        headers["Range"] = f"bytes={at}-"
    address = hf_hub_url(model.name, file.path, revision=model.revision)
    session: Any = get_session()
    try:
        with session.stream("GET", address, headers=headers, follow_redirects=True, timeout=SILENT_SECONDS) as answer:
            answer.raise_for_status()
            if at and answer.status_code != 206:  # a server that does not go on: from the beginning
                came(-at)
                at = 0
            with part.open("ab" if at else "wb") as out:
                for piece in answer.iter_raw():  # as it comes: what waited for more would be lost in a break
                    out.write(piece)
                    came(len(piece))
    except (OSError, HTTPError) as error:
        raise no_answer(model.name, error) from error


def _part(place: Path) -> Path:
    return place.with_name(f".{place.name}.part")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
