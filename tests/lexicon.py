"""A small real model that knows four languages word by word: translations share a direction, up to some noise."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_lowercase

import numpy as np
from measured import save_usual_profile

CONCEPTS = 400
LANGUAGES = ("en", "de", "fr", "ru")


def word(language: str, concept: int) -> str:
    """Letters only: digits would be words of their own, and the same in all languages."""
    return language + ascii_lowercase[concept // 26] + ascii_lowercase[concept % 26]


def sentence(language: str, concepts: list[int]) -> str:
    return " ".join(word(language, concept) for concept in concepts)


def make_lexicon_model(folder: Path, *, dimension: int = 48, noise: float = 0.25, seed: int = 0) -> Path:
    """A sentence-transformers folder: StaticEmbedding (a vector a word, averaged) + Normalize."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit

    generator = np.random.default_rng(seed)
    concepts = generator.standard_normal((CONCEPTS, dimension))
    vocabulary, rows = {"[UNK]": 0}, [generator.standard_normal(dimension) * 0.1]
    for language in LANGUAGES:
        for concept in range(CONCEPTS):
            vocabulary[word(language, concept)] = len(rows)
            rows.append(concepts[concept] + noise * generator.standard_normal(dimension))
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    static = StaticEmbedding(tokenizer, embedding_weights=np.array(rows, dtype=np.float32))
    model = SentenceTransformer(modules=[static, Normalize()], device="cpu")
    model.save(str(folder), create_model_card=False)
    (folder / "labse.json").write_text(json.dumps({"languages": list(LANGUAGES)}), encoding="utf-8")
    save_usual_profile(folder)
    return folder


def random_concepts(n: int, *, seed: int, length: int = 6) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    return [generator.choice(CONCEPTS, length, replace=False).tolist() for _ in range(n)]
