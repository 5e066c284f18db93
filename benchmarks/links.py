"""Do the words that "why" links matter? Taking them out must lower the closeness more than taking out as many others.

  python -m benchmarks.links --model labse-mini --pairs 100

The question-passage pairs of tests/data, across languages. From question and sentence the linked words are taken out,
then five times as many other words at random; the linked ones win where the closeness falls by more than with the
median of the five.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labse_search.encoder import load_encoder
from labse_search.encoder.texts import encode_texts
from labse_search.search.links import word_links, word_spans
from labse_search.search.measure import profile_of
from labse_search.settings import Settings
from labse_search.similarity import Vectors

FILE = Path(__file__).resolve().parent.parent / "tests" / "data" / "question_passages.jsonl"
Span = tuple[int, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="labse-mini")
    parser.add_argument("--pairs", type=int, default=100)
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    profile = profile_of(encoder, Settings.from_env({}).home)

    def encode(texts: Sequence[str]) -> Vectors:
        return profile.neutral(encode_texts(encoder, texts))

    rng = np.random.default_rng(0)
    won = linked = asked = 0
    for line in FILE.read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        if pair["question_language"] == pair["passage_language"] or asked == options.pairs:
            continue
        asked += 1
        question, sentence = pair["question"], re.split(r"(?<=[.!?。।])\s*", pair["passage"])[0]
        links = word_links(question, sentence, encode)
        sides = [[link.question for link in links], [link.passage for link in links]]
        others = [[span for span in word_spans(text) if span not in side]
                  for text, side in zip((question, sentence), sides, strict=True)]  # fmt: skip
        if not links or any(len(left) < len(side) for left, side in zip(others, sides, strict=True)):
            continue
        linked += 1
        random = [[[left[i] for i in rng.permutation(len(left))[: len(links)]] for left in others] for _ in range(5)]
        both = (question, sentence)
        texts = [_without(*one) for taken in (sides, *random) for one in zip(both, taken, strict=True)]
        rows = encode(texts)
        fall = (rows[::2] * rows[1::2]).sum(axis=1)
        won += int(fall[0] < np.median(fall[1:]))
    print(f"{asked} pairs, {linked} with links and enough other words")
    print(f"the linked words mattered more in {won / max(linked, 1):.1%}")


def _without(text: str, spans: Sequence[Span]) -> str:
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + text[end:]
    return text if text.strip() else "."


if __name__ == "__main__":
    main()
