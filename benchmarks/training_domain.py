"""Fields from real data, taught to the shipped model: medicine (TICO-19, 16 languages), the words of Bitcoin's site
(26 languages), and the medical pairs shuffled, which the acceptance test must refuse.

    python benchmarks/training_domain.py [FOLDER] [--runs tico19 poisoned] [--steps 40 --measured 1000]

An `accelerate launch` of two processes for each run; prints rows of benchmarks/results/training.md.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
RUNS = ("tico19", "bitcoin_org", "poisoned")
LANGUAGES = "ara,ben,spa,fra,hin,ind,mar,por,rus,swh,tgl,tam,urd,cmn,pes"


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("folder", type=Path, nargs="?")
    command.add_argument("--runs", nargs="+", choices=RUNS, default=RUNS)
    command.add_argument("--steps", type=int, default=0, help="of 64 pairs; default: two epochs of larger batches")
    command.add_argument("--measured", type=int, default=10**9, help="at most so many pairs of the field to measure on")
    given = command.parse_args()
    folder, names = given.folder or Path(tempfile.mkdtemp()), given.runs
    for name in names:
        write_splits(folder / name, "bitcoin_org" if name == "poisoned" else name, name == "poisoned", given.measured)
    print("| run | dev before | dev after | Tatoeba-15 before | after | decision | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        began = time.monotonic()
        status = launch(folder / name, given.steps)
        output = folder / name / "tuned"
        if not output.exists():
            output = folder / name / "tuned.refused"
        metrics = json.loads((output / "run" / "metrics.json").read_text(encoding="utf-8"))
        print(row(name, metrics, status, time.monotonic() - began), flush=True)


def write_splits(folder: Path, source: str, shuffle: bool, measured: int) -> None:
    """A fifth of the English sentences, with all their translations, is dev, or `measured` pairs of it. Shuffled: each
    language's targets are dealt out anew, in training only."""
    folder.mkdir(parents=True, exist_ok=True)
    with lzma.open(SHARED / "data" / "train" / f"{source}.tsv.xz", "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    train = [cells for cells in rows if zlib.crc32(cells[2].encode()) % 5]
    dev = [cells for cells in rows if zlib.crc32(cells[2].encode()) % 5 == 0]
    write(folder / "dev.tsv", random.Random(0).sample(dev, min(measured, len(dev))))
    if shuffle:
        targets: dict[str, list[str]] = {}
        for cells in train:
            targets.setdefault(cells[1], []).append(cells[3])
        for language in sorted(targets):
            random.Random(language).shuffle(targets[language])
        train = [[*cells[:3], targets[cells[1]].pop()] for cells in train]
    write(folder / "train.tsv", train)


def write(file: Path, rows: list[list[str]]) -> None:
    file.write_text("".join("\t".join(cells) + "\n" for cells in rows), encoding="utf-8")


def launch(folder: Path, steps: int) -> int:
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    command += ["-m", "labse_search.finetune", "--train", str(folder / "train.tsv"), "--dev", str(folder / "dev.tsv")]
    command += ["--output", str(folder / "tuned"), "--overwrite", "--resume", "none"]
    if steps:
        command += ["--max-steps", str(steps), "--global-batch-size", "64"]
        command += ["--regression-max", "100", "--alphas", "0.5", "1"]
    else:
        command += ["--epochs", "2"]
    command += ["--scale", "20", "--margin", "0.1"]  # what labse-mini was trained with
    command += ["--regression", f"tatoeba:{SHARED / 'data' / 'test' / 'tatoeba'}:{LANGUAGES}"]
    with open(folder / "log.txt", "w", encoding="utf-8") as log:
        return subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode


def row(name: str, metrics: dict, status: int, seconds: float) -> str:
    after = metrics["after"]
    alpha = f"{metrics['alpha']:g}" if metrics["accepted"] else max(after, key=float, default="")
    shown = after.get(alpha)
    cells = [name if name != "poisoned" else "bitcoin_org, targets shuffled"]
    for part in ("domain", "regression"):
        cells.append(f"{100 * metrics['before'][part]['accuracy']:.2f}")
        cells.append(f"{100 * shown[part]['accuracy']:.2f} (alpha {alpha})" if shown else "")
    gain = metrics["gain_points"]
    interval = f"{gain['difference']:+.2f} [{gain['low']:+.2f}, {gain['high']:+.2f}]" if gain else ""
    cells.append(f"{'accepted' if metrics['accepted'] else 'refused'} {interval}, launcher's exit status {status}")
    cells.append(f"{seconds:.0f}")
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
