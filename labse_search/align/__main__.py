"""python -m labse_search.align. Exit status: 0 done, 2 something to fix, 130 interrupted (with a checkpoint, once
training has begun)."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from labse_search.align.config import AlignConfig
from labse_search.errors import UserError
from labse_search.finetune.config import from_flags, parser

DESCRIPTION = "Train a small dual encoder from files of translations: first word vectors, then a transformer."
EPILOG = """example:
  python -m benchmarks.dictionaries --output dictionaries.tsv --tests ../shared/data
  python -m labse_search.align --data ../shared/data/train --dictionaries dictionaries.tsv --hold-out tico19 \\
      --weights cldr_names=0.3 osm_presets=0.3 mozilla_www_ftl=0.7 massive=0.6 dictionaries=0.35 \\
      --minutes 120 --evaluate ../shared/data/test --output models/my-mini"""

USER_ERROR, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    values = vars(parser(AlignConfig, "labse_search.align", DESCRIPTION, EPILOG).parse_args(arguments))
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    from labse_search.align import align

    set_verbosity_error()
    disable_progress_bar()
    try:
        result = align(from_flags(AlignConfig, values), say=lambda line: print(line, flush=True))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:  # while reading, or asked twice; what was finished before stays
        print("stopped; the same command goes on with what is finished", file=sys.stderr)
        return INTERRUPTED
    return INTERRUPTED if result.interrupted else 0


if __name__ == "__main__":
    raise SystemExit(main())
