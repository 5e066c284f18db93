"""Encoders against independent references: transformers' own BERT, and SentenceTransformer.encode."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from lexicon import make_lexicon_model
from safetensors.numpy import load_file
from static_mini import static_mini
from tiny import WORDS, make_tiny_labse

from labse_search.encoder import Encoder, TokenEncoder, default_model, load_encoder, load_tokenizer
from labse_search.encoder.folder import read_folder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.encoder.lazy import LazyEncoder, open_encoder
from labse_search.encoder.packed import PackedEncoder, WeighedPackedEncoder
from labse_search.encoder.small import FEW_TOKENS, PATIENCE_TOKENS, SmallEncoder, WeighedSmallEncoder
from labse_search.encoder.stack import batches
from labse_search.encoder.turns import Turns
from labse_search.errors import UserError

MINI = str(LABSE_MINI)
STATIC = str(static_mini())
TEXTS = [
    "Where is the bridge?",
    "Wo ist die Brücke?",
    "橋はどこですか。",
    "Где мост?",
    "x",
    "สวัสดีตอนเช้า",
    "a much longer sentence, with commas, numbers 12,345.67 and a few more words than all the others have",
]


def random_texts(n: int, longest: int) -> list[str]:
    """Of 0 to `longest` words each, in no order of length."""
    draw = random.Random(3)
    return [" ".join(draw.choices(WORDS, k=draw.randint(0, longest))) for _ in range(n)]


def opened(kind: str, folder: Path) -> Encoder:
    if kind == "packed":
        return packed(folder)
    return load_encoder(STATIC if kind == "static" else str(folder), precision="fp32")


def printed(code: str) -> str:
    """What the code prints in a fresh interpreter."""
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def sentence_transformers_vectors(folder: Path | str, texts: list[str]) -> np.ndarray:
    """The reference, in float32."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu").float()
    return model.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def packed(folder: Path, precision: str = "fp32") -> PackedEncoder:
    """The path that large models take, for a model of any size."""
    return PackedEncoder(str(folder), read_folder(folder), precision=precision)


