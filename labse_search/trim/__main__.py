"""Make a model smaller by dropping the words of languages that you do not need.

python -m labse_search.trim --languages en,de,ja --output labse-en-de-ja --corpus texts/*.txt
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from labse_search.encoder import default_model
from labse_search.encoder.hub import find_model
from labse_search.errors import UserError, quiet_when_unread, told
from labse_search.settings import write_privately
from labse_search.trim import trim


@quiet_when_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 written, 2 something a person can mend."""
    write_privately()
    parser = argparse.ArgumentParser(
        prog="python -m labse_search.trim", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--languages", required=True, help="two-letter codes with commas between them: en,de,ja")
    parser.add_argument("--model", default="", help="folder or hub name; default: labse-mini")
    parser.add_argument("--output", required=True, type=Path, help="the new folder")
    parser.add_argument(
        "--corpus", nargs="+", type=Path, default=[], metavar="FILE",
        help="UTF-8 text in these languages: of their scripts' tokens keep only those that occur in it",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    languages = [code.strip() for code in options.languages.split(",") if code.strip()]
    try:
        done = trim(
            find_model(options.model or default_model()), options.output, languages=languages, corpus=options.corpus
        )
    except (UserError, OSError) as error:
        print(f"error: {told(error)}", file=sys.stderr)
        return 2
    print(f"tokens  {done.tokens_before:>9,} → {done.tokens_after:,} ({done.tokens_after / done.tokens_before:.1%})")
    print(f"size    {done.bytes_before / 1e6:>6,.0f} MB → {done.bytes_after / 1e6:,.0f} MB")
    if done.covered is not None:
        print(
            f"held-out lines: {done.covered:.2%} of the tokens are kept, {done.unchanged:.1%} of the lines are cut into"
        )
        print(f"the same tokens and have the same vectors, mean cosine to the old vectors {done.cosine:.4f}")
    print(f"written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
