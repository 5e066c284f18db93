"""Encoders against independent references: transformers' own BERT, and SentenceTransformer.encode."""

from __future__ import annotations

import json
import random
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from lexicon import make_lexicon_model
from processes import run
from tiny import WORDS, make_tiny_labse

from labse_search.encoder import Encoder, default_model, load_encoder, load_tokenizer
from labse_search.encoder.bert import GroupedAttention, PaddedAttention
from labse_search.encoder.hub import LABSE_MINI, find_model
from labse_search.encoder.loading import LazyEncoder, open_encoder
from labse_search.encoder.packing import batches, pack
from labse_search.encoder.priority import QueryPriority
from labse_search.errors import UserError

MINI = str(LABSE_MINI)
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


def printed(code: str) -> str:
    """What the code prints in a fresh interpreter."""
    return run(sys.executable, "-c", code).stdout.strip()


def sentence_transformers_vectors(folder: Path | str, texts: list[str]) -> np.ndarray:
    """The reference, in float32."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu").float()
    return model.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def packed(folder: Path, precision: str = "fp32") -> Encoder:
    return load_encoder(str(folder), precision=precision)


def test_a_vector_is_the_normalized_pooler_output(tiny_labse: Path) -> None:
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

    vectors = load_encoder(str(tiny_labse), precision="fp32").encode(texts)

    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def shard_with_eight_bits(model: Path, target: Path) -> Path:
    """A copy whose word table is float8_e4m3fn in a file of its own, and all the rest float16 in another."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, target)
    tensors = load_file(target / "model.safetensors")
    (target / "model.safetensors").unlink()
    word = "embeddings.word_embeddings.weight"
    shards = {
        "model-00001-of-00002.safetensors": {word: tensors.pop(word).to(torch.float8_e4m3fn)},
        "model-00002-of-00002.safetensors": {name: tensor.half() for name, tensor in tensors.items()},
    }
    for name, part in shards.items():
        save_file(part, target / name, {"format": "pt"})
    listed = {tensor: name for name, part in shards.items() for tensor in part}
    (target / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": listed}))
    return target


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_packed_float32_equals_sentence_transformers(tmp_path: Path, pooling: str) -> None:
    folder = make_tiny_labse(tmp_path / "model", pooling=pooling, hidden=48, layers=3)
    texts = random_texts(150, 55)
    encoder = packed(folder)
    assert encoder.describe().startswith("packed")

    np.testing.assert_allclose(encoder.encode(texts), sentence_transformers_vectors(folder, texts), atol=1e-5)


@pytest.mark.parametrize("act", ["gelu", "relu"])
def test_each_inner_activation_equals_sentence_transformers(tmp_path: Path, act: str) -> None:
    folder = make_tiny_labse(tmp_path / "model", hidden=48, layers=3, act=act)
    texts = random_texts(70, 55)

    vectors = load_encoder(str(folder), precision="fp32").encode(texts)

    np.testing.assert_allclose(vectors, sentence_transformers_vectors(folder, texts), atol=1e-5)


def test_the_shipped_model_equals_sentence_transformers() -> None:
    vectors = load_encoder(MINI, precision="fp32").encode(TEXTS)

    np.testing.assert_allclose(vectors, sentence_transformers_vectors(MINI, TEXTS), atol=1e-5)


@pytest.mark.parametrize("mapped_mb", [0, 64], ids=["rows are read", "table is mapped"])
def test_a_table_of_eight_bits_and_weights_in_shards_equal_sentence_transformers(
    tiny_labse: Path, tmp_path: Path, mapped_mb: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labse_search.encoder import bert

    monkeypatch.setattr(bert, "MAPPED_MB", mapped_mb)  # a constant: small tables take the way of large ones
    folder = shard_with_eight_bits(tiny_labse, tmp_path / "shards")
    texts = random_texts(60, 50)

    vectors = load_encoder(str(folder), precision="fp32").encode(texts)

    np.testing.assert_allclose(vectors, sentence_transformers_vectors(folder, texts), atol=1e-5)
    assert (vectors * load_encoder(str(tiny_labse), precision="fp32").encode(texts)).sum(axis=1).min() > 0.97


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
    encoder = load_encoder(str(folder), precision="fp32")
    assert encoder.describe().startswith("sentence-transformers")

    np.testing.assert_allclose(encoder.encode(texts), sentence_transformers_vectors(folder, texts), atol=1e-5)


def test_a_static_model_goes_through_sentence_transformers(tmp_path: Path) -> None:
    folder = make_lexicon_model(tmp_path / "static")
    texts = ["en1 de2 ru3", "fr4", "unknown en5"]
    encoder = load_encoder(str(folder), precision="fp32")
    assert encoder.describe().startswith("sentence-transformers")

    np.testing.assert_allclose(encoder.encode(texts), sentence_transformers_vectors(folder, texts), atol=1e-5)


def test_a_lazy_encoder_is_the_encoder_and_reads_weights_when_a_text_comes(tiny_labse: Path) -> None:
    lazy, eager = open_encoder(str(tiny_labse), precision="fp32"), load_encoder(str(tiny_labse), precision="fp32")
    assert isinstance(lazy, LazyEncoder) and lazy.describe() == "not loaded yet"
    for name in ("model", "dimension", "fingerprint", "languages"):
        assert getattr(lazy, name) == getattr(eager, name)
    assert lazy.tokenizer.max_tokens == eager.tokenizer.max_tokens
    asked: list[int] = []
    vectors = lazy.encode(TEXTS[:-1], check_cancelled=lambda: asked.append(1))
    assert np.array_equal(vectors, eager.encode(TEXTS[:-1]))
    assert asked and lazy.describe() == eager.describe()
    assert lazy.load() is lazy.load()


def test_a_lazy_encoder_knows_widths_with_and_without_dense(tmp_path: Path, tiny_xlmr: Path) -> None:
    assert open_encoder(str(tiny_xlmr)).dimension == load_encoder(str(tiny_xlmr)).dimension
    assert not isinstance(open_encoder(str(make_lexicon_model(tmp_path / "static"))), LazyEncoder)


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

    assert len(encoder.languages) == 92 and {"en", "de", "zh", "sw", "km", "am"} <= set(encoder.languages)
    assert encoder.dimension == 384
    assert min(english @ german, english @ japanese, english @ russian) > max(
        encoder.encode([TEXTS[6]])[0] @ vector for vector in (english, german, japanese, russian)
    )


def test_vectors_come_in_the_order_of_the_texts_with_length_one(tiny_labse: Path) -> None:
    encoder = packed(tiny_labse)
    texts = random_texts(40, 30)

    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])

    assert together.shape == (40, encoder.dimension) and together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_attention_padded_for_a_gpu_is_that_of_texts_of_equal_length() -> None:
    lengths = np.array([1, 4, 4, 9, 30])
    batch = pack(np.zeros(lengths.sum(), np.int64), np.cumsum(lengths) - lengths, lengths)
    rows, texts, heads, width = 64, len(lengths), 3, 8  # 16 rows beyond the last text
    projected = torch.randn(rows, 3, heads, width, generator=torch.Generator().manual_seed(1))
    grouped, padded = GroupedAttention(batch), PaddedAttention(batch, "cpu")

    np.testing.assert_allclose(padded(projected), grouped(projected), atol=1e-6)
    queries, keys = projected[:texts, 0].unsqueeze(2), projected[:, 1:]
    np.testing.assert_allclose(padded.of_firsts(queries, keys), grouped.of_firsts(queries, keys), atol=1e-6)
    query, key, value = projected[18:48].permute(1, 2, 0, 3)  # of the last text, (heads, length, width) each
    expected = torch.softmax(query @ key.transpose(1, 2) / width**0.5, dim=-1) @ value
    np.testing.assert_allclose(padded(projected)[18:48], expected.transpose(0, 1).flatten(1), atol=1e-6)


