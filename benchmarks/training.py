"""What each part of the training recipe is worth, and what a step costs beside sentence-transformers' own cached loss.

python -m benchmarks.training ablations [FOLDER]   same data, steps and start; one thing changed at a time
python -m benchmarks.training throughput           pairs a second, fp32 and bfloat16, runs alternating

Both print rows for benchmarks/results/training.md. Every figure is of small models on a CPU: directions, not levels.
"""

from __future__ import annotations

import copy
import json
import lzma
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"
LANGUAGES = ("de", "fr", "es")
PAIRS_PER_LANGUAGE = 12_000
STEPS = 300

# The base of the table; each row changes one thing. Mean pooling and scale 20, because [CLS], and scale 100, leave a
# random start of this size where it is in so few steps. Gathered is computed in one process (the tests prove it the
# same); only the row without gathering needs two.
ROWS: list[tuple[str, str, dict[str, Any]]] = [
    ("margin 0.3, gathered, mean, no pre-training", "random", {}),
    ("the same with another seed", "random", {"seed": 2}),
    ("margin 0.1", "random", {"margin": 0.1}),
    ("margin 0", "random", {"margin": 0.0}),
    ("two processes, negatives of the own one only", "random", {"gather": False}),
    ("cls pooling", "random", {"pooling": "cls"}),
    ("max pooling", "random", {"pooling": "max"}),
    ("with MLM and TLM pre-training", "pretrained", {}),
    ("cls pooling, with pre-training", "pretrained", {"pooling": "cls"}),
]


def main() -> None:
    task = sys.argv[1] if len(sys.argv) > 1 else ""
    if task == "ablations":
        ablations(Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp()))
    elif task == "throughput":
        throughput()
    else:
        raise SystemExit(__doc__)


