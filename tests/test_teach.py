"""What a person teaches: the review list, its precision, judged answers, and what comes out of them."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labse_search.teach
from indexer.archive import backup, restore
from labse_search.corpora.pairs import read_pairs
from labse_search.corpora.written import write_pairs
from labse_search.errors import UserError
from labse_search.library import Library
from labse_search.records import Pair
from labse_search.store.edge.client import EdgeStore
from labse_search.teach import Teaching, estimate_precision, split_of
from labse_search.teach.__main__ import main
from labse_search.teach.judgements import question_id, was_trained_on
from labse_search.teach.pairs import Imported, pair_key


def numbered(n: int, *, first: int = 0) -> list[Pair]:
    """Pairs with scores from 1 down to 0."""
    return [Pair(f"source {i}", f"target {i}", 1 - i / n, "en", "de") for i in range(first, n)]


def old_file(home: Path, version: int, rows: list[tuple[str, list[tuple[Any, ...]]]]) -> None:
    """What people said in a program of before."""
    versions = Path(labse_search.teach.__file__).parent / "schema"
    with closing(sqlite3.connect(home / "teach.sqlite3")) as old:
        old.create_function("pair_key", 2, pair_key)
        for number in range(1, version + 1):
            old.executescript((versions / f"{number}.sql").read_text())
        for statement, values in rows:
            old.executemany(statement, values)
        old.execute(f"PRAGMA user_version = {version}")
        old.commit()


def test_pairs_added_again_keep_their_verdict(tmp_path: Path) -> None:
    teaching = Teaching(tmp_path)
    assert teaching.pairs.add("docs", numbered(10)) == 10
    teaching.pairs.judge(teaching.pairs.all("docs")[0].id, "wrong")
    assert teaching.pairs.add("docs", [*numbered(10), Pair("new", "neu", 0.5)]) == 1
    rows = teaching.pairs.all("docs")
    assert rows[0].verdict == "wrong" and len(rows) == 11
    assert teaching.pairs.all("other") == []
    assert Teaching(tmp_path).pairs.all("docs") == rows  # another process sees the same


def test_a_pair_is_one_pair_in_either_direction(tmp_path: Path) -> None:
    pairs = Teaching(tmp_path).pairs
    pairs.add("docs", [Pair("Ein Haus.", "A house.", 1.1, "de", "en"), Pair("Ein Hund", "A dog", 1.2, "de", "en")])
    pairs.judge(pairs.all("docs")[1].id, "wrong")
    turned = [Pair("A  house", "Ein\nHaus", 1.3, "en", "de"), Pair("A cat", "Eine Katze", 1.0, "en", "de")]
    assert pairs.add("docs", turned) == 1  # another language is the more frequent one now
    rows = pairs.all("docs")
    assert [(row.pair.source, row.pair.score, row.verdict) for row in rows] == [
        ("Ein Haus.", 1.3, "wrong"),
        ("Ein Hund", 1.2, ""),
        ("A cat", 1.0, ""),
    ]
    # Two languages are one language pair to whoever trains, whichever way round each pair was found.
    pairs.judge(rows[0].id, "right")
    assert {(one.source_language, one.target_language) for one in pairs.kept("docs", 0)} == {("de", "en")}
    assert pairs.kept("docs", 0)[2] == Pair("Eine Katze", "A cat", 1.0, "de", "en")
    pairs.add("docs", [Pair("A bird", "Ein Vogel")], "measure")
    pairs.add("docs", [Pair("Ein Vogel", "A bird")], "measure")
    assert [one.source for one in pairs.to_measure("docs")] == ["A bird"]


@pytest.mark.parametrize("kind", ["tsv", "tmx"])
def test_what_was_exported_comes_back_with_its_scores(tmp_path: Path, kind: str) -> None:
    pairs, file = Teaching(tmp_path / "home").pairs, tmp_path / f"pairs.{kind}"
    mined = [Pair("Ein Satz", "A sentence", 1.21, "de", "en"), Pair("Noch einer", "Another", 1.04, "de", "en")]
    pairs.add("docs", mined)
    write_pairs(file, pairs.kept("docs", 0))
    assert pairs.take_in("docs", file) == Imported(2, 0)
    assert pairs.take_in("other", file, threshold=1.1) == Imported(1, 1)
    assert [row.pair for row in pairs.all("docs")] == mined
    assert [row.pair.score for row in pairs.all("other")] == [1.21]


def test_a_file_without_scores_leaves_those_that_are_there(tmp_path: Path) -> None:
    pairs = Teaching(tmp_path / "home").pairs
    pairs.add("docs", [Pair("Ein Satz", "A sentence", 1.21)])
    plain = tmp_path / "plain.tsv"
    plain.write_text("A sentence\tEin Satz\nAnother\tNoch einer\n", encoding="utf-8")
    assert pairs.take_in("docs", plain) == Imported(2, 1)
    assert [row.pair.score for row in pairs.all("docs")] == [1.21, 1.0]
    # What is no number is no score, and spoils none.
    odd = tmp_path / "odd.tsv"
    odd.write_text("Ein Satz\tA sentence\tnan\nNoch einer\tAnother\t1.1\nA b\tC d\tinf\n", encoding="utf-8")
    assert pairs.take_in("docs", odd) == Imported(3, 1)
    assert [row.pair.score for row in pairs.all("docs")] == [1.21, 1.1, 1.0]
    sides = '<tuv xml:lang="en"><seg>{}</seg></tuv><tuv xml:lang="de"><seg>{}</seg></tuv>'
    units = [
        f'<tu><prop type="x-score">{score}</prop>{sides.format(*texts)}</tu>'
        for score, *texts in [("1.3", "A sentence", "Ein Satz"), ("nan", "Another", "Noch einer")]
    ]
    (tmp_path / "odd.tmx").write_text(f"<tmx><body>{''.join(units)}</body></tmx>", encoding="utf-8")
    pairs.take_in("docs", tmp_path / "odd.tmx")
    assert [row.pair.score for row in pairs.all("docs")] == [1.3, 1.1, 1.0]


def test_lists_of_before_have_each_pair_once_with_what_was_said_last(tmp_path: Path) -> None:
    rows = [  # id, source, target, verdict, added, purpose
        (1, "Ein Haus", "A house", "wrong", 1.0, "train"),
        (2, "A house", "Ein Haus", "", 2.0, "train"),
        (3, "Ein Hund", "A dog", "wrong", 1.0, "train"),
        (4, "A dog", "Ein Hund", "right", 2.0, "train"),
        (5, "A cat", "Eine Katze", "right", 1.0, "train"),
        (6, "Eine Katze", "A cat", "", 2.0, "measure"),
        (7, "A bird", "Ein Vogel", "", 1.0, "train"),
    ]
    said = [(1, "wrong"), (4, "skip"), (3, "wrong"), (4, "right"), (5, "right")]
    old_file(
        tmp_path,
        2,
        [
            ("INSERT INTO pairs VALUES (?, 'docs', ?, ?, 'x', 'y', 1.0, ?, ?, ?)", rows),
            ("INSERT INTO verdicts (pair, before, verdict, given) VALUES (?, '', ?, 0)", said),
        ],
    )
    pairs = Teaching(tmp_path).pairs
    assert {row.pair.source: row.verdict for row in pairs.all("docs")} == {
        "Ein Haus": "wrong",
        "A dog": "right",
        "A bird": "",
    }
    assert [row.verdict for row in pairs.all("docs", "measure")] == ["right"]
    assert pairs.add("docs", [Pair("Ein Vogel", "A bird")]) == 0
    assert [pairs.undo("docs"), pairs.undo("docs")] == [4, 4]


def test_a_verdict_outlives_the_pair_that_nobody_judged_in_another_collection(tmp_path: Path) -> None:
    teaching, other = Teaching(tmp_path / "here"), Teaching(tmp_path / "there")
    for home in (teaching, other):
        home.pairs.add("docs", [Pair("Ein Haus", "A house"), Pair("Ein Hund", "A dog")])
        home.pairs.judge(home.pairs.all("docs")[0].id, "wrong")
    teaching.pairs.add("both", [Pair("A house", "Ein Haus"), Pair("A dog", "Ein Hund")])
    dog = next(row for row in teaching.pairs.all("both") if row.pair.source == "A dog")
    teaching.pairs.judge(dog.id, "right")
    teaching.move("docs", "both")
    assert {row.pair.target: row.verdict for row in teaching.pairs.all("both")} == {
        "A house": "wrong",
        "Ein Hund": "right",
    }
    teaching.pairs.add("third", [Pair("A house", "Ein Haus"), Pair("A dog", "Ein Hund")])
    teaching.bring(other, "docs", "third")
    assert [row.verdict for row in teaching.pairs.all("third")] == ["wrong", ""]


def test_pairs_to_measure_on_are_never_trained_on(tmp_path: Path) -> None:
    pairs = Teaching(tmp_path).pairs
    pairs.add("docs", numbered(4))
    pairs.add("docs", [Pair("source 1", "target 1"), Pair("known", "bekannt")], "measure")
    assert [one.source for one in pairs.to_measure("docs")] == ["source 1", "known"]
    pairs.add("docs", numbered(4))  # found again
    assert [one.source for one in pairs.kept("docs", 0)] == ["source 0", "source 2", "source 3"]
    pairs.judge(pairs.all("docs")[0].id, "right")
    assert (pairs.clear("docs", "train"), pairs.clear("docs", "measure")) == (2, 2)
    assert [row.pair.source for row in pairs.all("docs")] == ["source 0"]  # what was judged stays


def test_pairs_to_measure_on_go_back_to_where_they_came_from(tmp_path: Path) -> None:
    pairs = Teaching(tmp_path).pairs
    pairs.add("docs", numbered(4))
    right, wrong, *_ = pairs.all("docs")
    pairs.judge(right.id, "right")
    pairs.judge(wrong.id, "wrong")
    pairs.add("docs", numbered(4), "measure")
    assert len(pairs.to_measure("docs")) == 3  # nobody measures on what a person called wrong
    assert [row.verdict for row in pairs.all("docs")] == ["wrong"]
    assert pairs.undo("docs") == wrong.id  # and not the verdict on a pair that the list does not show
    assert pairs.undo("docs") is None
    assert pairs.clear("docs", "measure") == 3
    assert [row.verdict for row in pairs.all("docs")] == ["right", ""] and pairs.to_measure("docs") == []
    assert pairs.undo("docs") == right.id
    pairs.add("docs", numbered(4))
    assert len(pairs.all("docs")) == 4


def test_undo_takes_verdicts_back_one_by_one(tmp_path: Path) -> None:
    pairs = Teaching(tmp_path).pairs
    pairs.add("docs", numbered(3))
    one, other, _ = pairs.all("docs")
    pairs.judge(one.id, "right")
    pairs.judge(one.id, "wrong")
    pairs.judge(other.id, "skip")
    assert pairs.undo("docs") == other.id
    assert pairs.undo("docs") == one.id
    assert pairs.all("docs")[0].verdict == "right"
    assert pairs.undo("docs") == one.id
    assert pairs.undo("docs") is None
    with pytest.raises(UserError, match="no pair number 999"):
        pairs.judge(999, "right")


def test_difficult_pairs_come_first_but_every_stratum_has_its_turn(tmp_path: Path) -> None:
    pairs = Teaching(tmp_path).pairs
    pairs.add("docs", numbered(200))
    shown = [row.pair.score for row in pairs.to_review("docs", 0.5, limit=40)]
    near = [score for score in shown if 0.4 <= score < 0.6]
    assert len(near) > 25
    assert any(score > 0.9 for score in shown)
    first = pairs.to_review("docs", 0.5, limit=1)[0]
    pairs.judge(first.id, "right")
    assert pairs.to_review("docs", 0.5, limit=1)[0].id != first.id


def test_what_is_kept_leaves_out_what_was_called_wrong(tmp_path: Path) -> None:
    pairs = Teaching(tmp_path).pairs
    pairs.add("docs", numbered(10))
    rows = pairs.all("docs")
    pairs.judge(rows[0].id, "wrong")
    pairs.judge(rows[9].id, "right")
    assert [pair.source for pair in pairs.kept("docs", 0.75)] == ["source 1", "source 2", "source 9"]


def test_precision_is_estimated_without_the_bias_of_difficult_pairs_first(tmp_path: Path) -> None:
    inside, errors = 0, []
    for seed in range(8):
        teaching = Teaching(tmp_path / str(seed))
        rng = np.random.default_rng(seed)
        teaching.pairs.add("docs", numbered(300))
        rows = {row.id: row for row in teaching.pairs.all("docs")}
        kept = [row for row in rows.values() if row.pair.score >= 0.5]
        right = {row.id for row in kept if rng.random() < row.pair.score}  # easy ones are right more often
        true = len(right) / len(kept)
        for row in teaching.pairs.to_review("docs", 0.5, limit=90):
            teaching.pairs.judge(row.id, "right" if row.id in right else "wrong")
        found = estimate_precision(teaching.pairs.all("docs"), 0.5)
        inside += found.low <= true <= found.high
        errors.append(found.precision - true)
    assert inside >= 7
    assert abs(np.mean(errors)) < 0.06


def test_nothing_reviewed_means_that_nothing_is_known(tmp_path: Path) -> None:
    pairs = Teaching(tmp_path).pairs
    pairs.add("docs", numbered(50))
    found = estimate_precision(pairs.all("docs"), 0.0)
    assert found.reviewed == 0 and found.high - found.low > 0.4
    assert estimate_precision([], 0.0).kept == 0


def test_questions_are_split_for_good_and_only_one_half_is_trained_on(tmp_path: Path) -> None:
    teaching = Teaching(tmp_path)
    questions = [f"What is number {i}?" for i in range(40)]
    for question in questions:
        teaching.judgements.put("docs", question, "d:0-9", f"answer to {question}", answers=True)
        teaching.judgements.put("docs", question, "d:9-20", "something else", answers=False)
    training = {one.source for one in teaching.judgements.training_pairs("docs")}
    verdict = {one.text for one in teaching.judgements.questions("docs", "verdict")}
    assert training | verdict == set(questions) and not training & verdict
    assert 10 <= len(training) <= 30
    asked = [f"Who is number {i}" for i in range(20)]
    assert all(split_of(f"  {one.upper()}{sign}") == split_of(one) for one in asked for sign in ("", "?", " ?", "!"))


def test_a_question_that_a_model_was_trained_on_never_judges_it(tmp_path: Path) -> None:
    """Also one of before, when a question mark could put it into the other half, and one that was taken back since."""
    asked = [f"Who is number {i}" for i in range(30)]
    signs = [*asked, *(f"{one}?" for one in asked)]
    old_file(
        tmp_path,
        3,
        [
            ("INSERT INTO questions VALUES (?, 'docs', ?, 1.0)", [(question_id(one), one) for one in signs]),
            (
                "INSERT INTO judgements VALUES ('docs', ?, 'd:0-9', ?, 1, 1.0)",
                [(question_id(one), f"answer to {one}") for one in signs],
            ),
        ],
    )
    taken_back = next(text for i in range(99) if split_of(text := f"What was {i}") == "verdict")
    (tmp_path / "tuned" / "20260101-000000-abcdef").mkdir(parents=True)
    given = f"und\tund\t{taken_back}?\tthe answer\n"
    (tmp_path / "tuned" / "20260101-000000-abcdef" / "questions.tsv").write_text(given, encoding="utf-8")
    teaching = Teaching(tmp_path)
    halves = {one.text: one.split for one in teaching.judgements.questions("docs")}
    trained_on = {one for one in signs if was_trained_on(one)}
    assert trained_on and all(halves[one] == "training" for one in trained_on)
    assert all(halves[one] == halves[f"{one}?"] for one in asked) and "verdict" in halves.values()
    assert {one.source for one in teaching.judgements.training_pairs("docs")} == {
        one for one, half in halves.items() if half == "training"
    }
    judgements = teaching.judgements
    for question in (taken_back, next(one for one in trained_on if split_of(one) == "verdict")):
        judgements.take_back("docs", question, "d:0-9")
        judgements.put("docs", f"{question} ?", "d:0-9", "an answer", answers=True)
        judgements.put("other", question, "d:0-9", "an answer", answers=True)
        assert {one.split for one in judgements.questions("other")} == {"training"}
        assert f"{question} ?" in {one.text for one in judgements.questions("docs", "training")}
    elsewhere = Teaching(tmp_path / "elsewhere")
    elsewhere.judgements.put("docs", taken_back, "d:0-9", "an answer", answers=True)
    assert elsewhere.judgements.questions("docs", "training") == []
    elsewhere.bring(teaching, "docs", "docs")
    assert taken_back in {one.text for one in elsewhere.judgements.questions("docs", "training")}


def test_the_last_word_about_an_answer_counts_and_can_be_taken_back(tmp_path: Path) -> None:
    judgements = Teaching(tmp_path).judgements
    judgements.put("docs", "Who?", "d:0-9", "she", answers=True)
    judgements.put("docs", "who?", "d:0-9", "she", answers=False)
    assert [one.answers for one in judgements.judged("docs", "Who?")] == [False]
    judgements.take_back("docs", "Who?", "d:0-9")
    assert judgements.judged("docs") == [] and judgements.questions("docs") == []


def test_judgements_are_exported_as_trec_qrels_and_queries(tmp_path: Path) -> None:
    judgements = Teaching(tmp_path / "home").judgements
    judgements.put("docs", "Who\tis it?", "d:0-9", "she\nis", answers=True)
    judgements.put("docs", "Who\tis it?", "d:9-12", "no", answers=False)
    assert judgements.export("docs", tmp_path / "out") == (1, 2)
    (question,) = judgements.questions("docs")
    assert (tmp_path / "out" / "queries.tsv").read_text() == f"{question.id}\tWho is it?\n"
    assert (tmp_path / "out" / "qrels.txt").read_text() == f"{question.id} 0 d:0-9 1\n{question.id} 0 d:9-12 0\n"
    assert (tmp_path / "out" / "passages.tsv").read_text() == "d:0-9\tshe is\nd:9-12\tno\n"
    with pytest.raises(UserError, match="no judged answers"):
        judgements.export("other", tmp_path / "none")


def test_what_was_taught_is_in_a_backup(tmp_path: Path) -> None:
    home = tmp_path / "home"
    teaching = Teaching(home)
    teaching.pairs.add("docs", numbered(3))
    library, store = Library(home), EdgeStore.open(home / "store", idle_seconds=30)
    backup(library, store, tmp_path / "a.tar")
    teaching.pairs.add("docs", numbered(5))
    store.stop()
    restore(tmp_path / "a.tar", tmp_path / "other")
    assert len(Teaching(tmp_path / "other").pairs.all("docs")) == 3


def test_the_commands_take_a_person_from_mined_pairs_to_pairs_to_train_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ["--store", str(tmp_path / "home"), "--collection", "docs"]
    mined = tmp_path / "mined.tsv"
    mined.write_text("".join(f"English {i}\tDeutsch {i}\t{1.3 - i / 50:.6f}\n" for i in range(20)), encoding="utf-8")
    assert main(["add", str(mined), *home]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("w\nu\nr\nx\ns\nr\nq\n"))
    assert main(["review", "--threshold", "1.1", *home]) == 0
    said = capsys.readouterr().out
    assert "20 new pairs" in said and "taken back" in said and "2 reviewed" in said
    monkeypatch.setattr("sys.stdin", io.StringIO("\nr\n"))  # an empty line asks again; the end of the input ends it
    assert main(["review", "--threshold", "1.1", *home]) == 0
    assert "3 reviewed" in capsys.readouterr().out
    assert main(["pairs", str(tmp_path / "kept.tmx"), "--threshold", "1.1", *home]) == 0
    assert len(read_pairs(str(tmp_path / "kept.tmx"))) == 11
    assert main(["add", str(tmp_path / "kept.tmx"), "--measure", *home]) == 0
    assert main(["clear", "--measure", *home]) == 0
    assert "11 pairs taken off; 12 on the review list" in capsys.readouterr().out
    assert main(["pairs", str(tmp_path / "kept.tsv"), "--threshold", "9", *home, "--collection", "none"]) == 2


def test_the_command_judges_the_answers_of_a_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--store", str(tmp_path / "home")]
    hits = tmp_path / "hits.json"
    rows = [{"rank": i, "document_id": "d", "start": 10 * i, "end": 10 * i + 9, "text": f"text {i}"} for i in (1, 2)]
    hits.write_text(json.dumps(rows), encoding="utf-8")
    question = next(text for i in range(99) if split_of(text := f"Question {i}?") == "training")
    assert main(["judge", question, str(hits), "--right", "1", "--wrong", "2", *home]) == 0
    assert main(["questions", str(tmp_path / "train.tsv"), *home]) == 0
    assert (tmp_path / "train.tsv").read_text().startswith(f"{question}\ttext 1\t")
    assert main(["judge", question, str(hits), "--right", "7", *home]) == 2
    assert "has the ranks [1, 2]" in capsys.readouterr().err
    assert main(["judgements", str(tmp_path / "out"), "--split", "verdict", *home]) == 2


def test_pairs_whose_signs_tell_them_apart_are_two(tmp_path: Path) -> None:
    pairs = Teaching(tmp_path).pairs
    texts = ["Width 3.5 mm", "Width 35 mm", "Language C", "Language C++", "Set x to 5", "Set x to -5", "a < b", "a > b"]
    assert pairs.add("docs", [Pair(text, f"{text} (de)", 1.0, "en", "de") for text in texts]) == len(texts)
    assert pairs.add("docs", [Pair("Language  c++.", "LANGUAGE C++ (de)", 1.0, "en", "de")]) == 0
