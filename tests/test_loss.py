"""The loss against its definition, against sentence-transformers', and against itself in other numbers of processes."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing
import torch.nn.functional as F
from ranks import CASES, ROWS, Case, build, features, keys, make_loss, one_process, taught, texts, work
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from tiny import make_tiny_labse

from labse_search.corpora.text_keys import text_key
from labse_search.training.losses import AdditiveMarginRankingLoss, CachedAdditiveMarginRankingLoss
from labse_search.training.teacher import Distillation


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With pooling by mean: the [CLS] vectors of random weights are nearly all one, their gradients rounding noise."""
    return make_tiny_labse(tmp_path_factory.mktemp("models") / "tiny-mean", pooling="mean")


@pytest.fixture(scope="module")
def processes(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what real gloo processes computed, in groups of three and of two."""
    out = tmp_path_factory.mktemp("ranks")
    # The server of forks imports the heavy packages once, for all three; it computes nothing, so its forks are safe.
    multiprocessing.set_forkserver_preload(["ranks", "sentence_transformers", "labse_search.training.losses"])
    torch.multiprocessing.start_processes(work, args=(str(tiny_model), str(out)), nprocs=3, start_method="forkserver")
    return out


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_many_processes_equal_one(processes: Path, tiny_model: Path, world: int, case: Case) -> None:
    expected = one_process(tiny_model, case, world)
    ranks = [torch.load(processes / f"{world}-{rank}-{case.name}.pt") for rank in range(world)]
    # float64 is the proof. float32 sums in another order in each process: 1.1e-6 was seen on AVX512 without bfloat16.
    tolerance = 1e-10 if case.dtype == torch.float64 else 1e-5
    mean_loss = torch.stack([rank["loss"] for rank in ranks]).mean()
    assert relative(mean_loss, expected["loss"]) < tolerance
    assert expected["gradients"], "no gradient at all"
    largest = max(float(gradient.abs().max()) for gradient in expected["gradients"].values())
    for rank in ranks:
        assert rank["gradients"].keys() == expected["gradients"].keys()
        for name, gradient in expected["gradients"].items():
            assert float((rank["gradients"][name] - gradient).abs().max()) < tolerance * max(1.0, largest), name
        for name, weight in expected["weights"].items():
            assert float((rank["weights"][name] - weight).abs().max()) < 1e-10, name


@pytest.mark.parametrize("world", [2, 3])
def test_uneven_shards_raise_on_every_process(processes: Path, world: int) -> None:
    for rank in range(world):
        message = torch.load(processes / f"{world}-{rank}-uneven.pt")
        assert f"[{ROWS - 1}, {ROWS}" in message


def test_it_is_the_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    source, target, negative = (torch.randn(5, 8, generator=generator, dtype=torch.float64) for _ in range(3))
    loss = AdditiveMarginRankingLoss(torch.nn.Identity(), scale=30.0, margin=0.2)
    x, y, z = F.normalize(source), F.normalize(target), F.normalize(negative)
    expected = torch.zeros((), dtype=torch.float64)
    for i in range(5):
        positive = 30 * (x[i] @ y[i] - 0.2)
        forward = [30 * (x[i] @ y[j]) for j in range(5) if j != i] + [30 * (x[i] @ z[j]) for j in range(5)]
        backward = [30 * (y[i] @ x[j]) for j in range(5) if j != i]
        expected += torch.logsumexp(torch.stack([positive, *forward]), 0) - positive
        expected += torch.logsumexp(torch.stack([positive, *backward]), 0) - positive
    assert relative(loss.compute_loss_from_embeddings([source, target, negative], None), expected / 5) < 1e-12


def test_without_margin_it_is_the_symmetric_loss_of_sentence_transformers(vectors: list[torch.Tensor]) -> None:
    theirs = MultipleNegativesRankingLoss(
        torch.nn.Identity(), scale=20, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
    )
    mean = AdditiveMarginRankingLoss(torch.nn.Identity(), scale=20, margin=0.0, reduction="mean")
    total = AdditiveMarginRankingLoss(torch.nn.Identity(), scale=20, margin=0.0, reduction="sum")
    expected = theirs.compute_loss_from_embeddings(vectors, None)
    assert relative(mean.compute_loss_from_embeddings(vectors, None), expected) < 1e-12
    assert relative(total.compute_loss_from_embeddings(vectors, None), 2 * expected) < 1e-12


def test_the_derivative_by_the_margin(vectors: list[torch.Tensor]) -> None:
    scale, margin = 20.0, torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    loss = AdditiveMarginRankingLoss(torch.nn.Identity(), scale=scale, margin=margin)
    loss.compute_loss_from_embeddings(vectors, None).backward()
    x, y = (F.normalize(column) for column in vectors)
    logits = scale * (x @ y.T - 0.3 * torch.eye(len(x), dtype=torch.float64))
    forward, backward = logits.softmax(1).diagonal().mean(), logits.softmax(0).diagonal().mean()
    assert relative(margin.grad, scale * (2 - forward - backward)) < 1e-12


def test_gradcheck(vectors: list[torch.Tensor]) -> None:
    loss = AdditiveMarginRankingLoss(torch.nn.Identity(), scale=5.0)
    small = [column[:3, :4].clone().requires_grad_() for column in vectors]
    assert torch.autograd.gradcheck(lambda *columns: loss.compute_loss_from_embeddings(list(columns), None), small)


def test_sources_and_targets_are_exchangeable_and_lengths_do_not_matter(vectors: list[torch.Tensor]) -> None:
    loss = AdditiveMarginRankingLoss(torch.nn.Identity())
    value = loss.compute_loss_from_embeddings(vectors, None)
    assert relative(loss.compute_loss_from_embeddings(vectors[::-1], None), value) < 1e-12
    assert relative(loss.compute_loss_from_embeddings([3 * vectors[0], vectors[1] / 7], None), value) < 1e-12
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    assert relative(loss.compute_loss_from_embeddings([c[order] for c in vectors], None), value) < 1e-12


@pytest.mark.parametrize("column", [0, 1], ids=["equal sources", "equal targets"])
def test_equal_texts_add_no_negative(vectors: list[torch.Tensor], column: int) -> None:
    """Row 5 has the text of row 2 in one column: neither is a negative of the other, in either direction."""
    ids = torch.arange(12).reshape(2, 6).T.clone()
    ids[5, column] = ids[2, column]
    loss = AdditiveMarginRankingLoss(torch.nn.Identity(), scale=20.0)
    x, y = (F.normalize(c) for c in vectors)
    logits = 20 * (x @ y.T - 0.3 * torch.eye(6, dtype=torch.float64))
    logits[2, 5] = logits[5, 2] = -torch.inf
    expected = -(logits.log_softmax(1).diagonal() + logits.log_softmax(0).diagonal()).mean()
    masked = loss.compute_loss_from_embeddings(vectors, ids)
    assert relative(masked, expected) < 1e-12
    assert masked < loss.compute_loss_from_embeddings(vectors, None)


def test_a_hard_negative_that_is_the_target_of_its_row_is_masked(vectors: list[torch.Tensor]) -> None:
    ids = torch.arange(18).reshape(3, 6).T.clone()
    ids[1, 2] = ids[1, 1]
    columns = [*vectors, vectors[1].flip(0)]
    loss = AdditiveMarginRankingLoss(torch.nn.Identity(), scale=20.0)
    x, y, z = (F.normalize(c) for c in columns)
    forward = 20 * torch.cat([x @ y.T - 0.3 * torch.eye(6, dtype=torch.float64), x @ z.T], 1)
    forward[1, 6 + 1] = -torch.inf
    backward = 20 * (y @ x.T - 0.3 * torch.eye(6, dtype=torch.float64))
    expected = -(forward.log_softmax(1).diagonal() + backward.log_softmax(1).diagonal()).mean()
    assert relative(loss.compute_loss_from_embeddings(columns, ids), expected) < 1e-12


def test_text_keys_ignore_case_spacing_and_punctuation() -> None:
    assert text_key("Tom  came home!") == text_key("tom came home")
    assert text_key("Tom came home") != text_key("Tom went home")
    assert text_key("!!") != text_key("??") and 0 <= text_key("") < 2**63


def test_logits_stay_float32_under_bfloat16() -> None:
    generator = torch.Generator().manual_seed(1)
    source = torch.randn(64, 32, generator=generator)
    target = source + 0.3 * torch.randn(64, 32, generator=generator)
    loss = AdditiveMarginRankingLoss(torch.nn.Identity())
    exact = loss.compute_loss_from_embeddings([source, target], None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = loss.compute_loss_from_embeddings([source, target], None)
    assert under.dtype == torch.float32 and torch.equal(under, exact)


def test_the_cached_twin_is_the_plain_loss(tiny_model: Path) -> None:
    columns = texts(0, 1)
    values: list[tuple[torch.Tensor, dict[str, Any]]] = []
    for cached in (False, True):
        case = Case(torch.float64, cached, 1)
        model = build(tiny_model, case)
        loss = make_loss(model, case)(features(model, columns), keys(columns))
        loss.backward()
        values.append((loss.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}))
    assert relative(values[1][0], values[0][0]) < 1e-10
    for name, gradient in values[0][1].items():
        assert float((values[1][1][name] - gradient).abs().max()) < 1e-9, name


def test_texts_of_like_length_together_are_the_plain_loss(tiny_model: Path) -> None:
    columns = texts(0, 1)
    model = build(tiny_model, Case(torch.float64, False, 1))
    widths: list[int] = []
    model[0].register_forward_pre_hook(lambda _, inputs: widths.append(inputs[0]["input_ids"].shape[1]))
    found = []
    for together in (0, 3):
        model.zero_grad()
        widths.clear()
        kind = AdditiveMarginRankingLoss(model, scale=1.0, margin=0.3, mini_batch_size=together)
        loss = kind(features(model, columns), keys(columns))
        loss.backward()
        found.append((loss.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}))
    assert len(widths) == 6 and len(set(widths)) > 1  # three columns of three texts and one, the short ones narrow
    assert relative(found[1][0], found[0][0]) < 1e-10
    for name, gradient in found[0][1].items():
        assert float((found[1][1][name] - gradient).abs().max()) < 1e-9, name


@pytest.mark.parametrize(("cached", "together"), [(False, 0), (False, 3), (True, 3)])
def test_the_anchor_adds_the_distance_to_the_base(tiny_model: Path, cached: bool, together: int) -> None:
    case, columns = Case(torch.float64, cached, 0), texts(0, 0)
    model, base = build(tiny_model, case), build(tiny_model, case).eval()
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))

    def anchor(batch: list[dict[str, Any]]) -> list[torch.Tensor]:
        with torch.no_grad():
            return [base(column)["sentence_embedding"] for column in batch]

    kind = CachedAdditiveMarginRankingLoss if cached else AdditiveMarginRankingLoss
    without = kind(model)(features(model, columns), keys(columns))
    loss = kind(model, anchor=anchor, anchor_weight=2.0, mini_batch_size=together)(
        features(model, columns), keys(columns)
    )
    with torch.no_grad():
        now = [model(column)["sentence_embedding"] for column in features(model, columns)]
        then = [base(column)["sentence_embedding"] for column in features(model, columns)]
        distance = sum((1 - F.cosine_similarity(a, b)).mean() for a, b in zip(now, then, strict=True)) / 2
    assert distance > 1e-4
    assert relative(loss.detach() - without.detach(), 2 * torch.as_tensor(distance)) < 1e-9
    loss.backward()


@pytest.mark.parametrize("cached", [False, True])
def test_the_teachers_part_is_its_definition(tiny_model: Path, cached: bool) -> None:
    case, columns = Case(torch.float64, cached, 0), texts(0, 0)
    model = build(tiny_model, case)
    kind = CachedAdditiveMarginRankingLoss if cached else AdditiveMarginRankingLoss
    lesson = Distillation(taught, vector_weight=2.0, similarity_weight=3.0, scale=4.0)
    alone = kind(model, pair_weight=0.0, distillation=lesson, mini_batch_size=3)
    loss = alone(features(model, columns), keys(columns))
    with torch.no_grad():
        x, y = (F.normalize(model(column)["sentence_embedding"]) for column in features(model, columns))
    t = taught(keys(columns))
    expected = 2 * ((1 - (x * t).sum(1)) + (1 - (y * t).sum(1))).mean()
    goal = torch.softmax(4 * t @ t.T, 1)
    for now in (torch.softmax(4 * x @ y.T, 1), torch.softmax(4 * y @ x.T, 1)):
        expected = expected + 3 * (goal * (goal / now).log()).sum(1).mean()
    assert relative(loss.detach(), expected) < 1e-9
    loss.backward()
    with pytest.raises(ValueError, match="text keys"):
        alone(features(model, columns), None)


@pytest.fixture
def vectors() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(6, 10, generator=generator, dtype=torch.float64) for _ in range(2)]


def relative(value: torch.Tensor, expected: torch.Tensor) -> float:
    return float((value - expected).abs() / expected.abs().clamp_min(1e-300))
