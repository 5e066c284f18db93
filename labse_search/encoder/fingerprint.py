"""64 hex digits that two models share exactly if their vectors can be compared.

Over weights, modules, tokenizer, window and prompts; names of folders, dates, cards and languages do not count. Hashing
LaBSE's 1.9 GB takes seconds, so digests of large files are cached in the person's cache folder, by path, size and
time of change.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from labse_search.encoder.folder import TOKENIZERS, ModelFolder, weight_files
from labse_search.files import write_json
from labse_search.settings import cache_folder

CACHED_BYTES = 8 * 2**20  # smaller files are hashed in a few hundredths of a second
_ALSO = ("sentencepiece.bpe.model", "spiece.model", "merges.txt", "vocab.json")  # of tokenizers without tokenizer.json
_log = logging.getLogger(__name__)


def _default_cache() -> Path:
    return cache_folder() / "digests.json"


def fingerprint(folder: ModelFolder, cache: Path | None = None) -> str:
    """sha256 over the parts of the model. `cache`: the file that keeps digests of large files."""
    cache = cache or _default_cache()
    whole = hashlib.sha256(f"window {folder.window} lowercase {folder.lowercase}\n".encode())
    if folder.prompts.any or folder.truncate_dim:
        whole.update(f"prompts {folder.prompts} truncate {folder.truncate_dim}\n".encode())
    for n, module in enumerate(folder.modules):
        config = {key: value for key, value in module.config.items() if not key.startswith("_")}
        for key in ("transformers_version", "torch_dtype", "dtype"):  # differ between copies that a newer version saved
            config.pop(key, None)
        whole.update(f"module {n} {module.kind} {json.dumps(config, sort_keys=True)}\n".encode())
        names = [path.name for path in weight_files(module.folder)]
        if n == 0:
            names += [name for name in TOKENIZERS if (module.folder / name).is_file()][:1]
            names += [name for name in _ALSO if (module.folder / name).is_file() and "tokenizer.json" not in names]
        for name in names:
            whole.update(f"file {name} {_digest(module.folder / name, cache)}\n".encode())
    return whole.hexdigest()


def _digest(path: Path, cache: Path) -> str:
    status = path.stat()
    if status.st_size < CACHED_BYTES:
        return _hash(path)
    key = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    known = _read_cache(cache)
    if key not in known:
        known = {**known, key: _hash(path)}
        _write_cache(cache, known)
    return known[key]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_cache(cache: Path) -> dict[str, str]:
    try:
        known = json.loads(cache.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _log.warning("%s cannot be read (%s): hashing again", cache, error)
        return {}
    return {str(key): str(value) for key, value in known.items()} if isinstance(known, dict) else {}


def _write_cache(cache: Path, known: dict[str, str]) -> None:
    try:
        write_json(cache, known)
    except OSError as error:  # a read-only home costs seconds at the next start, nothing else
        _log.warning("%s cannot be written (%s): weights will be hashed again next time", cache, error)
