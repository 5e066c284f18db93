"""Does a number that needs no labels rank models as gold does?

  python -m benchmarks.unlabelled ../shared/data --starter ../shared/models/starter

Two numbers that any collection gives by itself:
  cut        the first half of a text looks for its second half among those of all texts; reciprocal rank
  agreement  a text's nearest in another language has the text as its nearest in turn; share of such texts

and gold for the same texts: question → paragraph (XQuAD-R, the passages beside the examples), sentence → translation
(Tatoeba, MASSIVE). Models of different quality: the shipped one, with a layer less, with noise in its weights, and the
static one it began with. Spearman's correlation over the models, for each corpus.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from labse_search.corpora.lines import read_lines
from labse_search.encoder import Encoder, load_encoder
from labse_search.encoder.hub import find_model
from labse_search.encoder.texts import encode_texts
from labse_search.evaluate.read import read_paragraphs
from labse_search.similarity import Vectors

NOISE = (0.2, 0.4, 0.6, 0.9)  # standard deviations of a weight matrix
TATOEBA = ("fra", "tur", "tel")
MASSIVE = ("de", "fi")
XQUAD = ("en", "ru", "zh")
Vectorize = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class Corpus:
    name: str
    texts: tuple[str, ...]
    others: tuple[str, ...]  # in another language; empty: there is none
    gold: Callable[[Vectorize], float]


def corpora(data: Path, questions: Path) -> Iterator[Corpus]:
    paragraphs = read_paragraphs(data / "test" / "xquad_r", XQUAD)
    for code in XQUAD:
        other = "ru" if code == "en" else "en"
        texts = tuple(one.text for one in paragraphs[code])
        asked = [(question.text, at) for at, one in enumerate(paragraphs[code]) for question in one.questions]
        yield Corpus(f"XQuAD-R {code}", texts, tuple(one.text for one in paragraphs[other]), _finds(asked, texts))
    rows = [json.loads(line) for line in read_lines(questions)]
    passages = tuple(dict.fromkeys(row["passage"] for row in rows))
    place = {text: at for at, text in enumerate(passages)}
    yield Corpus("examples", passages, (), _finds([(row["question"], place[row["passage"]]) for row in rows], passages))
    names = [(f"Tatoeba {code}", data / "test" / "tatoeba" / f"tatoeba.{code}-eng.tsv.xz") for code in TATOEBA]
    names += [(f"MASSIVE {code}", data / "test" / "massive_test" / f"massive.en-{code}.tsv.xz") for code in MASSIVE]
    for name, file in names:
        pairs = [line.split("\t")[2:4] for line in read_lines(file)][:1000]
        sources, targets = (tuple(pair[side] for pair in pairs) for side in (0, 1))
        yield Corpus(name, sources, targets, _finds(list(zip(sources, range(len(sources)), strict=True)), targets))


def _finds(asked: Sequence[tuple[str, int]], texts: Sequence[str]) -> Callable[[Vectorize], float]:
    """The share of questions whose own text is the nearest."""

    def gold(vectorize: Vectorize) -> float:
        nearest = (vectorize([question for question, _ in asked]) @ vectorize(texts).T).argmax(axis=1)
        return float(np.mean([texts[near] == texts[right] for near, (_, right) in zip(nearest, asked, strict=True)]))

    return gold


def cut(vectorize: Vectorize, texts: Sequence[str]) -> float:
    halves = [(text[: _middle(text)].strip(), text[_middle(text) :].strip()) for text in texts]
    halves = [pair for pair in halves if all(len(half) >= 10 for half in pair)]
    scores = vectorize([first for first, _ in halves]) @ vectorize([second for _, second in halves]).T
    ranks = (scores > np.diag(scores)[:, None]).sum(axis=1) + 1
    return float((1 / ranks).mean())


def _middle(text: str) -> int:
    """The white space nearest the middle, else the middle."""
    half = len(text) // 2
    spaces = [at for at, character in enumerate(text) if character.isspace()]
    return min(spaces, key=lambda at: abs(at - half)) if spaces else half


def agreement(vectorize: Vectorize, texts: Sequence[str], others: Sequence[str]) -> float:
    scores = vectorize(texts) @ vectorize(others).T
    back = scores.argmax(axis=0)[scores.argmax(axis=1)]
    return float((back == np.arange(len(texts))).mean())


def models(base: Path, starter: Path | None, folder: Path) -> Iterator[tuple[str, Path]]:
    """The base, and worse ones made of it."""
    yield "base", base
    if starter is not None:
        yield "starter", starter
    yield "a layer less", _changed(base, folder / "layer", layers=1)
    rng = np.random.default_rng(0)
    for noise in NOISE:
        yield f"noise {noise}", _changed(base, folder / f"noise-{noise}", noise=noise, rng=rng)


def _changed(
    base: Path, folder: Path, *, layers: int = 0, noise: float = 0.0, rng: np.random.Generator | None = None
) -> Path:
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    if layers:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config["num_hidden_layers"] -= layers
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        gone = f"encoder.layer.{config['num_hidden_layers']}."
        weights = {name: one for name, one in weights.items() if not name.startswith(gone)}
    for name, one in weights.items():
        if rng is not None and one.ndim == 2 and name.startswith(("embeddings.word", "encoder")):
            spread = one.astype(np.float32).std() * noise
            weights[name] = (one + spread * rng.standard_normal(one.shape).astype(np.float32)).astype(one.dtype)
    save_file(weights, folder / "model.safetensors")
    return folder


def spearman(values: Sequence[float], gold: Sequence[float]) -> float:
    ranks = [
        np.array([np.mean(np.less(row, one)) + np.mean(np.less_equal(row, one)) for one in row])
        for row in (values, gold)
    ]
    if min(rank.std() for rank in ranks) == 0:
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def measure(encoder: Encoder, found: Sequence[Corpus]) -> list[tuple[float, float, float]]:
    """Gold, cut and agreement of each corpus; nan where a corpus has none."""
    known: dict[str, np.ndarray] = {}

    def vectorize(texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, encode_texts(encoder, new), strict=True))
        return np.stack([known[text] for text in texts])

    return [
        (
            one.gold(vectorize),
            cut(vectorize, one.texts),
            agreement(vectorize, one.texts, one.others) if one.others else float("nan"),
        )
        for one in found
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--questions", type=Path, default=Path("tests/data/question_passages.jsonl"))
    parser.add_argument("--model", default="labse-mini", help="the best of the models; the others are made of it")
    parser.add_argument("--starter", type=Path)
    options = parser.parse_args()
    found = list(corpora(options.data, options.questions))
    table: dict[str, list[tuple[float, float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in models(Path(find_model(options.model)), options.starter, Path(folder)):
            table[name] = measure(load_encoder(str(path)), found)
            shown = ", ".join(
                f"{one.name} {row[0]:.3f}/{row[1]:.3f}/{row[2]:.3f}"
                for one, row in zip(found, table[name], strict=True)
            )
            print(f"{name}: gold/cut/agreement {shown}", flush=True)
    print("| corpus | cut | agreement |\n|---|---|---|")
    for at, one in enumerate(found):
        gold, by_cut, by_agreement = zip(*(rows[at] for rows in table.values()), strict=True)
        print(f"| {one.name} | {spearman(by_cut, gold):.2f} | {spearman(by_agreement, gold):.2f} |")


if __name__ == "__main__":
    main()