@pytest.mark.parametrize("kind", [SmallEncoder, PackedEncoder])
def test_a_vector_is_the_normalized_pooler_output(tiny_labse: Path, kind: type[SmallEncoder | PackedEncoder]) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, BertModel

    bert = BertModel.from_pretrained(tiny_labse).eval()
    dense = load_file(tiny_labse / "2_Dense" / "model.safetensors")
    bert.pooler.dense.weight.data, bert.pooler.dense.bias.data = dense["linear.weight"], dense["linear.bias"]
    texts = ["the cat and the dog", "Hund", "кот и собака ночь"]
    with torch.no_grad():
        output = bert(**AutoTokenizer.from_pretrained(tiny_labse)(texts, padding=True, return_tensors="pt"))
    expected = torch.nn.functional.normalize(output.pooler_output, dim=1).numpy()

    vectors = kind(str(tiny_labse), read_folder(tiny_labse), precision="fp32").encode(texts)

    np.testing.assert_allclose(vectors, expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_packed_float32_equals_sentence_transformers(tmp_path: Path, pooling: str) -> None:
    folder = make_tiny_labse(tmp_path / "model", pooling=pooling, hidden=48, layers=3)
    texts = random_texts(150, 55)
    encoder = packed(folder)
    assert encoder.describe().startswith("packed")

    np.testing.assert_allclose(encoder.encode(texts), sentence_transformers_vectors(folder, texts), atol=1e-5)


@pytest.mark.parametrize("act", ["gelu", "relu"])
def test_numpy_equals_sentence_transformers(tmp_path: Path, act: str) -> None:
    folder = make_tiny_labse(tmp_path / "model", hidden=48, layers=3, act=act)
    texts = random_texts(70, 55)
    encoder = load_encoder(str(folder))
    assert encoder.describe().startswith("few texts: numpy")

    np.testing.assert_allclose(encoder.encode(texts), sentence_transformers_vectors(folder, texts), atol=1e-5)


def test_the_shipped_model_in_numpy_equals_sentence_transformers() -> None:
    np.testing.assert_allclose(load_encoder(MINI).encode(TEXTS), sentence_transformers_vectors(MINI, TEXTS), atol=1e-5)


def test_the_shipped_model_answers_without_torch_until_much_comes() -> None:
    code = (
        "import sys; from labse_search.encoder import load_encoder\n"
        "encoder = load_encoder('labse-mini')\n"
        "encoder.encode(['Where is the bridge?']); encoder.token_vectors(['Where is the bridge?'])\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers', 'scipy'} & set(sys.modules)))"
    )
    assert printed(code) == "[]"


def test_torch_takes_over_what_comes_in_bulk_with_the_same_vectors(tiny_labse: Path) -> None:
    encoder = load_encoder(str(tiny_labse), precision="fp32")
    texts = random_texts(300, 55)
    tokens = sum(encoder.tokenizer.count(texts))
    assert FEW_TOKENS < tokens < PATIENCE_TOKENS
    in_numpy = encoder.encode(texts)
    assert "packed batches with torch" in encoder.describe()
    for _ in range(PATIENCE_TOKENS // tokens):
        in_torch = encoder.encode(texts)
    assert "packed batches on cpu, fp32" in encoder.describe()
    np.testing.assert_allclose(in_torch, in_numpy, atol=1e-5)
    paused: list[int] = []
    encoder.pause = lambda: paused.append(1)
    encoder.encode(texts)
    assert paused
    with pytest.raises(ValueError, match="text 300 has"):
        encoder.encode([*texts, "cat " * 300])


def test_a_large_model_goes_to_torch_at_once(tmp_path: Path) -> None:
    folder = make_tiny_labse(tmp_path / "model", hidden=384, layers=3)
    assert load_encoder(str(folder)).describe().startswith("packed")
    assert isinstance(load_encoder(MINI, precision="bf16"), WeighedPackedEncoder)  # asked for, so from the first text


def test_packed_bfloat16_points_the_same_way(tmp_path: Path) -> None:
    folder = make_tiny_labse(tmp_path / "model", hidden=64, layers=4)
    texts = random_texts(100, 50)

    vectors = packed(folder, "bf16").encode(texts)

    cosines = (vectors * sentence_transformers_vectors(folder, texts)).sum(axis=1)
    assert cosines.mean() >= 0.999
    assert cosines.min() >= 0.99


def test_xlm_roberta_takes_the_fast_path_and_equals_sentence_transformers(tiny_xlmr: Path) -> None:
    texts = random_texts(60, 20)
    encoder = load_encoder(str(tiny_xlmr), precision="fp32")
    assert encoder.describe().startswith("packed")

    np.testing.assert_allclose(encoder.encode(texts), sentence_transformers_vectors(tiny_xlmr, texts), atol=1e-5)


def test_another_stack_goes_through_sentence_transformers(tmp_path: Path) -> None:
    folder = make_tiny_labse(tmp_path / "model", pooling="mean_sqrt_len_tokens")
    texts = random_texts(90, 40)
    encoder = load_encoder(str(folder))
    assert encoder.describe().startswith("sentence-transformers")

    np.testing.assert_allclose(encoder.encode(texts), sentence_transformers_vectors(folder, texts), atol=1e-5)


def test_static_vectors_equal_sentence_transformers() -> None:
    encoder = load_encoder(STATIC)

    np.testing.assert_allclose(encoder.encode(TEXTS), sentence_transformers_vectors(STATIC, TEXTS), atol=1e-5)


def test_a_static_model_needs_no_torch_and_no_transformers() -> None:
    code = (
        "import sys; from labse_search.encoder import load_encoder\n"
        f"load_encoder({STATIC!r}).encode(['Where is the bridge?'])\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    assert printed(code) == "[]"


def test_a_lazy_encoder_is_the_encoder_and_reads_weights_when_a_text_comes(tiny_labse: Path) -> None:
    lazy, eager = open_encoder(str(tiny_labse), precision="fp32"), load_encoder(str(tiny_labse), precision="fp32")
    assert isinstance(lazy, LazyEncoder) and lazy.describe() == "not loaded yet"
    for name in ("model", "dimension", "fingerprint", "languages"):
        assert getattr(lazy, name) == getattr(eager, name)
    assert lazy.tokenizer.max_tokens == eager.tokenizer.max_tokens
    paused: list[int] = []
    lazy.pause = lambda: paused.append(1)
    assert np.array_equal(lazy.encode(TEXTS[:-1]), eager.encode(TEXTS[:-1]))
    assert paused and lazy.describe() == eager.describe()


def test_a_lazy_encoder_knows_widths_with_and_without_dense(tmp_path: Path, tiny_xlmr: Path) -> None:
    assert open_encoder(str(tiny_xlmr)).dimension == load_encoder(str(tiny_xlmr)).dimension
    assert not isinstance(open_encoder(str(make_lexicon_model(tmp_path / "static"))), LazyEncoder)


@pytest.mark.parametrize("kind", [WeighedSmallEncoder, WeighedPackedEncoder])
def test_a_model_that_weighs_its_words_tells_them_apart(
    tiny_labse: Path, tmp_path: Path, kind: type[WeighedSmallEncoder | WeighedPackedEncoder]
) -> None:
    folder = tmp_path / "weighed"
    shutil.copytree(tiny_labse, folder)
    assert not isinstance(load_encoder(str(folder)), TokenEncoder)
    (folder / "labse.json").write_text('{"languages": ["en"], "weighed_words": true}')
    assert isinstance(load_encoder(str(folder)), WeighedSmallEncoder)
    encoder = kind(str(folder), read_folder(folder), precision="fp32")
    assert isinstance(encoder, TokenEncoder)
    assert encoder.token_vectors([]) == []
    first, empty, second = encoder.token_vectors(["the cat", "", "cat"])
    assert len(first.weights) == 2 and len(empty.weights) == 0 and len(second.weights) == 1
    table = load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    row = table[encoder.tokenizer.ids(["cat"])[0][1]]
    np.testing.assert_allclose(second.weights[0], np.exp(row[0]), rtol=1e-6)
    np.testing.assert_allclose(second.directions[0], row[1:] / np.linalg.norm(row[1:]), atol=1e-6)
    np.testing.assert_array_equal(second.directions[0], first.directions[1])
    np.testing.assert_allclose(encoder.encode(["cat"]), load_encoder(str(tiny_labse)).encode(["cat"]), atol=1e-6)


def test_a_tokenizer_needs_no_torch(tiny_labse: Path) -> None:
    code = (
        "import sys; from labse_search.encoder import load_tokenizer\n"
        f"load_tokenizer({str(tiny_labse)!r}).count(['cat'])\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert printed(code) == "[]"


def test_labse_mini_knows_its_languages_and_finds_translations() -> None:
    encoder = load_encoder(MINI)
    english, german, japanese, russian = encoder.encode(TEXTS[:4])

    assert len(encoder.languages) == 59 and {"en", "de", "zh", "sw"} <= set(encoder.languages)
    assert encoder.dimension == 256
    assert isinstance(encoder, SmallEncoder) and isinstance(encoder, TokenEncoder)
    assert min(english @ german, english @ japanese, english @ russian) > max(
        encoder.encode([TEXTS[6]])[0] @ vector for vector in (english, german, japanese, russian)
    )


@pytest.mark.parametrize("kind", ["static", "small", "packed"])
def test_vectors_come_in_the_order_of_the_texts_with_length_one(kind: str, tiny_labse: Path) -> None:
    encoder = opened(kind, tiny_labse)
    texts = random_texts(40, 30)

    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])

    assert together.shape == (40, encoder.dimension) and together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("kind", ["static", "small", "packed"])
def test_no_texts_give_no_vectors_and_an_empty_text_gives_one(kind: str, tiny_labse: Path) -> None:
    encoder = opened(kind, tiny_labse)

    assert encoder.encode([]).shape == (0, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(["", "cat", ""]), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["static", "small", "packed"])
def test_a_text_longer_than_the_window_is_refused_not_truncated(kind: str, tiny_labse: Path) -> None:
    encoder = opened(kind, tiny_labse)

    with pytest.raises(ValueError, match=f"text 1 has .* tokens, the model reads {encoder.tokenizer.max_tokens}"):
        encoder.encode(["cat", "cat " * 300])


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UserError, match="precision is 'fp8', expected one of auto, fp32, bf16"):
        load_encoder(MINI, precision="fp8")


def test_batches_are_in_order_of_length_and_within_the_budget() -> None:
    lengths = np.array([5, 1, 9, 3, 3, 20, 2])

    found = [lengths[rows].tolist() for rows in batches(lengths, 10)]

    assert found == [[1, 2, 3, 3], [5], [9], [20]]


def test_the_default_is_labse_mini_while_labse_is_not_on_disk(tmp_path: Path) -> None:
    code = "from labse_search.encoder import default_model; print(default_model())"
    root = Path(__file__).parent.parent
    environment = {"HF_HOME": str(tmp_path), "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "labse-mini"
    assert default_model() in ("labse-mini", "sentence-transformers/LaBSE")


def test_pause_is_called_while_encoding(tiny_labse: Path) -> None:
    for kind in ("static", "small", "packed"):
        encoder = opened(kind, tiny_labse)
        calls: list[str] = []
        encoder.pause = lambda calls=calls: calls.append("pause")

        encoder.encode(["cat", "dog"])

        assert calls


def test_bulk_work_waits_until_the_query_is_done(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "turns")
    order: list[str] = []

    def bulk() -> None:
        turns.pause()
        order.append("bulk")

    thread = threading.Thread(target=bulk)
    with turns.query():
        thread.start()
        thread.join(0.05)
        order.append("query")
    thread.join()
    turns.close()

    assert order == ["query", "bulk"]


def test_two_queries_do_not_wait_for_each_other(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "turns")
    with turns.query(), turns.query():
        pass
    turns.pause()
    turns.close()


@pytest.mark.parametrize("kind", ["small", "packed"])
def test_threads_encode_the_same_at_the_same_time(tiny_labse: Path, kind: str) -> None:
    encoder = opened(kind, tiny_labse)
    texts = random_texts(30, 30)
    expected = encoder.encode(texts)
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(encoder.encode(texts))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    for vectors in found:
        np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_the_tokenizers_of_encoder_and_load_tokenizer_agree(tiny_labse: Path) -> None:
    texts = random_texts(20, 30)
    assert load_tokenizer(str(tiny_labse)).count(texts) == load_encoder(str(tiny_labse)).tokenizer.count(texts)


def test_few_numbers_of_rows_are_computed() -> None:
    from labse_search.encoder.bert import rounded

    assert all(rows <= rounded(rows) < rows + 64 for rows in range(1, 3000))
    assert len({rounded(rows) for rows in range(1, 2049)}) < 60


def test_each_activation_of_a_dense_that_fits_is_computed() -> None:
    from labse_search.encoder import packed as module
    from labse_search.encoder.stack import DENSE_ACTIVATIONS

    assert set(module._ACTIVATIONS) == set(DENSE_ACTIVATIONS)


def test_a_lazy_encoder_makes_ready_for_much_only(tiny_labse: Path) -> None:
    lazy = open_encoder(str(tiny_labse), precision="fp32")
    assert isinstance(lazy, LazyEncoder)
    lazy.expect(PATIENCE_TOKENS - 1)
    assert "packed batches with torch" in lazy.describe()
    lazy.expect(2)
    assert "packed batches on cpu" in lazy.describe()
    lazy = open_encoder(str(tiny_labse), precision="bf16")
    assert isinstance(lazy, LazyEncoder)
    lazy.expect(10**9)  # a model that is torch's from the start is only opened
    assert lazy.describe().startswith("packed batches on cpu, bf16")
