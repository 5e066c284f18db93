"""py3langid's model, repacked once a machine: a third of a second at every later start, not three quarters.

Its package brings the arrays packed with LZMA, and every process that names languages would unpack them anew: the app,
every reader, every question on the command line. So the same arrays, packed with what unpacks four times as fast (10 MB
instead of 5; not at all: 68 MB), are kept in the person's cache folder.
"""

from __future__ import annotations

import io
import logging
import lzma
import threading
import tokenize
import zipfile
import zlib
from array import array
from pathlib import Path
from typing import Any

import numpy as np

from labse_search.files import written_whole
from labse_search.settings import cache_folder

log = logging.getLogger(__name__)
_REPACKING = threading.Lock()  # several collections ask at once when the app starts
# What zipfile, zlib and numpy raise for an archive that is damaged here or there.
_BROKEN = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    zlib.error,
    zipfile.BadZipFile,
)
_WORDS = {2: "H", 4: "I"}  # bytes of an unsigned number → its code in `array`


def load_identifier(cache: Path | None = None) -> Any:
    """py3langid's LanguageIdentifier for all its languages, with probabilities. `cache`: the folder for the archive."""
    from py3langid import __version__
    from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier

    source = MODEL_DIR / MODEL_FILE
    kept = (cache or cache_folder()) / f"py3langid-{__version__}-{source.stat().st_size}.npz"
    with _REPACKING:
        found = _read(kept)
        if found is None and _repack(source, kept):
            found = _read(kept)
    return found or LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _read(path: Path) -> Any | None:
    """None where there is no archive, or a damaged one."""
    try:
        return _unpacked(path)
    except FileNotFoundError:
        return None
    except _BROKEN as error:
        log.warning("%s cannot be read (%s): packing it again", path, error)
        return None


def _unpacked(path: Path) -> Any:
    """As py3langid.modelio.load_model reads it, after its unpacking."""
    from py3langid.langid import LanguageIdentifier

    with np.load(path, allow_pickle=False) as data:
        return LanguageIdentifier(
            data["ptc"],
            data["pc"],
            data["classes"].tolist(),
            _numbers(data["nextmove"]),
            data["out_feat"].tolist(),
            norm_probs=True,
            tk_row=_numbers(data["nextmove_row"]),
        )


def _numbers(values: np.ndarray) -> array[int]:
    found = array(_WORDS[values.dtype.itemsize])
    found.frombytes(values.tobytes())
    return found


def _repack(source: Path, kept: Path) -> bool:
    """Whole or not at all; False where nothing can be written."""
    try:
        with zipfile.ZipFile(io.BytesIO(lzma.decompress(source.read_bytes()))) as arrays, written_whole(kept) as file:
            with zipfile.ZipFile(file, "w") as repacked:
                for name in arrays.namelist():  # without dates: the same bytes on every machine
                    repacked.writestr(zipfile.ZipInfo(name), arrays.read(name), zipfile.ZIP_DEFLATED, compresslevel=1)
        return True
    except OSError as error:  # a read-only home costs half a second at every start, nothing else
        log.warning("%s cannot be written (%s)", kept, error)
        return False
