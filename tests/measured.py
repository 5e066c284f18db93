"""A profile for models whose meaning no test cares for, so that no home measures them (1,100 texts, four seconds)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from labse_search.encoder.fingerprint import fingerprint
from labse_search.encoder.folder import read_folder
from labse_search.search.profile import FILE, UNMEASURED


def save_usual_profile(model: Path) -> None:
    """Beside the model's weights: cosines as sentence encoders usually have them."""
    replace(UNMEASURED, fingerprint=fingerprint(read_folder(model))).save(model / FILE)
