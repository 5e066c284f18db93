"""The evaluation tasks on small data in their published layouts, and the command with --json."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lexicon import make_lexicon_model, random_concepts, sentence

from labse_search.corpora.aligned import read_aligned_sets, read_tatoeba
from labse_search.evaluate.__main__ import main
from labse_search.evaluate.read import read_paragraphs
from labse_search.evaluate.report import Report, Section, render
from labse_search.evaluate.tatoeba import GROUP_14, GROUP_36, NOT_IN_LASER, is_trained
from labse_search.languages import find_language


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lexicon_model(tmp_path_factory.mktemp("models") / "lexicon", noise=0.5)


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lexicon_model(tmp_path_factory.mktemp("models") / "worse", noise=2.0)


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = lzma.open(path, "wt", encoding="utf-8") if path.suffix == ".xz" else path.open("w", encoding="utf-8")
    with opened as file:
        file.write("\n".join(lines) + "\n")


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    assert main([*(str(argument) for argument in arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def rows_of(found: Any, title: str, model: int = 0) -> Any:
    sections = found["models"][model]["sections"]
    return next(rows for name, rows in sections.items() if name.startswith(title))


def write_tatoeba(folder: Path) -> None:
    """German in LASER's layout, French and Russian as packed TSV."""
    concepts = random_concepts(50, seed=0)
    english = [sentence("en", words) for words in concepts]
    write_lines(folder / "tatoeba.deu-eng.deu", [sentence("de", words) for words in concepts])
    write_lines(folder / "tatoeba.deu-eng.eng", english)
    french = [f"fr\ten\t{sentence('fr', words)}\t{text}" for words, text in zip(concepts, english, strict=True)]
    write_lines(folder / "tatoeba.fra-eng.tsv.xz", french)
    nonsense = [
        f"cha\ten\t{sentence('ru', words)}\t{text}" for words, text in zip(concepts[::-1], english, strict=True)
    ]
    write_lines(folder / "tatoeba.cha-eng.tsv.xz", nonsense)


def test_tatoeba_in_both_layouts(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tatoeba(tmp_path)
    sets = read_tatoeba(tmp_path)
    assert {code: len(one) for code, one in sets.items()} == {"cha": 50, "deu": 50, "fra": 50}
    assert sets["deu"].targets == sets["fra"].targets
    found = run_json(capsys, "tatoeba", tmp_path, "--model", model)
    languages = rows_of(found, "Tatoeba, accuracy")
    assert languages["deu"]["xx→en"] > 80 and languages["fra"]["en→xx"] > 80
    assert languages["cha"]["xx→en"] < 20
    groups = rows_of(found, "Tatoeba, mean")
    assert groups["14 (m~USE)"]["languages"] == 2
    assert groups["14 (m~USE)"]["xx→en"] == pytest.approx((languages["deu"]["xx→en"] + languages["fra"]["xx→en"]) / 2)
    assert groups["82 (LASER)"]["languages"] == 2  # Chamorro is none of LASER's
    assert groups["trained"]["languages"] == 2 and groups["not trained"]["languages"] == 1
    assert {row.get("model") for row in found["published"]} >= {"LASER", "LaBSE", "LEALLA-base"}


def test_the_groups_are_those_of_the_papers() -> None:
    assert (len(GROUP_14), len(GROUP_36), len(NOT_IN_LASER)) == (14, 36, 29)
    assert len(GROUP_14 - GROUP_36) == 1  # Polish is m~USE's but not XTREME's
    assert all(find_language(code) for code in GROUP_36)
    assert is_trained("heb", ("iw",)) and is_trained("nob", ("no",)) and is_trained("ceb", ("ceb",))
    assert not is_trained("deu", ("en",))


def test_two_models_stand_side_by_side(
    tmp_path: Path, model: Path, worse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tatoeba(tmp_path / "data")
    arguments = ["tatoeba", tmp_path / "data", "--languages", "de,fra", "--model", worse, "--model", model]
    assert main([*map(str, arguments), "--plot", str(tmp_path / "plots")]) == 0
    printed = capsys.readouterr().out
    assert "model 1" in printed and "model 2" in printed
    assert "95 % interval" in printed and "a gain" in printed
    assert "arXiv 2007.01852" in printed
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "plots").iterdir())
    assert len(list((tmp_path / "plots").iterdir())) == 2
    differences = run_json(capsys, *arguments)["differences"]
    assert differences[0]["low"] > 0


