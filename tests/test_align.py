"""Training from files: the corpus, the batches, the two models against independent references, whole small runs."""

from __future__ import annotations

import json
import lzma
import os
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel

from benchmarks import dictionaries
from labse_search.align import AlignConfig, align
from labse_search.align.__main__ import main
from labse_search.align.corpus import TokenPairs, find_files, load_pairs
from labse_search.align.cutting import (
    HALF,
    QUESTION,
    SHORT,
    SPAN,
    WHOLE,
    Cuts,
    Tokens,
    among_neighbours,
    ask,
    make_fillers,
    take,
)
from labse_search.align.loop import Plan, objective
from labse_search.align.neighbours import find_groups
from labse_search.align.network import Network, build_network, megabytes, save_network
from labse_search.align.reach import reach_loss
from labse_search.align.recipe import Run, averaged, neighbour_groups
from labse_search.align.sampling import Batch, BatchSampler
from labse_search.align.static import StaticTable, new_vectors, reweigh, save_static
from labse_search.encoder import TokenEncoder, TokenVectors, load_encoder
from labse_search.encoder.small import SmallEncoder
from labse_search.errors import UserError
from labse_search.finetune.keys import text_key
from labse_search.mine.encode import encode_texts
from labse_search.pretrain.vocabulary import train_vocabulary
from labse_search.search.links import Passages
from labse_search.similarity import normalize

ENGLISH = "cat dog house water sea river city bridge market bread salt wind rain sun night day".split()
GERMAN = "katze hund haus wasser meer fluss stadt brücke markt brot salz wind regen sonne nacht tag".split()
RUSSIAN = "кот собака дом вода море река город мост рынок хлеб соль ветер дождь солнце ночь день".split()
HIDDEN, WINDOW = 32, 24


def silence(_: str) -> None:
    return None


def lines(language: str, words: list[str], count: int, seed: int) -> list[str]:
    chosen = random.Random(seed)
    picks = [chosen.choices(range(16), k=chosen.randint(2, 12)) for _ in range(count)]
    sides = [(" ".join(ENGLISH[at] for at in pick), " ".join(words[at] for at in pick)) for pick in picks]
    return [f"en\t{language}\t{source}\t{target}\n" for source, target in sides]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """german (400 pairs), russian (300), kept (100): plain and packed."""
    folder = tmp_path_factory.mktemp("align") / "train"
    folder.mkdir()
    (folder / "german.tsv").write_text("".join(lines("de", GERMAN, 400, 1)), "utf-8")
    with lzma.open(folder / "russian.tsv.xz", "wt", encoding="utf-8") as packed:
        packed.writelines(lines("ru", RUSSIAN, 300, 2))
    (folder / "kept.tsv").write_text("".join(lines("de", GERMAN, 100, 3)), "utf-8")
    (folder / "README.md").write_text("no pairs", "utf-8")
    return folder


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    texts = iter([" ".join(words) for words in (ENGLISH, GERMAN, RUSSIAN)] * 20)
    return train_vocabulary(texts, size=200, pieces="unigram", window=WINDOW)


@pytest.fixture(scope="module")
def start(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("align-start") / "static"
    save_static(new_vectors(len(tokenizer), HIDDEN, 0), tokenizer, folder, ["de", "en"])
    return folder


@pytest.fixture(scope="module")
def pairs(data: Path, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> TokenPairs:
    cache = tmp_path_factory.mktemp("align-cache") / "tokens"
    files = find_files(str(data), ())
    return load_pairs(files, tokenizer.backend_tokenizer, cache, max_tokens=WINDOW - 2, tell=silence)


@pytest.fixture
def config(data: Path, start: Path, tmp_path: Path) -> AlignConfig:
    return AlignConfig(
        data=str(data),
        output=str(tmp_path / "model"),
        start=str(start),
        hold_out=("kept",),
        hidden=HIDDEN,
        heads=4,
        layers=2,
        inner=64,
        window=WINDOW,
        max_tokens=WINDOW,
        static_pairs=1200,
        static_batch=100,
        static_rate=2e-2,
        pairs=1000,
        batch=100,
        rate=2e-3,
        warmup=2,
        group=10,
        precision="fp32",
    )


@pytest.fixture
def network(tokenizer: Any) -> Network:
    """Weights far from the static start, so that every one of them matters."""
    torch.manual_seed(0)
    bert = BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=HIDDEN,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=WINDOW,
            type_vocab_size=1,
            pad_token_id=0,
            initializer_range=0.2,
        ),
        add_pooling_layer=False,
    ).eval()
    dense = torch.nn.Linear(HIDDEN, HIDDEN)
    return Network(bert, dense, cls=tokenizer.cls_token_id, sep=tokenizer.sep_token_id, max_tokens=WINDOW)


def texts_of(lengths: list[int], vocabulary: int, seed: int = 0) -> Tokens:
    ids = np.random.default_rng(seed).integers(5, vocabulary, sum(lengths))
    return Tokens(ids, np.array(lengths))


