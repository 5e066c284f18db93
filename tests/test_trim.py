"""A trimmed model: smaller, loads anywhere, the same vectors for text whose words it kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from static_mini import static_mini

from labse_search.encoder import load_encoder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.errors import UserError
from labse_search.trim import trim

GERMAN = ["Der Hund ist am Fluss.", "Die Katze trinkt Wasser aus dem Fluss", "Über der Brücke scheint die Sonne!"]


def sentence_transformers_vectors(folder: Path, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").float().encode(texts, normalize_embeddings=True)


@pytest.mark.parametrize("kind", ["wordpiece", "unigram", "static", "shipped"])
def test_kept_text_has_the_same_vectors_here_and_in_sentence_transformers(
    kind: str, tiny_labse: Path, tiny_xlmr: Path, tmp_path: Path
) -> None:
    model = {"wordpiece": tiny_labse, "unigram": tiny_xlmr, "static": static_mini(), "shipped": LABSE_MINI}[kind]
    texts = ["der hund ist am fluss", "die katze, die nacht und das brot!", "stadt"]
    (tmp_path / "corpus.txt").write_text("\n".join(texts), encoding="utf-8")

    done = trim(model, tmp_path / "small", languages=["de"], corpus=[tmp_path / "corpus.txt"])

    before, after = load_encoder(str(model), precision="fp32"), load_encoder(str(tmp_path / "small"), precision="fp32")
    assert done.tokens_after < done.tokens_before
    assert after.tokenizer.count(texts) == before.tokenizer.count(texts)
    np.testing.assert_allclose(after.encode(texts), before.encode(texts), atol=1e-6)
    np.testing.assert_allclose(
        sentence_transformers_vectors(tmp_path / "small", texts), sentence_transformers_vectors(model, texts), atol=1e-6
    )


def test_without_a_corpus_the_scripts_of_the_languages_stay(tiny_labse: Path, tmp_path: Path) -> None:
    trim(tiny_labse, tmp_path / "small", languages=["ru"])
    before, after = load_encoder(str(tiny_labse)), load_encoder(str(tmp_path / "small"))

    assert after.tokenizer.count(["кот и собака"]) == before.tokenizer.count(["кот и собака"])
    assert after.tokenizer.count(["bridge"])[0] > before.tokenizer.count(["bridge"])[0]  # in letters now, not unknown
    assert after.languages == ("ru",)
    assert after.fingerprint != before.fingerprint


def test_held_out_lines_tell_what_it_costs(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(GERMAN * 10 + ["Quetschkartoffeln schmecken wunderbar"]), encoding="utf-8")

    done = trim(LABSE_MINI, tmp_path / "small", languages=["de"], corpus=[corpus])

    assert done.bytes_after < done.bytes_before / 5
    assert done.covered is not None and 0.5 < done.covered < 1  # line 31 is held out, its words were never counted
    assert done.unchanged == 0.75  # 3 of the 4 held-out lines
    assert done.cosine is not None and 0 < done.cosine < 1


def test_a_folder_that_exists_is_not_touched(tiny_labse: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    with pytest.raises(UserError, match="is there already"):
        trim(tiny_labse, tmp_path / "small", languages=["de"])
    assert not list((tmp_path / "small").iterdir())


def test_a_language_the_model_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not trained on km"):
        trim(LABSE_MINI, tmp_path / "small", languages=["de", "km"])
    assert not list(tmp_path.iterdir())


def test_the_command_prints_sizes_before_and_after(tiny_labse: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labse_search.trim", "--languages", "de,fr", "--model", str(tiny_labse)]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "small")], cwd=root, capture_output=True, text=True, check=True
    )
    assert "209 → " in done.stdout and "MB → " in done.stdout
    again = subprocess.run([*command, "--output", str(tmp_path / "small")], cwd=root, capture_output=True, text=True)
    assert again.returncode == 2 and again.stderr.startswith("error: ")
