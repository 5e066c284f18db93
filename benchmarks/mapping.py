"""What a map of passages keeps, and what it costs.

    python -m benchmarks.mapping quality [--model FOLDER] [--json]
    python -m benchmarks.mapping cost [--passages 50000] [--json]

quality: the paragraphs of XQuAD-R, each in every language, laid out with their language and without. Of the 15 nearest
neighbours on the map: how many are of the paragraph's own language (by chance: its share), how often at least one is
its translation, how many are about the same article; and scikit-learn's trustworthiness of the map. cost: seconds and
peak memory of each step, with generated vectors of 384 dimensions (300 topics, 12 languages) and texts, and of adding
a fiftieth to the finished map.
"""

from __future__ import annotations

import argparse
import json
import lzma
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from labse_search.encoder import default_model, load_encoder
from labse_search.encoder.texts import fit_window
from labse_search.map.file import Column, PassageMap, load_map, map_file, save_map
from labse_search.map.layout import lay_out, lay_out_more
from labse_search.map.neutral import DIMENSIONS, fit_basis
from labse_search.map.topics import find_groups, name_topics
from labse_search.similarity import Vectors, normalize

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "test" / "xquad_r"
NEIGHBOURS = 15
DIMENSION, TOPICS, LANGUAGES, WORDS = 384, 300, 12, 40


def quality(model: str) -> list[dict[str, Any]]:
    """A row a way of laying out."""
    texts, languages, paragraphs, articles = read_paragraphs()
    encoder = load_encoder(model)
    vectors = encoder.encode(fit_window(encoder, texts))
    plain = pca(vectors)
    neutral = fit_basis(vectors, languages).reduce(vectors, languages)
    rows = []
    for name, reduced in (("with their language", plain), ("without", neutral)):
        for space, points in (("vectors", reduced), ("map", lay_out(reduced))):
            rows.append(
                {"way": name, "space": space, "passages": len(texts)}
                | measured(points, languages, paragraphs, articles)
            )
            if space == "map":
                rows[-1]["trustworthiness"] = trusted(reduced, points)
    return rows


def read_paragraphs() -> tuple[list[str], list[str], list[str], list[str]]:
    """Texts, their languages, which paragraph each is in whatever language, and of which article."""
    texts, languages, paragraphs, articles = [], [], [], []
    for file in sorted(DATA.glob("*.jsonl.xz")):
        language = file.name.partition(".")[0]
        seen: set[str] = set()
        for line in lzma.open(file, "rt", encoding="utf-8"):
            row = json.loads(line)
            if row["paragraph"] not in seen:
                seen.add(row["paragraph"])
                texts.append(row["context"])
                languages.append(language)
                paragraphs.append(row["paragraph"])
                articles.append(row["paragraph"].rpartition("/")[0])
    return texts, languages, paragraphs, articles


def measured(
    points: Vectors, languages: Sequence[str], paragraphs: Sequence[str], articles: Sequence[str]
) -> dict[str, float]:
    """Shares of the nearest neighbours."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(points).kneighbors(points, return_distance=False)[:, 1:]

    def same(values: Sequence[str]) -> Any:
        _, of = np.unique(np.array(values), return_inverse=True)
        return of[nearest] == of[:, None]

    return {
        "same_language": float(same(languages).mean()),
        "a_translation": float(same(paragraphs).any(axis=1).mean()),
        "translations_found": float(same(paragraphs).sum(axis=1).mean() / (len(set(languages)) - 1)),
        "same_article": float(same(articles).mean()),
    }


def trusted(vectors: Vectors, points: Vectors) -> float:
    from sklearn.manifold import trustworthiness

    return float(trustworthiness(vectors, points, n_neighbors=NEIGHBOURS))


def pca(vectors: Vectors) -> Vectors:
    from sklearn.decomposition import PCA

    return np.asarray(PCA(DIMENSIONS, random_state=0).fit_transform(vectors), np.float32)


def cost(n: int) -> list[dict[str, Any]]:
    """A row a step."""
    rows: list[dict[str, Any]] = []
    began = time.perf_counter()

    def done(step: str) -> None:
        nonlocal began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append({"step": step, "seconds": time.perf_counter() - began, "peak_mb": peak})
        print(f"{step} …", file=sys.stderr, flush=True)
        began = time.perf_counter()

    vectors, languages, texts = generated(n)
    done("(vectors and texts made)")
    basis = fit_basis(vectors, languages)
    reduced = basis.reduce(vectors, languages)
    done("language off, 50 dimensions")
    positions = lay_out(reduced)
    done("two dimensions")
    groups = find_groups(positions)
    topics = name_topics(positions, groups, texts, languages)
    done("topics")
    with TemporaryDirectory() as folder:
        home = Path(folder)
        documents = Column.made_of([f"{at // 50:032x}" for at in range(n)])
        same = Column.made_of(languages)
        made = PassageMap(
            "documents", 1, 0.0, n, 0, {}, documents, np.arange(n, dtype=np.int32) % 50, same, same, same,
            positions, groups, topics, reduced.astype(np.float16), basis,
        )  # fmt: skip
        save_map(home, made)
        load_map(home, "documents")
        done(f"written ({map_file(home, 'documents').stat().st_size / 1e6:.1f} MB) and read")
    lay_out_more(reduced, positions, reduced[: n // 50] + 0.01)
    done(f"{n // 50} added")
    return rows


def generated(n: int) -> tuple[Vectors, list[str], list[str]]:
    """Passages of many topics, each language a little to one side."""
    generator = np.random.default_rng(0)
    topics = generator.standard_normal((TOPICS, DIMENSION)).astype(np.float32)
    sides = 0.5 * generator.standard_normal((LANGUAGES, DIMENSION)).astype(np.float32)
    topic, language = generator.integers(TOPICS, size=n), generator.integers(LANGUAGES, size=n)
    noise = 0.8 * generator.standard_normal((n, DIMENSION)).astype(np.float32)
    words = generator.integers(400, size=(n, WORDS))
    letters = [chr(97 + one // 20) + chr(97 + one % 20) + "a" for one in range(400)]
    texts = [" ".join(letters[one] for one in row) for row in words]
    return normalize(topics[topic] + sides[language] + noise), [f"l{one}" for one in language], texts


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("quality", "cost"))
    parser.add_argument("--model", default=default_model())
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = quality(options.model) if options.what == "quality" else cost(options.passages)
    for row in rows:
        shown = "  ".join(
            f"{key} {value:.3f}" if isinstance(value, float) else str(value) for key, value in row.items()
        )
        print(json.dumps(row) if options.json else shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