def reference(network: Network, texts: Tokens) -> torch.Tensor:
    """The same with transformers' own forward pass, one text at a time and so without any padding."""
    rows = []
    for first, length in zip(texts.starts, texts.lengths, strict=True):
        kept = texts.ids[first : first + min(length, network.max_tokens - 2)]
        ids = torch.tensor([[network.cls, *kept.tolist(), network.sep]])
        states = network.bert(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        rows.append(torch.tanh(network.dense(states[:, 0])))
    return torch.nn.functional.normalize(torch.cat(rows), dim=1)


# The corpus


def test_pairs_are_what_the_files_say(pairs: TokenPairs, data: Path, tokenizer: Any) -> None:
    assert len(pairs) == 800 and pairs.source_names == ("german", "kept", "russian")
    assert np.bincount(pairs.sources).tolist() == [400, 100, 300]
    first = (data / "german.tsv").read_text("utf-8").split("\n")[0].split("\t")
    for side, text in zip(pairs.sides, first[2:], strict=True):
        expected = tokenizer(text, add_special_tokens=False)["input_ids"][: WINDOW - 2]
        assert side.ids[: side.lengths[0]].tolist() == expected
    assert pairs.keys[0].tolist() == [text_key(first[2]), text_key(first[3])]
    assert [pairs.language_names[number] for number in pairs.languages[0]] == ["en", "de"]
    assert max(side.lengths.max() for side in pairs.sides) <= WINDOW - 2


def test_the_cache_serves_until_files_or_vocabulary_are_others(data: Path, tokenizer: Any, tmp_path: Path) -> None:
    said: list[str] = []
    files = [tmp_path / name for name in ("german.tsv", "kept.tsv")]
    for file in files:
        file.write_bytes((data / file.name).read_bytes())

    def tokenizes(max_tokens: int = 22, vocabulary: Any = tokenizer) -> bool:
        said.clear()
        load_pairs(files, vocabulary.backend_tokenizer, tmp_path / "cache", max_tokens=max_tokens, tell=said.append)
        return any(line.startswith("tokenized") for line in said)

    assert tokenizes() and not tokenizes()
    assert tokenizes(max_tokens=10) and tokenizes()
    same_size = files[0].read_text("utf-8").replace("katze", "hunde")
    files[0].write_text(same_size, "utf-8")
    assert tokenizes() and not tokenizes()
    assert tokenizes(vocabulary=train_vocabulary(iter(ENGLISH * 9), size=60, pieces="unigram", window=WINDOW))
    assert not list(tmp_path.glob("*.part"))


def test_a_cache_folder_with_other_things_in_it_is_left_alone(data: Path, tokenizer: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", "utf-8")
    with pytest.raises(UserError, match="holds something else"):
        load_pairs([data / "kept.tsv"], tokenizer.backend_tokenizer, tmp_path, max_tokens=22, tell=silence)
    assert (tmp_path / "thesis.txt").exists()


# The batches


def drawn(sampler: BatchSampler, count: int) -> list[Batch]:
    batches = sampler.batches()
    return [next(batches)[0] for _ in range(count)]


def test_what_is_held_out_is_never_drawn_and_weights_are_kept(pairs: TokenPairs) -> None:
    weights = pairs.weights({"german": 0.5, "kept": 0.0, "russian": 2.0})
    sampler = BatchSampler(pairs, weights, batch=40, seed=0)
    rows = np.concatenate([sampler.rows_of_pass(number).reshape(-1) for number in range(20)])
    counts = np.bincount(pairs.sources[rows], minlength=3) / 20
    assert counts[1] == 0
    assert 170 < counts[0] < 210 and 560 < counts[2] <= 600  # of 400 and 300, less what fills no batch


def test_hard_groups_are_neighbours_and_the_rest_is_from_everywhere(pairs: TokenPairs) -> None:
    groups = (pairs.sources * 7).astype(np.int32)
    weights = pairs.weights({"german": 1, "kept": 1, "russian": 1})
    sampler = BatchSampler(pairs, weights, batch=40, seed=0, hard=0.5, group=10, groups=groups)
    rows = sampler.rows_of_pass(0)
    assert rows.shape[1] == 40 and len(rows) >= 18 and len(np.unique(rows)) == rows.size
    kinds = [len(set(groups[run])) for run in rows[:, :20].reshape(-1, 10)]
    assert np.mean(np.array(kinds) == 1) > 0.9  # a run may lie across the border of two groups
    assert np.mean([len(set(groups[row])) for row in rows[:, 20:]]) > 2


def test_neighbours_share_words(tokenizer: Any, tmp_path: Path) -> None:
    rows = [f"en\tde\tsea river water {word}\tx\n" for word in ENGLISH[6:]] * 60
    rows += [f"en\tde\tcat dog house {word}\tx\n" for word in ENGLISH[6:]] * 60
    (tmp_path / "a.tsv").write_text("".join(rows), "utf-8")
    pairs = load_pairs([tmp_path / "a.tsv"], tokenizer.backend_tokenizer, tmp_path / "c", max_tokens=22, tell=silence)
    groups = find_groups(pairs.sides[0], new_vectors(len(tokenizer), HIDDEN, 0), seed=0)
    halves = set(groups[:600].tolist()), set(groups[600:].tolist())
    assert not halves[0] & halves[1]


def test_crops_keep_the_order_and_something(pairs: TokenPairs) -> None:
    rows = np.arange(len(pairs))
    side = pairs.sides[0]
    generator = np.random.default_rng(0)
    whole, span, half = (take(side, rows, np.full(len(rows), kind), generator) for kind in (WHOLE, SPAN, HALF))
    assert np.array_equal(whole.lengths, side.lengths) and np.array_equal(whole.ids, side.ids)
    for row in rows:
        text, cut, thinned = (
            part.ids[part.starts[row] : part.starts[row] + part.lengths[row]].tolist() for part in (whole, span, half)
        )
        if len(text) <= 6:
            assert cut == thinned == text
            continue
        assert 3 <= len(cut) <= 0.7 * len(text)
        assert any(text[at : at + len(cut)] == cut for at in range(len(text)))
        rest = iter(text)
        assert thinned and thinned[0] == text[0] and all(token in rest for token in thinned)  # a subsequence
    long = side.lengths > 6
    assert 0.4 < half.lengths[long].sum() / side.lengths[long].sum() < 0.65


def test_one_side_of_a_share_of_the_pairs_is_cropped(pairs: TokenPairs) -> None:
    sampler = BatchSampler(pairs, np.ones(len(pairs), np.float32), batch=100, seed=0, cuts=Cuts(0.4, 0.4))
    shortened, long = np.zeros(2), np.zeros(2)
    for batch in drawn(sampler, 40):
        lengths = [side.lengths[batch.rows] for side in pairs.sides]
        cut = [texts.lengths < whole for texts, whole in zip((batch.sources, batch.targets), lengths, strict=True)]
        assert not (cut[0] & cut[1]).any()
        shortened += [one.sum() for one in cut]
        long += [(one > 6).sum() for one in lengths]
    assert np.allclose(shortened / long, 0.2, atol=0.03)


def rows_of(tokens: Tokens) -> list[list[int]]:
    return [tokens.ids[start : start + n].tolist() for start, n in zip(tokens.starts, tokens.lengths, strict=True)]


def test_a_question_misses_a_span_and_has_frequent_words_before_it(pairs: TokenPairs) -> None:
    rows = np.arange(len(pairs))
    side = pairs.sides[0]
    generator = np.random.default_rng(0)
    kept = take(side, rows, np.full(len(rows), QUESTION), generator)
    whole = rows_of(take(side, rows, np.full(len(rows), WHOLE), generator))
    for text, left in zip(whole, rows_of(kept), strict=True):
        if len(text) <= SHORT:
            assert left == text
            continue
        rest = iter(text)
        assert left and len(left) < len(text) and all(token in rest for token in left)
    long = side.lengths > SHORT
    assert 0.35 < kept.lengths[long].sum() / side.lengths[long].sum() < 0.65
    fillers = np.full((len(rows), 5), 7)
    asked = rows_of(ask(kept, long, fillers, generator))
    for is_long, left, put in zip(long, rows_of(kept), asked, strict=True):
        more = len(put) - len(left)
        assert 1 <= more <= 4 if is_long else more == 0
        assert put == [7] * more + left


def test_fillers_are_of_the_language_and_never_of_what_is_held_out(pairs: TokenPairs) -> None:
    is_drawn = pairs.sources != pairs.source_names.index("kept")
    fillers = make_fillers(pairs, is_drawn, seed=0)
    assert fillers.shape[0] == len(pairs.language_names)
    german = pairs.language_names.index("de")
    own = {
        token
        for number, side in enumerate(pairs.sides)
        for row in np.flatnonzero((pairs.languages[:, number] == german) & is_drawn)
        for token in side.ids[side.starts[row] : side.starts[row] + side.lengths[row]].tolist()
    }
    assert set(fillers[german].tolist()) <= own


def test_a_passage_is_a_text_among_its_neighbours(pairs: TokenPairs) -> None:
    rows = np.arange(len(pairs))
    side = pairs.sides[1]
    generator = np.random.default_rng(0)
    whole = take(side, rows, np.full(len(rows), WHOLE), generator)
    chosen = generator.random(len(rows)) < 0.5
    texts, found = rows_of(whole), rows_of(among_neighbours(pairs, 1, rows, whole, chosen, generator))
    grown = 0
    for row, passage in enumerate(found):
        if not chosen[row] or len(passage) == len(texts[row]):
            assert passage == texts[row]
            continue
        grown += 1
        near = [at for at in range(max(0, row - 2), min(len(rows), row + 3)) if pairs.sources[at] == pairs.sources[row]]
        runs = [sum((texts[at] for at in part), []) for part in parts_with(row, near)]
        assert passage in runs and len(passage) <= 110
    assert grown > 0.2 * len(rows)


def parts_with(row: int, near: list[int]) -> list[list[int]]:
    """The ways to keep `row` and one or two others of `near`, in order."""
    others = [at for at in near if at != row]
    return [sorted([row, *some]) for n in (1, 2) for some in combinations(others, n)]


def test_words_that_match_lower_the_loss_of_reach() -> None:
    words = torch.zeros(8, 5)
    words[torch.arange(8), 1 + torch.arange(8) % 4] = 1.0  # tokens i and i + 4 point the same way
    sources = Tokens(np.array([0, 1, 2, 3]), np.array([2, 2]))
    right, wrong = Tokens(np.array([4, 5, 6, 7]), np.array([2, 2])), Tokens(np.array([6, 7, 4, 5]), np.array([2, 2]))
    keys = np.array([[0, 1], [2, 3]])
    losses = [float(reach_loss(words, sources, targets, keys, 20.0)) for targets in (right, wrong)]
    assert losses[0] < 1e-3 < 10 < losses[1]
    assert float(reach_loss(words, sources, wrong, np.array([[0, 1], [0, 3]]), 20.0)) < 1e-3  # equal: no negatives


def test_the_loss_of_reach_is_that_of_the_search() -> None:
    generator = torch.Generator().manual_seed(0)
    words = torch.randn(30, 9, generator=generator)
    random = np.random.default_rng(0)
    sides = [Tokens(random.integers(0, 30, int(n.sum())), n) for n in (np.array([3, 5, 2]), np.array([4, 1, 6]))]
    rows = words.numpy()
    known = [
        [TokenVectors(np.array(text), normalize(rows[:, 1:]), np.exp(rows[:, 0])) for text in rows_of(side)]
        for side in sides
    ]
    forth = np.stack([Passages(known[1]).reach(one) for one in known[0]])
    back = np.stack([Passages(known[0]).reach(one) for one in known[1]])
    own = torch.arange(3)
    expected = sum(float(torch.nn.functional.cross_entropy(20 * torch.from_numpy(part), own)) for part in (forth, back))
    keys = np.arange(6).reshape(3, 2)
    assert float(reach_loss(words, sides[0], sides[1], keys, 20.0)) == pytest.approx(expected, rel=0.02)  # bfloat16


def test_dictionaries_are_grouped_by_languages(
    pairs: TokenPairs, config: AlignConfig, tokenizer: Any, tmp_path: Path
) -> None:
    weights = pairs.weights({"german": 1, "kept": 1, "russian": 1})
    run = Run(replace(config, dictionaries=("here/kept.tsv",)), tmp_path, pairs, weights, "cpu", silence)
    groups = neighbour_groups(run, new_vectors(len(tokenizer), HIDDEN, 0))
    is_word = pairs.sources == pairs.source_names.index("kept")
    assert len(set(groups[is_word])) == 1 and len(set(groups[~is_word])) == 2
    assert not set(groups[is_word]) & set(groups[~is_word])
    assert np.array_equal(groups, neighbour_groups(run, torch.zeros(0)))  # kept on the disk


def test_a_position_is_all_that_is_needed_to_go_on(pairs: TokenPairs) -> None:
    def sampler() -> BatchSampler:
        weights = pairs.weights({"german": 1, "kept": 0, "russian": 0.5})
        return BatchSampler(pairs, weights, batch=64, seed=5, cuts=Cuts(0.5, 0.5, 0.5, 0.3))

    batches = sampler().batches()
    seen = [next(batches) for _ in range(20)]  # two passes and more
    again = sampler().batches(seen[12][1])
    for (expected, at), (batch, position) in zip(seen[13:], again, strict=False):
        assert at == position and np.array_equal(expected.rows, batch.rows)
        assert np.array_equal(expected.sources.ids, batch.sources.ids)
        assert np.array_equal(expected.targets.lengths, batch.targets.lengths)
    assert not np.array_equal(seen[0][0].rows, seen[8][0].rows)


def test_equal_texts_are_no_negatives() -> None:
    """Two pairs with one source: with the mask the loss is that of a model that need not tell them apart."""
    vectors = torch.nn.functional.normalize(torch.randn(6, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    table = StaticTable(vectors)
    sources, targets = Tokens(np.array([0, 0, 1]), np.ones(3, np.int64)), Tokens(np.array([2, 3, 4]), np.ones(3, int))

    def loss(keys: Any) -> float:
        return float(
            objective(table, Batch(np.arange(3), sources, targets, keys), Plan("", 3, 3, 20.0, 0.1, 0)).detach()
        )

    found = loss(np.array([[9, 1], [9, 2], [8, 3]]))

    x, y = vectors[[0, 0, 1]].double(), vectors[[2, 3, 4]].double()
    logits = 20 * (x @ y.T - 0.1 * torch.eye(3))
    masked = torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=torch.bool)
    expected = sum(
        torch.nn.functional.cross_entropy(one.masked_fill(masked, -torch.inf), torch.arange(3))
        for one in (logits, logits.T)
    )
    assert found == pytest.approx(float(expected), abs=1e-5)
    assert loss(np.array([[9, 1], [7, 2], [8, 3]])) > found + 0.5


# The models


def test_the_network_is_transformers_bert(network: Network) -> None:
    """Lengths from 1 to beyond the window, so chunks have padding and long texts are cut."""
    texts = texts_of([5, 1, 22, 9, 40, 6, 13, 7, 8, 2, 21, 20], len(network.words))
    assert any(chunk.has_padding for chunk in network._chunks(texts)[1])
    with torch.no_grad():
        found, expected = network(texts), reference(network, texts)
    assert torch.allclose(found, expected, atol=1e-5) and float(found.std()) > 0.05


def test_its_gradients_are_those_of_transformers_bert(network: Network) -> None:
    texts = texts_of([5, 1, 22, 9, 6, 13], len(network.words), seed=1)
    towards = torch.randn(6, HIDDEN, generator=torch.Generator().manual_seed(2))
    gradients = []
    for forward in (network, lambda tokens: reference(network, tokens)):
        network.zero_grad(set_to_none=True)
        (forward(texts) * towards).sum().backward()
        gradients.append({name: parameter.grad for name, parameter in network.named_parameters()})
    for name, gradient in gradients[0].items():
        expected = gradients[1][name]
        assert gradient is not None and expected is not None, name
        assert torch.allclose(gradient, expected, atol=1e-5), name


def test_in_bfloat16_it_is_nearly_the_same(network: Network) -> None:
    texts = texts_of([5, 22, 9, 6, 13], len(network.words))
    with torch.no_grad():
        exact = network(texts)
        network.dtype = torch.bfloat16
        rounded = network(texts)
    assert rounded.dtype == torch.float32 and not torch.equal(exact, rounded)
    assert float((exact * rounded).sum(1).min()) > 0.99


def test_it_begins_as_the_static_model(tokenizer: Any) -> None:
    vectors = new_vectors(len(tokenizer), 64, 1) * torch.rand(len(tokenizer), 1).add(0.5)
    network = build_network(
        vectors, tokenizer, layers=2, heads=4, inner=128, window=WINDOW, max_tokens=WINDOW, precision="fp32", seed=0
    )
    texts = texts_of([3, 8, 5, 12, 7, 9], len(tokenizer))
    with torch.no_grad():
        one, other = network(texts), StaticTable(vectors)(texts)
    upper = torch.triu_indices(6, 6, 1)
    likeness = torch.stack([(one @ one.T)[*upper], (other @ other.T)[*upper]])
    assert float(torch.corrcoef(likeness)[0, 1]) > 0.9


def test_reweighing_keeps_directions_and_favours_rare_words() -> None:
    vectors = torch.tensor([[4.0, 0], [0, 4.0], [0.5, 0]])
    found = reweigh(vectors, np.array([1000, 10, 10]))
    assert torch.allclose(torch.nn.functional.normalize(found, dim=1), torch.nn.functional.normalize(vectors, dim=1))
    lengths = found.norm(dim=1)
    assert lengths[1] > 1.5 * lengths[0] and 1 < lengths[1] / lengths[2] < 8


def test_the_saved_folder_gives_the_same_vectors_everywhere(network: Network, tokenizer: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_network(network, tokenizer, folder, ["de", "en"])
    texts = ["cat dog sea", "katze", "ночь день город мост рынок", "salt"]
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    flat = Tokens(np.array([token for row in ids for token in row]), np.array([len(row) for row in ids]))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
        expected = network(flat).numpy()
    model = SentenceTransformer(str(folder), device="cpu")
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert np.allclose(model.encode(texts), expected, atol=1e-5)
    encoder = load_encoder(str(folder), precision="fp32")
    assert isinstance(encoder, SmallEncoder) and encoder.languages == ("de", "en")
    assert encoder.tokenizer.max_tokens == WINDOW
    assert isinstance(encoder, TokenEncoder)  # its word table says which words weigh what
    assert np.allclose(encoder.encode(texts), expected, atol=1e-5)
    listed = json.loads((folder / "modules.json").read_text("utf-8"))
    assert [module["type"].rsplit(".", 1)[1] for module in listed] == ["Transformer", "Pooling", "Dense", "Normalize"]
    weights = (folder / "model.safetensors").stat().st_size
    assert weights < 2.2 * sum(parameter.numel() for parameter in model[0].parameters()) + 5000  # halves
    assert (folder / "model.safetensors").stat().st_mode == (folder / "modules.json").stat().st_mode
    assert not list(tmp_path.glob("model.bert*"))


def test_the_shipped_size_fits_and_is_told_rightly(network: Network) -> None:
    shipped = megabytes(64_000, hidden=256, layers=4, inner=1024, window=128)
    assert shipped + 4.3 < 45  # with its tokenizer
    own = 2 * sum(parameter.numel() for parameter in network.parameters()) / 1e6
    found = megabytes(len(network.words), hidden=HIDDEN, layers=3, inner=64, window=WINDOW)
    assert found == pytest.approx(own, rel=1e-6)


# Whole runs


def accuracy(folder: Path, data: Path) -> float:
    rows = [line.split("\t") for line in (data / "kept.tsv").read_text("utf-8").splitlines()]
    rows = list({row[2]: row for row in rows}.values())
    encoder = load_encoder(str(folder), precision="fp32")
    sources, targets = (encode_texts(encoder, [row[at] for row in rows]) for at in (2, 3))
    return float(((sources @ targets.T).argmax(1) == np.arange(len(rows))).mean())


def test_a_run_learns_and_leaves_a_whole_folder(config: AlignConfig, data: Path, start: Path) -> None:
    said: list[str] = []
    result = align(config, say=said.append)
    assert result.path == Path(config.output) and not result.interrupted
    assert accuracy(result.path, data) > accuracy(start, data) + 0.5
    history = [json.loads(line) for line in (result.path / "run" / "history.jsonl").read_text("utf-8").splitlines()]
    assert [entry["phase"] for entry in history] == ["static"] * 12 + ["transformer"] * 10
    assert json.loads((result.path / "labse.json").read_text("utf-8")) == {
        "languages": ["de", "en", "ru"],
        "weighed_words": True,
    }
    assert "| kept | 100 | 0 |" in (result.path / "README.md").read_text("utf-8")
    assert any("kept, held out" in line for line in said)
    assert any(line.startswith("transformer: step 1 of 10") and "pairs/s" in line for line in said)
    assert not result.path.with_name("model.partial").exists()


def test_a_share_of_the_start_is_kept() -> None:
    begun, trained = {"a": torch.tensor([0.0, 2.0])}, {"a": torch.tensor([1.0, 4.0])}
    assert averaged(trained, begun, 0.25)["a"].tolist() == [0.75, 3.5]
    assert averaged(trained, begun, 0.0)["a"].tolist() == [1.0, 4.0]


def interrupt_at(beginning: str) -> Callable[[str], None]:
    def say(line: str) -> None:
        if line.startswith(beginning):
            os.kill(os.getpid(), signal.SIGINT)

    return say


def test_stopped_in_both_phases_is_the_same_as_not_stopped(config: AlignConfig, tmp_path: Path) -> None:
    short = replace(config, static_pairs=600, pairs=600)
    whole = align(short)
    parts = replace(short, output=str(tmp_path / "parts"))
    for phase in ("static", "transformer"):
        stopped = align(parts, say=interrupt_at(f"{phase}: step 1 of"))
        assert stopped.interrupted and (stopped.path / f"{phase}.checkpoint").is_file()
        with open(stopped.path / "run" / "history.jsonl", "a", encoding="utf-8") as history:  # as a killed run would
            history.write(json.dumps({"phase": phase, "step": 2, "loss": 99.0}) + '\n{"phase": "st')
        assert not Path(parts.output).exists()
    with pytest.raises(UserError, match=r"had another --margin \(0.1\)"):
        align(replace(parts, margin=0.2))
    said: list[str] = []
    resumed = align(parts, say=said.append)
    assert "transformer: going on from step 1" in said and not any(line.startswith("tokenized") for line in said)
    histories = [(made.path / "run" / "history.jsonl").read_text("utf-8") for made in (whole, resumed)]
    assert histories[0] == histories[1] and histories[0].count("\n") == 12
    one, other = (SentenceTransformer(str(made.path), device="cpu").state_dict() for made in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_plan_ends_by_pairs_or_by_time() -> None:
    by_pairs = Plan("static", batch=10, pairs=105, scale=20, margin=0.1, warmup=4)
    assert by_pairs.steps == 10 and by_pairs.done(5, 1e9) == 0.5 and by_pairs.done(11, 0) == 1
    assert [by_pairs.factor(step, 0) for step in (0, 3, 5, 10)] == [0.25, 0.7, 0.5, 0]
    by_time = replace(by_pairs, minutes=2)
    assert by_time.done(0, 30) == 0.25 and by_time.done(0, 500) == 1 and by_time.factor(99, 60) == 0.5


def test_other_pairs_are_not_gone_on_with(config: AlignConfig, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("german.tsv", "kept.tsv"):
        (folder / name).write_bytes((data / name).read_bytes())
    own = replace(config, data=str(folder))
    align(own, say=interrupt_at("static: step 1 of"))
    with open(folder / "german.tsv", "a", encoding="utf-8") as more:
        more.write("en\tde\tcat\tkatze\n")
    with pytest.raises(UserError, match="pairs have changed"):
        align(own)


def test_what_an_interrupted_run_left_can_be_thrown_away(config: AlignConfig) -> None:
    align(config, say=interrupt_at("static: step 1 of"))
    said: list[str] = []
    align(replace(config, resume="none", margin=0.2, layers=0), say=said.append)
    assert not any("going on" in line for line in said)


def test_by_time_and_from_the_start_as_it_is(config: AlignConfig) -> None:
    result = align(replace(config, static_pairs=0, minutes=0.002))
    history = [json.loads(line) for line in (result.path / "run" / "history.jsonl").read_text("utf-8").splitlines()]
    assert history and {entry["phase"] for entry in history} == {"transformer"}


def test_the_command_says_what_is_wrong_and_how_it_ended(
    config: AlignConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0 and "--hold-out X" in capsys.readouterr().out
    assert main(["--output", config.output]) == 2
    assert capsys.readouterr().err.startswith("error: --data: name the folder")
    given = f"--data {config.data} --hidden 32 --heads 4 --layers 0 --vocabulary 100 --static-batch 50 --window 64"
    assert main([*given.split(), "--static-pairs", "200", "--output", config.output, "--weights", "german=0.5"]) == 0
    assert f"written to {config.output}" in capsys.readouterr().out


def test_without_a_start_the_vocabulary_is_made_too(config: AlignConfig, data: Path) -> None:
    own = replace(config, start="", vocabulary=150, vocabulary_texts=500, layers=0, static_rate=0.0)
    result = align(own)
    assert load_encoder(str(result.path)).describe().startswith("static table")
    assert accuracy(result.path, data) > 0.4  # of about 100 texts
    assert not list(result.path.parent.glob("model.p*"))


def test_a_cache_is_kept_and_dictionaries_are_a_source(config: AlignConfig, tmp_path: Path) -> None:
    words = tmp_path / "words.tsv"
    words.write_text("".join(f"en\tde\t{one}\t{other}\n" for one, other in zip(ENGLISH, GERMAN, strict=True)), "utf-8")
    said: list[str] = []
    given = replace(
        config, dictionaries=(str(words),), weights=("words=3",), cache=str(tmp_path / "cache"), layers=1, pairs=200
    )
    result = align(given, say=said.append)
    assert "  words, weight 3" in said and "tokenized words: 16 pairs" in said
    assert "| words | 16 | 3 |" in (result.path / "README.md").read_text("utf-8")
    said.clear()
    align(replace(given, output=str(tmp_path / "second")), say=said.append)
    assert not any(line.startswith("tokenized") for line in said)


def test_it_can_be_measured_before_and_after(config: AlignConfig, tmp_path: Path) -> None:
    folder = tmp_path / "sets" / "tatoeba"
    folder.mkdir(parents=True)
    rows = [line.split("\t") for line in dict.fromkeys(lines("de", GERMAN, 60, 9))]
    (folder / "tatoeba.deu-eng.tsv").write_text("".join(f"de\ten\t{r[3].strip()}\t{r[2]}\n" for r in rows), "utf-8")
    said: list[str] = []
    result = align(replace(config, evaluate=str(tmp_path / "sets")), say=said.append)
    measured = json.loads((result.path / "run" / "metrics.json").read_text("utf-8"))["measured"]
    assert set(measured) == {"tatoeba"} and any("Tatoeba" in line and "model 2" in line for line in said)


def test_nothing_is_written_in_a_dry_run(config: AlignConfig) -> None:
    said: list[str] = []
    align(replace(config, dry_run=True), say=said.append)
    assert any(line.startswith("transformer: 2 layers × 32, 1,000 pairs in batches of 100") for line in said)
    assert list(Path(config.output).parent.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"output": ""}, "--output"),
        ({"data": ""}, "--data"),
        ({"data": "no/such/folder"}, "no .tsv"),
        ({"dictionaries": ("nowhere.tsv",)}, "no such file"),
        ({"hold_out": ("tico19",)}, "--hold-out tico19: there is no such source. There are german, kept, russian"),
        ({"hold_out": ("german", "kept", "russian")}, "nothing to train on"),
        ({"weights": ("german",)}, "write SOURCE=WEIGHT"),
        ({"weights": ("german=-1",)}, "expected 0 to 100"),
        ({"start": "no/such/model"}, "no model there"),
        ({"hidden": 64}, "the vectors of --start have 32"),
        ({"heads": 5}, "does not divide"),
        ({"max_tokens": 99}, "expected 3 to --window"),
        ({"hard": 2.0}, "expected a share"),
        ({"pairs": 50}, "do not fill one --batch"),
        ({"static_pairs": 5000, "static_batch": 5000}, "do not fill a batch of 5000"),
        ({"static_pairs": 0, "start": ""}, "name it by --start"),
        ({"evaluate": "."}, "neither tatoeba/ nor xquad_r/"),
    ],
)
def test_what_a_person_can_fix_is_said(config: AlignConfig, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        align(replace(config, **changes))


def test_a_line_with_other_columns_is_named(config: AlignConfig, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "odd.tsv").write_text("en\tde\tcat\tkatze\ncat\tkatze\n", "utf-8")
    with pytest.raises(UserError, match=r"odd.tsv, line 2: 2 columns"):
        align(replace(config, data=str(folder), hold_out=()))


def test_an_existing_folder_is_never_overwritten(config: AlignConfig) -> None:
    Path(config.output).mkdir()
    with pytest.raises(UserError, match="exists already"):
        align(config)


# Dictionaries


def test_freedict_entries() -> None:
    entry = "Abblaserohr /apbl/ <neut, n, sg>\n [techn.] blow-off pipe <n>, vent\n         Note: metallurgy\n see: {x}"
    assert dictionaries.freedict_entry(entry) == ("Abblaserohr", ["blow-off pipe", "vent"])
    senses = "Arabian //əˈɹeɪ.bi.ən// <n>\n1. arabialainen 2\nhorse\n2. arabi\nperson\n"
    assert dictionaries.freedict_entry(senses) == ("Arabian", ["arabialainen", "arabi"])
    text = b"00-database-info\nabout\nArab strap /x/ <n>\nerektiorengas\nsex toy\n"
    at = text.index(b"Arab")
    index = ["00-database-info\tA\tX", f"Arab strap\t{base64_number(at)}\t{base64_number(len(text) - at)}"]
    assert list(dictionaries.freedict_words(index, text)) == [("Arab strap", "erektiorengas")]


def base64_number(value: int) -> str:
    letters = {number: letter for letter, number in dictionaries.DIGITS.items()}
    return (base64_number(value // 64) if value >= 64 else "") + letters[value % 64]


def test_edict_and_cedict_lines() -> None:
    edict = [
        "うっぷ /(n) (on-mim) burp/belch/EntL1/",
        "言葉 [ことば] /(n) language/word/words/speech/(P)/",
        "# comment",
    ]
    assert list(dictionaries.edict_words(edict)) == [
        ("burp", "うっぷ"), ("belch", "うっぷ"), ("language", "言葉"), ("word", "言葉"), ("words", "言葉"),
    ]  # fmt: skip
    cedict = ["# CC-CEDICT", "貓 猫 [mao1] /cat; kitty/CL:隻|只[zhi1]/(coll.) modem/", "張 张 [Zhang1] /surname Zhang/"]
    assert list(dictionaries.cedict_words(cedict)) == [("cat", "猫"), ("kitty", "猫")]


def test_apertium_transducers() -> None:
    """kat<n>/gato<n>, kat alone/gata, and a loop that ends; equal words and numbers are dropped."""
    moves = ["0\t1\tk\tg", "1\t2\ta\ta", "2\t3\tt\tt", "3\t4\t<n>\to", "4\t5\tε\t<n>", "3\t6\tε\ta", "5\t5\t<n>\tε"]
    moves += ["0\t7\tn\tn", "7\t8\to\to", "0\t9\tv\ta", "9\t10\tu\t_", "10\t11\t@0@\tb"]
    printed = "\n".join(["\t".join([*move.split("\t"), "0.0"]) for move in moves] + ["5\t0.0", "6\t0.0", "8", "11"])
    assert list(dictionaries.apertium_words(printed)) == [("kat", "gata"), ("kat", "gato"), ("vu", "a b")]


def test_patterns_of_names_are_not_expanded() -> None:
    moves = [f"0\t1\t{letter}\t{letter}" for letter in "abcdefgh"] + ["1\t2\t_\t_", "2\t3\tL\th", "3\t4\tt\tf"]
    printed = "\n".join(["\t".join([*move.split("\t"), "0.0"]) for move in moves] + ["4\t0.0"])
    assert list(dictionaries.apertium_words(printed)) == [("a Lt", "a hf"), ("b Lt", "b hf"), ("c Lt", "c hf")]


def test_what_the_tests_hold_is_left_out_and_english_comes_first(tmp_path: Path) -> None:
    for part in ("test/tatoeba", "test/xquad_r", "dev"):
        (tmp_path / part).mkdir(parents=True)
    with lzma.open(tmp_path / "test" / "tatoeba" / "a.tsv.xz", "wt", encoding="utf-8") as packed:
        packed.write("de\ten\tHund!\tDog.\n")
    (tmp_path / "dev" / "dev.en-de.tsv").write_text("en\tde\thouse\tHaus\n", "utf-8")
    question = {"questions": [{"id": "1", "text": "What?"}], "context": "cat"}
    (tmp_path / "test" / "xquad_r" / "en.jsonl").write_text(json.dumps(question) + "\n", "utf-8")
    given = [
        ("de", "en", "hund", "hound"),
        ("de", "en", "Katze", "cat"),
        ("en", "de", "cat", "KATZE"),
        ("en", "de", "what", "was"),
        ("en", "de", "house", "Heim"),
        ("en", "ar", "Water", "ماء"),
        ("en", "de", "...", "Punkte"),
    ]
    kept, removed = dictionaries.select(given, dictionaries.test_keys(tmp_path))
    assert kept == [("en", "de", "cat", "Katze"), ("en", "ar", "water", "ماء")] and removed == 3


def test_no_language_pair_has_more_than_its_share() -> None:
    many = [("de", "fr", f"a{n}", f"b{n}") for n in range(dictionaries.WITHOUT_ENGLISH + 5)]
    capped = dictionaries.cap([*many, ("en", "de", "cat", "Katze")], seed=0)
    assert len(capped) == dictionaries.WITHOUT_ENGLISH + 1 and len(set(capped)) == len(capped)
    assert capped == dictionaries.cap([*many, ("en", "de", "cat", "Katze")], seed=0)
