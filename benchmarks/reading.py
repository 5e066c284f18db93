"""How fast files are read, by format: processor time and characters a second.

    python -m benchmarks.reading [--rounds 5] [--json] [PATH ...]

Files and folders, by default examples/. Each file is read as a member of an indexing run is, without its sandbox; the
fastest round counts, of processor time, so that a busy machine gives nearly the same figures. To compare two states of
the project, run it in both with the same files.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from indexer.read import read
from labse_search.errors import Unreadable

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@dataclass
class Row:
    kind: str
    files: int = 0
    kilobytes: float = 0.0
    characters: int = 0
    milliseconds: float = 0.0

    @property
    def characters_per_second(self) -> float:
        return self.characters / max(self.milliseconds, 1e-3) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, default=[EXAMPLES], metavar="PATH")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(files(options.paths), options.rounds)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    print(f"{'kind':12} {'files':>5} {'kB':>9} {'characters':>10} {'ms':>9} {'characters/s':>12}")
    for row in rows:
        print(
            f"{row.kind:12} {row.files:5} {row.kilobytes:9.1f} {row.characters:10} {row.milliseconds:9.2f} "
            f"{row.characters_per_second:12,.0f}"
        )


def files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]


def measure(paths: Iterable[Path], rounds: int) -> list[Row]:
    """One row a kind, the slowest kind first; files without text count nowhere."""
    rows: dict[str, Row] = defaultdict(lambda: Row(""))
    for path in paths:
        content = path.read_bytes()
        try:
            extraction = read(path.name, content)
        except Unreadable as error:
            print(f"{path.name}: {error.code}")
            continue
        best = float("inf")
        for _ in range(rounds):
            begin = time.process_time()
            read(path.name, content)
            best = min(best, time.process_time() - begin)
        row = rows[extraction.kind]
        row.kind = extraction.kind
        row.files += 1
        row.kilobytes += len(content) / 1000
        row.characters += len(extraction.text)
        row.milliseconds += best * 1000
    return sorted(rows.values(), key=lambda row: row.characters_per_second)


if __name__ == "__main__":
    main()
