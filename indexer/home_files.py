"""What a home holds beside originals, ledger and passages: all that a person made. A backup has it, and gives it back.

findings/ searches/ batches/   passages kept with notes, saved searches, tables of questions that were answered
alignments/                    documents side by side, as they were corrected
teach.sqlite3                  pairs, verdicts and judged answers (labse_search.teach)
tuned/NAME/                    models tuned here, with what they were made of
models/DIGEST/                 in a backup and in what came from one: other models that lay in folders of this computer
settings.json                  what was chosen on the page
What opens doors or says which home this is stays out: users, the page's token, the home's id, logs, uploads.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from labse_search.align.kept import Alignments
from labse_search.encoder.folder import read_folder, weight_files
from labse_search.encoder.hub import LABSE_MINI, find_model
from labse_search.errors import ModelUnavailable, UserError
from labse_search.files import move_into_place, write_json
from labse_search.home import at_home
from labse_search.library import Library
from labse_search.library.findings import Findings
from labse_search.library.ledger import Ledger
from labse_search.library.searches import SavedSearches
from labse_search.settings import FILE, read_saved
from labse_search.settings import save as save_settings
from labse_search.teach import Teaching
from labse_search.teach.runs import FOLDER, NAME, load, runs, save

TAUGHT = "teach.sqlite3"
MODELS = "models"
FOLDERS = ("findings", "searches", "batches", "alignments")
WEIGHTS = (".safetensors", ".bin")
_PLAIN = r"(?!\.)[\w. ()+-]+"  # a name without separators that hides nothing and climbs nowhere
_KINDS = "json|jsonl|txt|md|tsv|log|png|svg|safetensors|bin|model"
MEMBERS = (
    rf"settings\.json|(findings|searches|alignments)/[0-9a-f]{{32}}\.json|batches/{_PLAIN}\.jsonl"
    rf"|tuned/{NAME.pattern}/job|(tuned/{NAME.pattern}|models/[0-9a-f]{{32}})/(?:{_PLAIN}/)*{_PLAIN}\.({_KINDS})"
)
_MEMBER = re.compile(MEMBERS)
_FOLDER = re.compile(rf"tuned/{NAME.pattern}|models/[0-9a-f]{{32}}")
_UNFINISHED = "model.partial"  # what a training had come to; it begins anew


def files(home: Path, models: Mapping[str, str], *, weights: bool) -> Iterator[tuple[Path, str]]:
    """Every file that a backup takes, and its name there. `models`: of `model_folders`; without `weights` what was
    tuned is described and cannot be used."""
    for kind in FOLDERS:
        for path in sorted((home / kind).glob("*")):
            yield path, path.relative_to(home).as_posix()
    yield home / FILE, FILE
    for place, name in models.items():
        folder = Path(place)
        if not weights and name.startswith(MODELS):
            continue
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder).as_posix()
            if (weights or path.suffix not in WEIGHTS) and not inside.startswith(_UNFINISHED):
                yield path, f"{name}/{inside}"


def wanted(home: Path, models: Mapping[str, str], *, weights: bool) -> list[tuple[Path, str]]:
    """Those of `files` that are there and that a backup may have; half-written files are none of them."""
    found = files(home, models, weights=weights)
    return [(path, name) for path, name in found if path.is_file() and _MEMBER.fullmatch(name)]


def weight_bytes(library: Library) -> int:
    """How much of a backup the weights of models are."""
    found = wanted(library.home, model_folders(library), weights=True)
    return sum(path.stat().st_size for path, _ in found if path.suffix in WEIGHTS)


def model_folders(library: Library) -> dict[str, str]:
    """Where the models lie that only this computer has, and what a backup calls the folder of each: every tuning, and
    the model of every generation that is neither shipped nor of the hub."""
    tuned = {str(file.parent): f"{FOLDER}/{file.parent.name}" for file in (library.home / FOLDER).glob("*/run.json")}
    found = {place: name for place, name in tuned.items() if _FOLDER.fullmatch(name)}
    for collection in library.ledger.collections.all():
        for one in library.ledger.generations.all(collection):
            folder = Path(one.model)
            if folder.is_absolute() and not any(folder.is_relative_to(place) for place in found) and _is_own(folder):
                found[str(folder)] = f"{MODELS}/{one.fingerprint[:32]}"
    return found


def _is_own(folder: Path) -> bool:
    try:
        return folder.is_dir() and find_model(str(folder)) != LABSE_MINI
    except ModelUnavailable:
        return False


def backup_sentence(file: Path, counts: Mapping[str, int], weights: int, *, kept: bool) -> str:
    """What a command says of a backup, and of the weights in it or beside it."""
    size = file.stat().st_size
    line = f"{file}: {sum(counts.values())} passages in {len(counts)} collections, {size / 1e6:.1f} MB"
    if weights and kept:
        line += f", of which {weights / 1e6:.1f} MB are models of this computer (--without-models leaves them out)"
    elif weights:
        line += f"; the models of this computer ({weights / 1e6:.1f} MB) are not in it"
    return line


def without_model(library: Library) -> list[str]:
    """A sentence for each collection whose model is a folder that is not there. Models of the hub can be fetched."""
    return [
        f"{collection}: its model {model} is not on this computer, so no question can be answered. Put it there, or: "
        f"python -m labse_search.library reembed --collection {collection} --model labse-mini --switch"
        for collection, (model, _) in library.ledger.collections.all().items()
        if Path(model).is_absolute() and not _is_whole(model)
    ]


def _is_whole(model: str) -> bool:
    try:
        return bool(weight_files(read_folder(find_model(model)).first.folder))
    except ModelUnavailable:
        return False


def moved(folders: Mapping[str, str], there: Path, home: Path) -> Callable[[str], str]:
    """What names a model's new place. `folders`: of `model_folders`, on the computer of the backup; `there`: where the
    backup is unpacked; `home`: where that is going to lie. Places that no folder came from stay as they are."""

    def place(path: str) -> str:
        for old, name in folders.items():
            rest = path[len(old) :].replace("\\", "/").strip("/")
            if path.startswith(old) and path[len(old) :][:1] in ("", "/", "\\") and (there / name).is_dir():
                return str(home.joinpath(*name.split("/"), *filter(None, rest.split("/"))))
        own = Path(at_home(there, path))  # the home that was backed up had lain elsewhere before
        return str(home / own.relative_to(there)) if own.is_relative_to(there) else path

    return place


def is_map_of_folders(value: object) -> bool:
    """Whether a manifest says where models lay as `model_folders` does."""
    return isinstance(value, dict) and all(
        isinstance(old, str) and old and isinstance(name, str) and _FOLDER.fullmatch(name)
        for old, name in value.items()
    )


def move_models(there: Path, place: Callable[[str], str]) -> None:
    """Let everything in an unpacked backup name the models where they are going to lie."""
    for spec in (there / "collections").glob("*/spec.json"):
        value = json.loads(spec.read_text(encoding="utf-8"))
        write_json(spec, value | {"model": place(value["model"])})
    if (there / "ledger.sqlite3").is_file():
        with closing(Ledger(there / "ledger.sqlite3")) as ledger:
            ledger.move_models(place)
            ledger.collections.move_to("")  # which was unpacked beside it
    for file in (there / FOLDER).glob("*/run.json"):
        try:
            run = load(file.parent)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"The tuning {file.parent.name} is damaged ({error}).") from error
        save(replace(run, base=place(run.base)))
    chosen = read_saved(there).get("model")
    if chosen:
        save_settings(there, {"model": place(str(chosen))})


def bring_models(there: Path, home: Path) -> None:
    """The models of an unpacked backup, into a home that goes on; one that is there already stays."""
    for pattern in (f"{FOLDER}/*", f"{MODELS}/*"):
        for folder in sorted(there.glob(pattern)):
            target = home / folder.relative_to(there)
            if _FOLDER.fullmatch(folder.relative_to(there).as_posix()) and not target.exists():
                target.parent.mkdir(exist_ok=True)
                aside = target.with_name(f".{target.name}.part")
                shutil.rmtree(aside, ignore_errors=True)
                shutil.copytree(folder, aside)
                move_into_place(aside, target)


def bring_made(there: Path, home: Path, collection: str, into: str) -> None:
    """What a person made about a collection of an unpacked backup, beside what they made here about another. The models
    are there already."""
    Findings(home).add(into, Findings(there).all(collection))
    SavedSearches(home).add(into, SavedSearches(there).all(collection))
    Alignments(home).add(into, Alignments(there).all(collection))
    if (there / TAUGHT).is_file():
        with closing(Teaching(there)) as source, closing(Teaching(home)) as target:
            target.bring(source, collection, into)
    for run in runs(there, collection):
        here = home / FOLDER / run.name
        if here.is_dir() and into != collection:
            save(replace(load(here), collection=into))
