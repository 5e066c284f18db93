"""A trimmed model: smaller, loads anywhere, the same vectors for text whose words it kept."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import run
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from labse_search.encoder import load_encoder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.encoder.safetensors import Tensors
from labse_search.errors import UserError
from labse_search.trim import Trimmed, trim

GERMAN = ["Der Hund ist am Fluss.", "Die Katze trinkt Wasser aus dem Fluss", "Über der Brücke scheint die Sonne!"]


def sentence_transformers_vectors(folder: Path, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").float().encode(texts, normalize_embeddings=True)


def make_static(parent: Path, tokenizer: Path) -> Path:
    """A sentence-transformers folder: StaticEmbedding over the tokenizer of another model, Normalize."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    words = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    rows = np.random.default_rng(0).standard_normal((words.get_vocab_size(), 16), "f4")
    model = SentenceTransformer(modules=[StaticEmbedding(words, embedding_weights=rows), Normalize()], device="cpu")
    model.save(str(parent / "static"), create_model_card=False)
    return parent / "static"


def in_shards(model: Path, target: Path) -> None:
    """A copy with its word table in the first of three files and a head for guessing words in the last."""
    shutil.copytree(model, target)
    weights = load_file(target / "model.safetensors")
    (target / "model.safetensors").unlink()
    table = next(name for name in weights if name.endswith("word_embeddings.weight"))
    shards = {
        "weights-1.safetensors": {table: weights[table]},
        "weights-2.safetensors": {name: weight for name, weight in weights.items() if name != table},
        "weights-3.safetensors": {"cls.predictions.bias": np.zeros(len(weights[table]), "f4")},
    }
    for name, part in shards.items():
        save_file(part, target / name, metadata={"format": "pt"})
    listed = {tensor: name for name, part in shards.items() for tensor in part}
    (target / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": listed}))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trimmed, Path]:
    """labse-mini trimmed to what a German corpus needs, and the folder."""
    folder = tmp_path_factory.mktemp("shipped")
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(GERMAN * 10 + ["Quetschkartoffeln schmecken wunderbar"]), encoding="utf-8")
    return trim(LABSE_MINI, folder / "small", languages=["de"], corpus=[corpus]), folder / "small"


@pytest.mark.parametrize("kind", ["wordpiece", "unigram", "static"])
def test_kept_text_has_the_same_vectors_here_and_in_sentence_transformers(
    kind: str, tiny_labse: Path, tiny_xlmr: Path, tmp_path: Path
) -> None:
    model = {"wordpiece": tiny_labse, "unigram": tiny_xlmr}.get(kind) or make_static(tmp_path, tiny_labse)
    texts = ["der hund ist am fluss", "die katze, die nacht und das brot!", "stadt"]
    (tmp_path / "corpus.txt").write_text("\n".join(texts), encoding="utf-8")
    done = trim(model, tmp_path / "small", languages=["de"], corpus=[tmp_path / "corpus.txt"])
    assert done.tokens_after < done.tokens_before
    check_that_vectors_are_the_same(model, tmp_path / "small", texts)


def test_kept_text_has_the_vectors_of_the_shipped_model(shipped: tuple[Trimmed, Path]) -> None:
    done, small = shipped
    assert done.tokens_after < done.tokens_before
    check_that_vectors_are_the_same(LABSE_MINI, small, GERMAN)


def check_that_vectors_are_the_same(model: Path, small: Path, texts: list[str]) -> None:
    """Here and in sentence-transformers."""
    before, after = load_encoder(str(model), precision="fp32"), load_encoder(str(small), precision="fp32")
    assert after.tokenizer.count(texts) == before.tokenizer.count(texts)
    np.testing.assert_allclose(after.encode(texts), before.encode(texts), atol=1e-6)
    np.testing.assert_allclose(
        sentence_transformers_vectors(small, texts), sentence_transformers_vectors(model, texts), atol=1e-6
    )