def test_no_texts_give_no_vectors_and_an_empty_text_gives_one(tiny_labse: Path) -> None:
    encoder = packed(tiny_labse)

    assert encoder.encode([]).shape == (0, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(["", "cat", ""]), axis=1), 1, atol=1e-5)


def test_a_text_longer_than_the_window_is_refused_not_truncated(tiny_labse: Path) -> None:
    encoder = packed(tiny_labse)

    with pytest.raises(ValueError, match=f"text 1 has .* tokens, the model reads {encoder.tokenizer.max_tokens}"):
        encoder.encode(["cat", "cat " * 300])


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UserError, match="precision is 'fp8', expected one of auto, fp32, bf16"):
        load_encoder(MINI, precision="fp8")


def test_batches_are_in_order_of_length_and_within_the_budget() -> None:
    lengths = np.array([5, 1, 9, 3, 3, 20, 2])

    found = [lengths[rows].tolist() for rows in batches(lengths, 10)]

    assert found == [[1, 2, 3, 3], [5], [9], [20]]


def test_a_long_text_among_many_short_ones_does_not_make_them_as_long() -> None:
    lengths = np.array([6] * 4000 + [250, 300, 256])
    found = list(batches(lengths, 32_768, 65_536))
    assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
    assert all(len(rows) * lengths[rows].max() <= 65_536 for rows in found) and len(found) == 2
    assert [rows.tolist() for rows in batches(np.array([9, 9]), 4, 4)] == [[0], [1]]  # longer than all that may be


