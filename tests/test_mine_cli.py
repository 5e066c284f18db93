"""python -m labse_search.mine on small files: pairs for training, the BUCC format, thresholds, errors."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from lexicon import make_lexicon_model, random_concepts, sentence

from labse_search.corpora.bucc import read_gold_ids
from labse_search.corpora.pairs import read_pairs
from labse_search.corpora.sentences import read_corpus, unify
from labse_search.mine.__main__ import main


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lexicon_model(tmp_path_factory.mktemp("models") / "lexicon")


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    """de.txt and en.txt.xz: 40 translations among 60 sentences each that have none; gold.tsv knows the 40."""
    both = random_concepts(40, seed=1)
    german = [sentence("de", words) for words in both + random_concepts(60, seed=2)]
    english = [sentence("en", words) for words in random_concepts(60, seed=3) + both]
    write_lines(tmp_path / "de.txt", [*german, german[0], ""])
    with lzma.open(tmp_path / "en.txt.xz", "wt", encoding="utf-8") as lines:
        lines.write("\n".join(english) + "\n")
    write_lines(tmp_path / "gold.tsv", [f"{sentence('de', words)}\t{sentence('en', words)}" for words in both])
    bucc = {"fr-en.de": ("de", german), "fr-en.en": ("en", english)}
    for name, (language, texts) in bucc.items():
        write_lines(tmp_path / name, [f"{language}-{number:09}\t{text}" for number, text in enumerate(texts)])
    write_lines(tmp_path / "fr-en.gold", [f"de-{i:09}\ten-{i + 60:09}" for i in range(40)])
    return tmp_path


def write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def test_files_become_pairs_that_training_reads(corpora: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = corpora / "out" / "pairs.tsv"
    arguments = [str(corpora / "de.txt"), str(corpora / "en.txt.xz"), "--output", str(output), "--model", str(model)]
    assert main([*arguments, "--gold", str(corpora / "gold.tsv"), "--keep-junk"]) == 0
    found = {(source, target) for source, target, _ in rows(output)}
    gold = set(read_gold_ids(corpora / "gold.tsv"))
    assert len(found & gold) >= 38 and len(found - gold) <= 3
    scores = [float(score) for _, _, score in rows(output)]
    assert scores == sorted(scores, reverse=True)
    printed = capsys.readouterr().out
    assert "101 lines, 1 repeated" in printed
    assert "precision" in printed and "tuned on" in printed
    assert not list(output.parent.glob(".*"))


def test_bucc_files_go_in_and_out(corpora: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = corpora / "found.tsv"
    files = [str(corpora / "fr-en.de"), str(corpora / "fr-en.en"), "--gold", str(corpora / "fr-en.gold")]
    assert main([*files, "--bucc", "--keep-junk", "--output", str(output), "--model", str(model)]) == 0
    found = set(read_gold_ids(output))
    assert len(found & set(read_gold_ids(corpora / "fr-en.gold"))) >= 38
    assert "F1" in capsys.readouterr().out


def test_candidates_and_plot_are_written(corpora: Path, model: Path) -> None:
    arguments = [str(corpora / "de.txt"), str(corpora / "en.txt.xz"), "--output", str(corpora / "pairs.tsv")]
    extras = ["--candidates", str(corpora / "all.tsv"), "--plot", str(corpora / "scores.png"), "--threshold", "1.2"]
    assert main([*arguments, *extras, "--model", str(model), "--margin", "ratio", "--k", "3"]) == 0
    candidates = rows(corpora / "all.tsv")
    assert len(candidates) == 1 + 3 * 100 + 3 * 100
    assert {row[0] for row in candidates[1:]} == {"forward", "backward"}
    assert (corpora / "scores.png").read_bytes().startswith(b"\x89PNG")
    assert all(float(row[2]) >= 1.2 for row in rows(corpora / "pairs.tsv"))


def test_a_missing_file_is_one_line(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(tmp_path / "no.txt"), str(tmp_path / "no.txt"), "--output", str(tmp_path / "out.tsv")]
    assert main([*arguments, "--model", str(model)]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'no.txt'}: there is no such file.\n"
    assert not (tmp_path / "out.tsv").exists()


def test_gold_of_other_corpora_is_refused(corpora: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(corpora / "other.tsv", ["a\tb"])
    arguments = [str(corpora / "de.txt"), str(corpora / "en.txt.xz"), "--output", str(corpora / "pairs.tsv")]
    assert main([*arguments, "--model", str(model), "--gold", str(corpora / "other.tsv")]) == 2
    assert "None of the 1 gold pairs" in capsys.readouterr().err


@pytest.mark.parametrize("languages", [(), ("--languages", "de,en,fr")])
@pytest.mark.parametrize(
    "given",
    ["--threshold 0", "--k 8", "--margin distance", "--retrieval forward", "--max-length-ratio 0", "--max-score 1.5"]
    + ["--gold g.tsv", "--keep-junk", "--plot p.png", "--candidates c.tsv", "--k 8 --threshold 1.1"],
)
def test_what_all_languages_would_ignore_is_refused(
    given: str, languages: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--collection", "papers", "--output", "pairs.tsv", *languages, *given.split()])
    named = ", ".join(sorted(word for word in given.split() if word.startswith("--")))
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert all(word in said for word in named.split(", ")) and "only with two --languages" in said


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("--collection papers --model m", "--model: a collection has its vectors already"),
        ("--collection papers --languages de,en --model m", "--model: a collection has its vectors already"),
        ("de.txt en.txt --store there", "--store: only with --collection"),
        ("de.txt en.txt --keep-junk --max-score 1.2", "--max-score: not with --keep-junk"),
    ],
)
def test_what_two_sides_would_ignore_is_refused(given: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*given.split(), "--output", "pairs.tsv"])
    assert ended.value.code == 2 and says in capsys.readouterr().err


def test_corpora_are_read_packed_or_not(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.gz", "wt", encoding="utf-8") as lines:
        lines.write("eins\r\nzwei\n\neins\n")
    corpus = read_corpus(tmp_path / "a.gz")
    assert corpus.texts == ("eins", "zwei")
    assert (corpus.ids, corpus.lines, corpus.repeated) == (("1", "2"), 3, 1)


def test_copies_but_for_punctuation_case_and_spacing_are_repeated() -> None:
    texts = ["Ein Tag.", "Ein Tag …", "ein  Tag!", "Kein Tag."]
    assert unify(texts, list("1234")).texts == ("Ein Tag.", "Kein Tag.")
    assert len(unify(texts, list("1234"), repeated="drop")) == 4


def test_repeated_sentences_are_kept_once_or_dropped() -> None:
    texts, ids = ["a", "b", "a"], ["1", "2", "3"]
    assert unify(texts, ids).ids == ("1", "2")
    dropped = unify(texts, ids, repeated="drop")
    assert (dropped.ids, dropped.repeated) == (("2",), 2)


def test_two_languages_of_a_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    from labse_search.encoder import load_encoder
    from labse_search.records import CollectionSpec, Segment, StoredSegment
    from labse_search.store.edge.client import EdgeStore

    encoder = load_encoder(str(model))
    both = random_concepts(20, seed=5)
    texts = [(code, sentence(code, words)) for code in ("de", "en") for words in both]
    texts += [("fr", sentence("fr", words)) for words in both]
    segments = [
        StoredSegment("doc", ("doc.txt",), (), "txt", 0.0, Segment(i, 0, len(text), text, code, {}))
        for i, (code, text) in enumerate(texts)
    ]
    spec = CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model)
    store = EdgeStore.open(tmp_path / "store", idle_seconds=30)
    try:
        store.create("papers", spec)
        vectors = encoder.encode([text for _, text in texts])
        store.upsert("papers", segments, vectors, fingerprint=encoder.fingerprint)
        monkeypatch.setenv("LABSE_HOME", str(tmp_path))
        arguments = ["--collection", "papers", "--languages", "de,en", "--output", str(tmp_path / "pairs.tsv")]
        assert main([*arguments, "--threshold", "0"]) == 0
        found = {(source, target) for source, target, _ in rows(tmp_path / "pairs.tsv")}
        assert len(found & {(sentence("de", words), sentence("en", words)) for words in both}) >= 18
        assert main(["--collection", "papers", "--output", str(tmp_path / "all.tmx")]) == 0
        every = read_pairs(str(tmp_path / "all.tmx"))
        assert {pair.language for pair in every} == {"de-en", "de-fr", "en-fr"}
        combined = (("de", "en"), ("de", "fr"), ("en", "fr"))
        right = {(sentence(a, words), sentence(b, words)) for words in both for a, b in combined}
        assert len(right & {(pair.source, pair.target) for pair in every}) >= 50
        assert main(["--collection", "papers", "--languages", "de,it", "--output", str(tmp_path / "no.tsv")]) == 2
        assert main(["--collection", "nothing", "--languages", "de,en", "--output", str(tmp_path / "no.tsv")]) == 2
    finally:
        store.stop()