def test_without_a_corpus_the_scripts_of_the_languages_stay(tiny_labse: Path, tmp_path: Path) -> None:
    trim(tiny_labse, tmp_path / "small", languages=["ru"])
    before, after = load_encoder(str(tiny_labse)), load_encoder(str(tmp_path / "small"))

    assert after.tokenizer.count(["кот и собака"]) == before.tokenizer.count(["кот и собака"])
    assert after.tokenizer.count(["bridge"])[0] > before.tokenizer.count(["bridge"])[0]  # in letters now, not unknown
    assert after.languages == ("ru",)
    assert after.fingerprint != before.fingerprint


def test_shards_stay_shards_in_their_number_formats(shipped: tuple[Trimmed, Path]) -> None:
    small = shipped[1]
    before, after = Tensors(LABSE_MINI), Tensors(small)
    index = json.loads((small / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) == 2
    sizes = []
    for name, shard in index["weight_map"].items():
        old, new = before.file(name).tensor(name), after.file(name).tensor(name)
        assert after.file(name).path.name == shard
        assert new.dtype == old.dtype
        assert new.shape == old.shape or (name.endswith("word_embeddings.weight") and new.shape[1:] == old.shape[1:])
        sizes.append(new.end - new.start)
    assert index["metadata"]["total_size"] == sum(sizes)


def test_files_that_held_only_heads_go(tiny_labse: Path, tmp_path: Path) -> None:
    in_shards(tiny_labse, tmp_path / "sharded")
    trim(tmp_path / "sharded", tmp_path / "small", languages=["de", "fr"])
    trim(tiny_labse, tmp_path / "same", languages=["de", "fr"])

    found = {path.name: load_file(path) for path in (tmp_path / "small").glob("*.safetensors")}
    assert sorted(found) == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    whole = load_file(tmp_path / "same" / "model.safetensors")
    pieces = {name: weight for part in found.values() for name, weight in part.items()}
    assert pieces.keys() == whole.keys() and all(np.array_equal(pieces[name], whole[name]) for name in whole)


def test_held_out_lines_tell_what_it_costs(shipped: tuple[Trimmed, Path]) -> None:
    done = shipped[0]
    assert done.bytes_after < done.bytes_before / 3  # what is left are the layers and the tokenizer
    assert done.covered is not None and 0.5 < done.covered < 1  # line 31 is held out, its words were never counted
    assert done.unchanged == 0.75  # 3 of the 4 held-out lines
    assert done.cosine is not None and 0 < done.cosine < 1


def test_a_folder_that_exists_is_not_touched(tiny_labse: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    with pytest.raises(UserError, match="is there already"):
        trim(tiny_labse, tmp_path / "small", languages=["de"])
    assert not list((tmp_path / "small").iterdir())


def test_a_language_the_model_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not trained on ti"):
        trim(LABSE_MINI, tmp_path / "small", languages=["de", "ti"])
    assert not list(tmp_path.iterdir())


def test_the_command_prints_sizes_before_and_after(tiny_labse: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labse_search.trim", "--languages", "de,fr", "--model", str(tiny_labse)]
    done = run(*command, "--output", tmp_path / "small")
    assert "209 → " in done.stdout and "MB → " in done.stdout
    assert run(*command, "--output", tmp_path / "small", status=2).stderr.startswith("error: ")


def test_rows_beyond_the_tokenizer_go_and_other_weights_are_refused(tiny_labse: Path, tmp_path: Path) -> None:
    padded = tmp_path / "padded"
    shutil.copytree(tiny_labse, padded)
    weights = load_file(padded / "model.safetensors")
    name = next(name for name in weights if name.endswith("word_embeddings.weight"))
    weights[name] = np.concatenate([weights[name], np.ones((35, weights[name].shape[1]), weights[name].dtype)])
    save_file(weights, padded / "model.safetensors", metadata={"format": "pt"})
    trim(padded, tmp_path / "small", languages=["de", "fr"])
    trim(tiny_labse, tmp_path / "same", languages=["de", "fr"])
    small, same = (load_file(tmp_path / folder / "model.safetensors") for folder in ("small", "same"))
    assert all(np.array_equal(small[name], same[name]) for name in same)
    (padded / "model.safetensors").rename(padded / "pytorch_model.bin")
    with pytest.raises(UserError, match="in pytorch_model.bin, and only .safetensors"):
        trim(padded, tmp_path / "none", languages=["de"])