def test_a_model_that_lies_on_disk_does_not_become_the_default(
    tiny_labse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "models--sentence-transformers--LaBSE" / "snapshots" / "0"
    shutil.copytree(tiny_labse, snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert find_model("LaBSE") == snapshot
    assert default_model() == "labse-mini"


def test_who_asks_can_end_a_call_while_it_is_encoded(tiny_labse: Path) -> None:
    encoder = packed(tiny_labse)

    def stop() -> None:
        raise InterruptedError("stopped")

    with pytest.raises(InterruptedError, match="stopped"):
        encoder.encode(["cat", "dog"], check_cancelled=stop)
    assert len(encoder.encode(["cat", "dog"])) == 2


def test_bulk_work_waits_until_the_query_is_done(tmp_path: Path) -> None:
    priority = QueryPriority(tmp_path / "priority")
    order: list[str] = []

    def bulk() -> None:
        priority.wait_for_queries()
        order.append("bulk")

    thread = threading.Thread(target=bulk)
    with priority.query():
        thread.start()
        thread.join(0.05)
        order.append("query")
    thread.join()
    priority.close()

    assert order == ["query", "bulk"]


def test_bulk_work_gets_its_share_under_queries_without_end(tmp_path: Path) -> None:
    """It asks between layers: when each of them waited two seconds, embedding 20,000 passages again took a day."""
    priority = QueryPriority(tmp_path / "priority")
    done = threading.Event()

    def bulk() -> None:
        for _layer in range(100):
            priority.wait_for_queries()
        done.set()

    thread = threading.Thread(target=bulk)
    with priority.query():
        thread.start()
        assert done.wait(60)
    thread.join()
    priority.close()


def test_two_queries_do_not_wait_for_each_other(tmp_path: Path) -> None:
    priority = QueryPriority(tmp_path / "priority")
    with priority.query(), priority.query():
        pass
    priority.wait_for_queries()
    priority.close()


def test_threads_encode_the_same_at_the_same_time(tiny_labse: Path) -> None:
    encoder = packed(tiny_labse)
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
    from labse_search.encoder.loading import DENSE_ACTIVATIONS

    assert set(module._ACTIVATIONS) == set(DENSE_ACTIVATIONS)