def test_pairs_of_your_own(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    concepts = random_concepts(30, seed=1)
    plain = [f"{sentence('de', words)}\t{sentence('en', words)}\t0.9" for words in concepts]
    write_lines(tmp_path / "mine.tsv", plain)
    coded = [
        f"en\t{code}\t{sentence('en', words)}\t{sentence(code, words)}" for words in concepts for code in ("de", "fr")
    ]
    write_lines(tmp_path / "folder" / "both.tsv.xz", coded)
    assert [one.name for one in read_aligned_sets(str(tmp_path / "folder" / "both.tsv.xz"))] == [
        "both en-de",
        "both en-fr",
    ]
    found = rows_of(run_json(capsys, "pairs", tmp_path / "mine.tsv", tmp_path / "folder", "--model", model), "Pairs")
    assert found["mine"]["pairs"] == 30 and found["both en-fr"]["pairs"] == 30
    assert found["mean of 3"]["pairs"] == 90
    assert found["mine"]["forward"] > 80


def test_files_of_one_name_are_measured_each(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["a/de/x.tsv", "b/de/x.tsv", "b/fr/x.tsv", "b/fr/x.csv", "b/y.tsv"]
    for length, name in enumerate(files, start=21):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        comma = "," if name.endswith("csv") else "\t"
        lines = [sentence("de", words) + comma + sentence("en", words) for words in random_concepts(length, seed=1)]
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    given = [tmp_path / name for name in files]
    found = rows_of(run_json(capsys, "pairs", *given, given[4], "--model", model), "Pairs")
    pairs = {name: row["pairs"] for name, row in found.items()}
    assert pairs.pop("mean of 6") == 21 + 22 + 23 + 24 + 25 + 25
    assert pairs == {"a/de/x": 21, "b/de/x": 22, "b/fr/x": 23, "b/fr/x (2)": 24, "y": 25, "y (2)": 25}


def test_lists_beside_named_pairs_are_no_pairs(tmp_path: Path) -> None:
    write_lines(tmp_path / "dev.en-de.tsv", ["yes\tja"])
    write_lines(tmp_path / "dev_sources.tsv", ["de\twiki\t900"])
    assert [one.name for one in read_aligned_sets(str(tmp_path))] == ["dev.en-de"]


def write_paragraphs(folder: Path, languages: tuple[str, ...]) -> None:
    """20 paragraphs of two sentences and a question to the second sentence of each, in every language."""
    first, second = random_concepts(20, seed=2), random_concepts(20, seed=3)
    for language in languages:
        rows = [
            {
                "paragraph": f"title/{i}",
                "context": f"{sentence(language, first[i])}. {language.upper()} {sentence(language, second[i])}.",
                "questions": [{"id": f"q{i}", "text": sentence(language, second[i][:5]), "answer": "", "start": 0}],
            }
            for i in range(20)
        ]
        write_lines(folder / f"{language}.jsonl.xz", [json.dumps(row, ensure_ascii=False) for row in rows])


def test_xquad_same_across_and_pooled(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_paragraphs(tmp_path, ("en", "de", "fr"))
    found = run_json(capsys, "retrieval", tmp_path, "--model", model, "--bm25")
    table = rows_of(found, "XQuAD-R, question")
    assert table["same language"]["R@1"] >= table["across languages"]["R@1"] > 50
    assert table["across languages"]["R@3"] >= table["across languages"]["R@1"]
    words_only = rows_of(found, "XQuAD-R, question", model=1)
    assert words_only["same language"]["R@1"] > 90
    assert words_only["across languages"]["R@1"] < 20
    pool, words_pool = rows_of(found, "XQuAD-R, one pool"), rows_of(found, "XQuAD-R, one pool", model=1)
    gap = "gap, same language − other languages (points)"
    assert words_pool[gap]["%"] > 80 > pool[gap]["%"]
    own, others = (name for name in pool if "among the first L" in name)
    assert pool[gap]["%"] == pytest.approx(pool[own]["%"] - pool[others]["%"], abs=0.01)
    assert found["models"][0]["facts"]["pool"] == "20 paragraphs a language, 60 in all"


def test_the_pool_metrics_by_hand() -> None:
    from labse_search.evaluate.xquad import _judge

    # Two languages of two paragraphs: columns own0 own1 other0 other1; the question asks for paragraph 0.
    scores = np.array([[0.9, 0.3, 0.2, 0.8]], dtype=np.float32)
    precision, first_right, first_own, own, others, cosine, other_cosine = _judge(scores, np.array([0]), 0, 2, 2)
    assert precision[0] == pytest.approx((1 / 1 + 2 / 4) / 2)  # right ones at ranks 1 and 4
    assert (first_right[0], first_own[0], own[0], others[0]) == (1, 1, 1, 0)
    assert (cosine[0], other_cosine[0]) == pytest.approx((0.9, 0.2))


def test_paragraphs_that_do_not_belong_together_are_refused(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_paragraphs(tmp_path, ("en", "de"))
    lines = lzma.open(tmp_path / "de.jsonl.xz", "rt", encoding="utf-8").read().splitlines()
    write_lines(tmp_path / "de.jsonl.xz", lines[::-1])
    assert main(["retrieval", str(tmp_path), "--model", str(model)]) == 2
    assert "are not those of" in capsys.readouterr().err


def test_beir_layout(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    concepts = random_concepts(40, seed=4)
    documents = [{"_id": f"d{i}", "title": "", "text": sentence("de", words)} for i, words in enumerate(concepts)]
    write_lines(tmp_path / "corpus.jsonl", [json.dumps(row) for row in documents])
    queries = [{"_id": f"q{i}", "text": sentence("en", words[:5])} for i, words in enumerate(concepts)]
    write_lines(tmp_path / "queries.jsonl", [json.dumps(row) for row in queries])
    judgements = ["query-id\tcorpus-id\tscore", *(f"q{i}\td{i}\t1" for i in range(20)), "q1\td2\t0"]
    write_lines(tmp_path / "qrels" / "test.tsv", judgements)
    found = run_json(capsys, "retrieval", tmp_path, "--model", model, "--languages", "de")
    row = rows_of(found, "Retrieval")[tmp_path.name]
    assert row["R@1"] > 80 and row["R@100"] == 100
    assert found["models"][0]["facts"]["queries"] == 20


def test_bucc_rows(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = random_concepts(40, seed=5)
    german = [sentence("de", words) for words in both + random_concepts(60, seed=6)]
    english = [sentence("en", words) for words in both + random_concepts(60, seed=7)]
    for language, texts in (("de", german), ("en", [*english, english[0]])):
        lines = [f"{language}-{i}\t{text}" for i, text in enumerate(texts)]
        write_lines(tmp_path / "bucc" / f"de-en.training.{language}", lines)
    write_lines(tmp_path / "bucc" / "de-en.training.gold", [f"de-{i}\ten-{i}" for i in range(40)])
    found = run_json(capsys, "bucc", tmp_path / "bucc", "--model", model)
    rows = rows_of(found, "BUCC, de-en.training")
    assert rows["ratio margin, max"]["recall"] == 97.5  # the repeated English sentence is left out
    assert rows["ratio margin, max"]["F1"] >= rows["cosine, forward"]["F1"]
    assert set(rows) >= {"cosine, backward", "ratio margin, forward", "ratio margin, intersection"}
    assert "100 × 99, gold 40" in found["models"][0]["facts"]["pool"]


def test_un_sentences_and_documents(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    concepts = random_concepts(60, seed=8)
    english = [sentence("en", words) for words in concepts] + [sentence("en", concepts[0])]
    french = [sentence("fr", words) for words in concepts] + [sentence("fr", concepts[0])]
    write_lines(tmp_path / "un.en", english)
    write_lines(tmp_path / "un.fr", french)
    write_lines(tmp_path / "un.ids", [f"doc{i // 6}.xml {i}:{i}" for i in range(61)])
    arguments = ["un", tmp_path / "un.en", tmp_path / "un.fr", "--documents", tmp_path / "un.ids", "--pools", "20,500"]
    found = run_json(capsys, *arguments, "--model", model)
    rows = rows_of(found, "UN")
    assert rows["sentences"]["pool"] == 60  # the repeated sentence is one candidate
    assert rows["sentences, pool of 20"]["forward"] >= rows["sentences"]["forward"] > 80
    assert rows["documents"] == {"forward": 100, "backward": 100, "pool": 11, "pool back": 11}
    assert "60 × 60 distinct sentences" in found["models"][0]["facts"]["pool"]


def test_un_documents_between_empty_lines(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    concepts = random_concepts(9, seed=9)
    for language in ("en", "fr"):
        lines = [sentence(language, words) for words in concepts]
        write_lines(tmp_path / language, [*lines[:3], "", *lines[3:5], "", *lines[5:]])
    rows = rows_of(run_json(capsys, "un", tmp_path / "en", tmp_path / "fr", "--model", model), "UN")
    assert rows["documents"]["pool"] == 3 and rows["sentences"]["pool"] == 9


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["tatoeba", str(tmp_path)],
        ["retrieval", str(tmp_path)],
        ["pairs", str(tmp_path / "no.tsv")],
        ["bucc", str(tmp_path)],
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1


def test_a_table_leaves_a_dash_where_nothing_was_measured() -> None:
    section = Section("T", ("a", "b"), {"row": (1.0, None)})
    assert "row  1.0  -" in render([Report("t", "m", (section,))])


@pytest.mark.slow
def test_the_static_starter_on_real_data(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    starter = shared / "models" / "starter"
    found = run_json(capsys, "tatoeba", shared / "data" / "test" / "tatoeba", "--model", starter)
    groups = rows_of(found, "Tatoeba, mean")
    assert groups["14 (m~USE)"]["xx→en"] == pytest.approx(86.7, abs=0.2)
    assert groups["all"]["languages"] == 112
    paragraphs = shared / "data" / "test" / "xquad_r"
    assert len(read_paragraphs(paragraphs)) == 12
    table = rows_of(run_json(capsys, "retrieval", paragraphs, "--languages", "en,de", "--model", starter), "XQuAD-R, q")
    assert table["same language"]["R@1"] == pytest.approx(68, abs=2)