def ablations(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_data(folder)
    start = ["--pairs", str(folder / "train.tsv"), "--vocabulary", "4000", "--hidden", "64", "--window", "24"]
    start += ["--stages", "1", "2", "--global-batch-size", "64", "--learning-rate", "2e-3"]
    for name, steps in (("random", "0"), ("pretrained", "250")):
        if not (folder / name).exists():
            module("labse_search.pretrain", [*start, "--steps", steps, steps, "--output", str(folder / name)])
    print(f"| {STEPS} steps of 128 pairs | dev | Tatoeba de fr es | seconds |\n|---|---|---|---|", flush=True)
    for number, (title, begin, changes) in enumerate(ROWS):
        began = time.monotonic()
        score = one_run(folder, folder / f"run-{number}", str(folder / begin), changes)
        dev, held = (100 * score[part]["accuracy"] for part in ("domain", "regression"))
        print(f"| {title} | {dev:.1f} | {held:.1f} | {time.monotonic() - began:.0f} |", flush=True)


def one_run(folder: Path, output: Path, model: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The scores of the tuned model itself, whatever the gate says of it."""
    from labse_search.finetune import FinetuneConfig, finetune

    common: dict[str, Any] = {
        "train": (str(folder / "train.tsv"),),
        "dev": (str(folder / "dev.tsv"),),
        "regression": (f"tatoeba:{SHARED / 'data' / 'test' / 'tatoeba'}:deu,fra,spa",),
        "output": str(output),
        "model": model,
        "max_steps": STEPS,
        "global_batch_size": 128,
        "mini_batch_size": 0,
        "learning_rate": 2e-3,
        "freeze": "none",
        "scale": 20.0,
        "pooling": "mean",
        "max_length": 24,
        "alphas": (1.0,),
        "eval_steps": 100_000,
        "save_steps": 100_000,
        "resume": "none",
        "overwrite": True,
        "seed": 1,
        **changes,
    }
    if common.get("gather", True):
        finetune(FinetuneConfig(**common))
    else:
        flags: list[str] = ["--processes", "2", "--no-gather", "--overwrite"]
        for name, value in common.items():
            if name not in ("gather", "overwrite"):
                flags += ["--" + name.replace("_", "-"), *map(str, value if isinstance(value, tuple) else (value,))]
        module("labse_search.finetune", flags)
    for place in (output, output.with_name(output.name + ".refused")):
        if (place / "run" / "metrics.json").exists():
            metrics: dict[str, Any] = json.loads((place / "run" / "metrics.json").read_text("utf-8"))
            return dict(metrics["after"]["1"])
    raise SystemExit(f"{output}: no metrics were written")


def module(name: str, flags: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", name, *flags], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{name} {' '.join(flags)}\n{done.stdout}\n{done.stderr}")


def write_data(folder: Path) -> None:
    """Short everyday sentences with English on one side, and the held-out dev files of the same languages."""
    for part in ("train", "dev"):
        rows: list[str] = []
        for language in LANGUAGES:
            name = "train/tatoeba_challenge.tsv.xz" if part == "train" else f"dev/dev.en-{language}.tsv.xz"
            with lzma.open(SHARED / "data" / name, "rt", encoding="utf-8") as lines:
                wanted = [line for line in lines if line.startswith(f"en\t{language}\t")]
            rows += wanted[: PAIRS_PER_LANGUAGE if part == "train" else 1000]
        (folder / f"{part}.tsv").write_text("".join(rows), encoding="utf-8")


def throughput(batch: int = 512, mini_batch: int = 32, rounds: int = 5) -> None:
    """One process, one thread a core; medians over alternating rounds, so that a busy machine slows both alike."""
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss

    from labse_search.finetune.keys import text_key
    from labse_search.finetune.loss import CachedAdditiveMarginRankingLoss
    from labse_search.finetune.pairs import read_pairs
    from labse_search.pretrain.stacking import new_encoder

    pairs = [p for p in read_pairs(str(SHARED / "data" / "train" / "tico19.tsv.xz")) if p.target_language == "fr"]
    texts = [[pair.source for pair in pairs[:batch]], [pair.target for pair in pairs[:batch]]]
    labels = torch.tensor([[text_key(one), text_key(other)] for one, other in zip(*texts, strict=True)])
    model = small_labse(new_encoder, [text for column in texts for text in column])
    theirs = CachedMultipleNegativesRankingLoss(
        model,
        scale=100,
        mini_batch_size=mini_batch,
        directions=("query_to_doc", "doc_to_query"),
        partition_mode="per_direction",
    )
    ours = CachedAdditiveMarginRankingLoss(model, mini_batch_size=mini_batch, gather=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

    def step(loss: torch.nn.Module, precision: str) -> float:
        features = [model.preprocess(column) for column in copy.deepcopy(texts)]
        began = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            value = loss(features, labels)
            value.backward()
        optimizer.step()
        optimizer.zero_grad()
        return batch / (time.perf_counter() - began)

    print(f"| GradCache, batch {batch}, mini-batch {mini_batch} | sentence-transformers' | ours | ratio |")
    print("|---|---|---|---|")
    for precision in ("fp32", "bf16"):
        speeds: dict[str, list[float]] = {"theirs": [], "ours": []}
        for turn in range(rounds + 1):
            for name, loss in (("theirs", theirs), ("ours", ours)):
                speed = step(loss, precision)
                if turn:  # the first is for warming up
                    speeds[name].append(speed)
        middle = {name: statistics.median(values) for name, values in speeds.items()}
        print(
            f"| {precision}, pairs a second | {middle['theirs']:.1f} | {middle['ours']:.1f} "
            f"| {middle['ours'] / middle['theirs']:.2f} |",
            flush=True,
        )


def small_labse(new_encoder: Callable[..., Any], texts: list[str]) -> Any:
    """The LaBSE stack over 2 layers × 128, with real words: a step takes seconds."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

    from labse_search.pretrain.vocabulary import train_vocabulary

    torch.manual_seed(0)
    folder = Path(tempfile.mkdtemp())
    tokenizer = train_vocabulary(iter(texts), size=4000, pieces="wordpiece", window=128)
    encoder = new_encoder(vocabulary=len(tokenizer), hidden=128, heads=2, layers=2, window=128, pad=0)
    encoder.base_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    modules = [Transformer(str(folder), max_seq_length=128), Pooling(128, pooling_mode="cls")]
    modules += [Dense(128, 128, activation_function=torch.nn.Tanh()), Normalize()]
    return SentenceTransformer(modules=modules, device="cpu").train()


if __name__ == "__main__":
    main()
