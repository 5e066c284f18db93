"""A field from real data: TICO-19 (medical, 16 languages) from the shipped model, then the same pairs shuffled.

python benchmarks/training_domain.py [FOLDER]: two `accelerate launch` runs of two processes each, the first accepted,
the second refused by the gate; prints the rows of benchmarks/results/training.md.
"""

from __future__ import annotations

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
LANGUAGES = "ara,ben,spa,fra,hin,ind,mar,por,rus,swh,tgl,tam,urd,cmn,pes"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    write_splits(folder)
    print("| run | dev before | dev after | Tatoeba-15 before | after | decision | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name in ("train", "poisoned"):
        began = time.monotonic()
        status = launch(folder, name)
        output = folder / name if (folder / name).exists() else folder / f"{name}.refused"
        metrics = json.loads((output / "run" / "metrics.json").read_text(encoding="utf-8"))
        print(row(name, metrics, status, time.monotonic() - began), flush=True)


def write_splits(folder: Path) -> None:
    """A fifth of the English sentences, with all their translations, is dev. Poisoned: each language's targets are
    dealt out anew."""
    with lzma.open(SHARED / "data" / "train" / "tico19.tsv.xz", "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    dev = [cells for cells in rows if zlib.crc32(cells[2].encode()) % 5 == 0]
    train = [cells for cells in rows if zlib.crc32(cells[2].encode()) % 5]
    write(folder / "dev.tsv", dev)
    write(folder / "train.tsv", train)
    targets: dict[str, list[str]] = {}
    for cells in train:
        targets.setdefault(cells[1], []).append(cells[3])
    for language in sorted(targets):
        random.Random(language).shuffle(targets[language])
    write(folder / "poisoned.tsv", [[*cells[:3], targets[cells[1]].pop()] for cells in train])


def write(file: Path, rows: list[list[str]]) -> None:
    file.write_text("".join("\t".join(cells) + "\n" for cells in rows), encoding="utf-8")


def launch(folder: Path, name: str) -> int:
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    command += ["-m", "labse_search.finetune", "--train", str(folder / f"{name}.tsv"), "--dev", str(folder / "dev.tsv")]
    command += ["--output", str(folder / name), "--overwrite", "--resume", "none", "--epochs", "2"]
    command += ["--scale", "20", "--margin", "0.1", "--anchor-weight", "0"]  # what labse-mini was trained with
    command += ["--regression", f"tatoeba:{SHARED / 'data' / 'test' / 'tatoeba'}:{LANGUAGES}"]
    with open(folder / f"{name}.log", "w", encoding="utf-8") as log:
        return subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode


def row(name: str, metrics: dict, status: int, seconds: float) -> str:
    after = metrics["after"]
    alpha = f"{metrics['alpha']:g}" if metrics["accepted"] else max(after, key=float, default="")
    shown = after.get(alpha)
    cells = [f"TICO-19 {'as it is' if name == 'train' else 'shuffled'}"]
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
