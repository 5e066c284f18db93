"""python -m labse_search.search.measure MODEL : measure a model once, so that its answers can say how good they are."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from labse_search.encoder import load_encoder
from labse_search.encoder.hub import find_model
from labse_search.errors import UserError, quiet_when_unread
from labse_search.search.measure import measure
from labse_search.search.profile import FILE

EXAMPLE = "example: python -m labse_search.search.measure labse_search/models/labse-mini"


@quiet_when_unread
def main() -> int:
    """Exit status: 0 measured and saved, 2 something a person can mend."""
    parser = argparse.ArgumentParser(prog="python -m labse_search.search.measure", description=__doc__, epilog=EXAMPLE)
    parser.add_argument("model", help="folder or name of a model; its profile is saved in its folder")
    arguments = parser.parse_args()
    try:
        profile = measure(load_encoder(arguments.model))
        path = find_model(arguments.model) / FILE
        profile.save(path)
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    fitted = ("whole", "late", "scored")
    hidden = ("directions", "fingerprint", "token_mean", *fitted)
    shown = {key: value for key, value in vars(profile).items() if key not in hidden}
    shown |= {f"{odds} {key}": value for odds in fitted for key, value in vars(getattr(profile, odds)).items()}
    numbers = ", ".join(f"{key} {np.round(value, 3)}" for key, value in shown.items())
    print(f"{path}: {len(profile.directions)} directions of the language are left out; {numbers}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
