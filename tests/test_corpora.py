"""Files of pairs in the forms that people have them in, read by one reader."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from labse_search.corpora.aligned import read_aligned_sets, read_tatoeba
from labse_search.corpora.lines import read_lines
from labse_search.corpora.pairs import read_pairs
from labse_search.corpora.values import Pair
from labse_search.errors import UserError

TWO = [("One day", "Ein Tag"), ("Two days", "Zwei Tage")]


def write(file: Path, *lines: str) -> str:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(file)


def texts(specification: str, **options: Any) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in read_pairs(specification, **options)]


# Lines


@pytest.mark.parametrize(("ending", "opener"), [("", open), (".gz", gzip.open), (".xz", lzma.open), (".bz2", bz2.open)])
def test_files_are_read_packed_or_not(tmp_path: Path, ending: str, opener: Any) -> None:
    file = tmp_path / f"pairs.tsv{ending}"
    with opener(file, "wt", encoding="utf-8-sig") as lines:
        lines.writelines(f"{source}\t{target}\r\n" for source, target in TWO)
    assert texts(str(file)) == TWO


@pytest.mark.parametrize("inside", ["\u2028", "\u0085", "\x0c", "\x1e", "\r", "\x0b"])
def test_only_a_line_feed_ends_a_line(tmp_path: Path, inside: str) -> None:
    (tmp_path / "a.en").write_bytes(f"One\nTwo{inside}more\nThree\n".encode())
    (tmp_path / "a.de").write_bytes(f"Eins\r\nZwei{inside}Stück\r\nDrei\r\n".encode())
    pairs = read_pairs(f"{tmp_path}/a.en,{tmp_path}/a.de")
    assert [(pair.source, pair.target) for pair in pairs] == [
        ("One", "Eins"),
        (f"Two{inside}more", f"Zwei{inside}Stück"),
        ("Three", "Drei"),
    ]
    (tmp_path / "a.tsv").write_bytes(f"One\tEins\nTwo{inside}more\tZwei{inside}Stück\n".encode())
    assert texts(str(tmp_path / "a.tsv"))[1] == (f"Two{inside}more", f"Zwei{inside}Stück")
    (tmp_path / "a.jsonl").write_bytes(f'{{"source": "Two", "target": "Zwei{inside}"}}\n'.encode())
    if inside in "\u2028\u0085":
        assert texts(str(tmp_path / "a.jsonl")) == [("Two", f"Zwei{inside}")]


@pytest.mark.parametrize("name", ["a.tsv.gz", "a.csv.xz", "a.jsonl.bz2", "a.tmx.gz"])
def test_a_file_that_ends_early_is_said_to_be_damaged(tmp_path: Path, name: str) -> None:
    packers: dict[str, Any] = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}
    form = {"tsv": "a\t{}\n", "csv": "a,{}\n", "jsonl": '["a", "{}"]\n', "tmx": "<tu>{}</tu>\n"}[name.split(".")[1]]
    content = "".join(form.format(number * number) for number in range(9000))
    whole = packers[Path(name).suffix](f"<tmx>{content}</tmx>".encode() if "tmx" in name else content.encode())
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=f"{name}.* damaged"):
        read_pairs(str(tmp_path / name))


def test_what_is_no_utf8_or_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes("schön\tbeautiful\n".encode("latin-1"))
    with pytest.raises(UserError, match="a.tsv is not UTF-8"):
        read_pairs(str(tmp_path / "a.tsv"))
    with pytest.raises(UserError, match="there is no such file"):
        read_pairs(str(tmp_path / "nothing.tsv"))
    with pytest.raises(UserError, match="there is no such file"):
        list(read_lines(tmp_path))


def test_two_line_aligned_files(tmp_path: Path) -> None:
    write(tmp_path / "corpus.en", "One day", "Two days")
    write(tmp_path / "corpus.de", "Ein Tag", "Zwei Tage")
    pairs = read_pairs(f"{tmp_path}/corpus.en,{tmp_path}/corpus.de=2.5")
    assert [(p.source, p.target, p.language, p.weight) for p in pairs] == [
        ("One day", "Ein Tag", "en-de", 2.5),
        ("Two days", "Zwei Tage", "en-de", 2.5),
    ]
    write(tmp_path / "short.de", "Ein Tag")
    with pytest.raises(UserError, match="has 2 lines and .* 1: "):
        read_pairs(f"{tmp_path}/corpus.en,{tmp_path}/short.de")


# Tables


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        (["1.2\tOne day\tEin Tag", "1.1\tTwo days\tZwei Tage"], "source is column 2, target 3; not used: 1"),
        (["One day\tEin Tag\t1.2", "Two days\tZwei Tage\t1e-3"], "not used: 3"),
        (["17\tOne day\t203\tEin Tag", "18\tTwo days\t204\tZwei Tage"], "source is column 2, target 4"),
        (["http://a.b/c\thttps://d.e\tOne day\tEin Tag", "http://f\thttps://g\tTwo days\tZwei Tage"], "column 3"),
        (["en-1\tOne day\tde-1\tEin Tag", "en-2\tTwo days\tde-2\tZwei Tage"], "source is column 2, target 4"),
        (["One day\tEin Tag", "Two days\tZwei Tage"], ""),
        (["en\tde\tOne day\tEin Tag", "en\tde\tTwo days\tZwei Tage"], ""),
        (["EN\tDE\tOne day\tEin Tag", "EN\tDE\tTwo days\tZwei Tage"], ""),
        (["One day\tEin Tag\ten-US\tde", "Two days\tZwei Tage\ten-US\tde"], ""),
        (["1.1\ten\tde\tOne day\tEin Tag", "1.0\ten\tde\tTwo days\tZwei Tage"], "not used: 1"),
    ],
)
def test_tables_without_a_header_are_known_by_what_they_hold(tmp_path: Path, rows: list[str], note: str) -> None:
    said: list[str] = []
    assert texts(write(tmp_path / "a.tsv", *rows), say=said.append) == TWO
    assert len(said) == bool(note) and note in "".join(said)


@pytest.mark.parametrize(
    ("name", "header", "languages"),
    [
        ("a.tsv", "source\ttarget", ""),
        ("a.tsv", "en\tde", "en-de"),
        ("a.tsv", "English\tGerman", "en-de"),
        ("a.tsv", "eng\tdeu", "en-de"),
        ("a.csv", "source;target", ""),
        ("a.csv", "source_sentence,target_sentence", ""),
        ("a.csv", "src_text,tgt_text", ""),
        ("a.csv", "sentence1\tsentence2", ""),
        ("a.csv", "text_a|text_b", ""),
        ("a.csv", "en_text,de_text", "en-de"),
        ("a.csv", "sourceText,targetText", ""),
        ("a.csv", "query,passage", ""),
        ("a.csv", "en,translation", "en"),
    ],
)
def test_headers_in_many_words(tmp_path: Path, name: str, header: str, languages: str) -> None:
    sign = next(sign for sign in "\t;,|" if sign in header)
    file = write(tmp_path / name, header, *(sign.join(pair) for pair in TWO))
    said: list[str] = []
    pairs = read_pairs(file, say=said.append)
    assert [(pair.source, pair.target) for pair in pairs] == TWO
    assert {pair.language for pair in pairs} == {languages}
    assert len(said) == 1 and "source is column" in said[0]


def test_an_id_column_is_no_text_and_what_is_not_used_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    rows = ["id,german,english", '1,"Ein Tag, schön",One day', "2,Zwei Tage,Two days"]
    pairs = read_pairs(write(tmp_path / "a.csv", *rows), say=said.append)
    assert pairs[0] == Pair("Ein Tag, schön", "One day", (), "de", "en")
    assert said == ["a.csv: source is column 'german', target 'english'; not used: 'id'"]


def test_language_columns_under_a_header(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", "lang1\tlang2\ttext1\ttext2", "en\tde\tOne day\tEin Tag")
    assert read_pairs(file) == [Pair("One day", "Ein Tag", (), "en", "de")]
    file = write(tmp_path / "b.csv", "score,target,source_lang,source,tgt_lang,negative1,negative_2", "1,b,en,a,de,c,d")
    assert read_pairs(file) == [Pair("a", "b", ("c", "d"), "en", "de")]


def test_one_row_with_languages_is_no_header(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", "en\tde\ta cat\teine Katze\tein Hund\tein Haus")
    assert read_pairs(file) == [Pair("a cat", "eine Katze", ("ein Hund", "ein Haus"), "en", "de")]


def test_a_table_of_one_row_has_no_header(tmp_path: Path) -> None:
    assert texts(write(tmp_path / "a.tsv", "de\ten\tnur")) == [("de", "en")]


def test_words_that_are_codes_too_are_no_header(tmp_path: Path) -> None:
    rows = ["cat dog\tsun sea", "One day\tEin Tag"]
    assert texts(write(tmp_path / "a.tsv", *rows)) == [("cat dog", "sun sea"), ("One day", "Ein Tag")]
    assert texts(write(tmp_path / "b.tsv", "sw\ten\tpaka\tcat")) == [("paka", "cat")]


def test_a_person_can_choose_the_columns(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "en,de,fr", "One day,Ein Tag,Un jour")
    with pytest.raises(UserError, match=r"more than two languages \(en, de, fr\).*--columns en,de"):
        read_pairs(file)
    assert read_pairs(file, columns=("fr", "de")) == [Pair("Un jour", "Ein Tag", (), "fr", "de")]
    assert texts(file, columns=("3", "1")) == [("Un jour", "One day")]
    plain = write(tmp_path / "b.tsv", "x\tOne day\tEin Tag")
    assert texts(plain, columns=("3", "2")) == [("Ein Tag", "One day")]
    with pytest.raises(UserError, match="no column 'it'. There are: en, de, fr"):
        read_pairs(file, columns=("it", "de"))


@pytest.mark.parametrize(
    ("yes", "no"), [("1", "0"), ("true", "False"), ("entailment", "contradiction"), ("1.0", "0.0")]
)
def test_pairs_that_a_label_denies_are_left_out(tmp_path: Path, yes: str, no: str) -> None:
    said: list[str] = []
    rows = ["idx,sentence1,sentence2,label", f"0,One day,Ein Tag,{yes}", f"1,One day,Zwei Hunde,{no}"]
    assert texts(write(tmp_path / "a.csv", *rows), say=said.append) == TWO[:1]
    assert "1 pairs left out, their label says" in said[-1]
    records = [{"text1": "One day", "text2": target, "label": label} for target, label in (("Ein Tag", yes), ("x", no))]
    assert texts(write(tmp_path / "a.jsonl", *map(json.dumps, records))) == TWO[:1]


def test_labels_without_a_header_and_labels_that_are_none(tmp_path: Path) -> None:
    assert texts(write(tmp_path / "a.tsv", "One day\tEin Tag\t1", "One day\tZwei Hunde\t0")) == TWO[:1]
    with pytest.raises(UserError, match="line 2: the label '3.2' is neither"):
        read_pairs(write(tmp_path / "b.csv", "sentence1,sentence2,label", "One day,Ein Tag,3.2"))


def test_a_score_is_no_hard_negative(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path / "a.tsv", "One day\tEin Tag\t1.00000", "Two days\tZwei Tage\t1.00001"))
    assert [pair.negatives for pair in pairs] == [(), ()]
    pairs = read_pairs(write(tmp_path / "a.tsv", "One day\tEin Tag\tZwei Hunde\t0.3", "Two days\tZwei Tage\tx y\t0.2"))
    assert [pair.negatives for pair in pairs] == [("Zwei Hunde",), ("x y",)]


def test_numbers_that_are_the_texts_stay(tmp_path: Path) -> None:
    assert texts(write(tmp_path / "a.tsv", "1\t2", "3\t4")) == [("1", "2"), ("3", "4")]


# JSON


@pytest.mark.parametrize(
    "record",
    [
        {"source": "One day", "target": "Ein Tag"},
        {"id": "1", "translation": {"en": "One day", "de": "Ein Tag"}},
        {"en": "One day", "de": "Ein Tag"},
        {"texts": ["One day", "Ein Tag"]},
        {"set": ["One day", "Ein Tag"]},
        ["One day", "Ein Tag"],
        {"query": "One day", "pos": ["Ein Tag"], "neg": ["Zwei Hunde"], "pos_scores": [0.9]},
        {"query_id": "1", "query": "One day", "positive_passages": [{"docid": "1", "title": "", "text": "Ein Tag"}]},
        {"anchor": "One day", "positive": "Ein Tag", "negative": "Zwei Hunde"},
        {"Source": "One day", "Target": "Ein Tag", "score": 1.5},
    ],
)
def test_records_as_datasets_have_them(tmp_path: Path, record: Any) -> None:
    assert texts(write(tmp_path / "a.jsonl", json.dumps(record))) == [("One day", "Ein Tag")]
    assert texts(write(tmp_path / "a.json", json.dumps([record, record], indent=1))) == [("One day", "Ein Tag")] * 2
    assert texts(write(tmp_path / "b.json", json.dumps(record), json.dumps(record))) == [("One day", "Ein Tag")] * 2


def test_a_list_of_positives_is_a_pair_with_each(tmp_path: Path) -> None:
    record = {"anchor": "One day", "positive": ["Ein Tag", "Eines Tages"], "negative": ["Zwei Hunde"]}
    assert read_pairs(write(tmp_path / "a.jsonl", json.dumps(record))) == [
        Pair("One day", "Ein Tag", ("Zwei Hunde",)),
        Pair("One day", "Eines Tages", ("Zwei Hunde",)),
    ]
    record = {"translation": {"en": "One day", "de": "Ein Tag", "fr": "Un jour"}}
    pairs = read_pairs(write(tmp_path / "b.jsonl", json.dumps(record)))
    assert [pair.language for pair in pairs] == ["en-de", "en-fr"]


def test_null_is_an_empty_text(tmp_path: Path) -> None:
    lines = ['{"source": "One day", "target": null}', '{"source": "One", "target": NaN}', '{"src": null, "tgt": "a"}']
    assert texts(write(tmp_path / "a.jsonl", *lines)) == [("One day", ""), ("One", ""), ("", "a")]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"source": {"lang": "en", "text": "a"}, "target": "b"}', "an object where a text belongs"),
        ('{"source": ["a", "b"], "target": "b"}', "a list where a text belongs"),
        ('{"source": true, "target": "b"}', "a truth value where a text belongs"),
        ('{"left": "a"}', r"keys \['left'\], expected source and target"),
        ('"a"', "expected a record"),
        ("{not json", "no JSON"),
        ('["a"]', "a list of fewer than two texts"),
    ],
)
def test_a_record_that_is_no_pair_says_where(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(UserError, match=f"a.jsonl, line 2: {says}"):
        read_pairs(write(tmp_path / "a.jsonl", '{"source": "a", "target": "b"}', line))


# TMX


def tmx(body: str, header: str = "") -> str:
    return f'<?xml version="1.0"?><tmx version="1.4"><header {header}/><body>{body}</body></tmx>'


def test_tmx_pairs_the_first_language_with_each_other(tmp_path: Path) -> None:
    body = """<tu><tuv xml:lang="EN"><seg>a <b>grey</b> cat</seg></tuv>
        <tuv xml:lang="de"><seg>eine graue Katze</seg></tuv><tuv lang="fr"><seg>un chat gris</seg></tuv></tu>"""
    assert [(p.source, p.target, p.language) for p in read_pairs(write(tmp_path / "a.tmx", tmx(body)))] == [
        ("a grey cat", "eine graue Katze", "en-de"),
        ("a grey cat", "un chat gris", "en-fr"),
    ]
    pairs = read_pairs(write(tmp_path / "b.tmx", tmx(body, 'srclang="de-DE"')))
    assert [pair.language for pair in pairs] == ["de-en", "de-fr"]


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ('Press <bpt i="1">&lt;b&gt;</bpt>Start<ept i="1">&lt;/b&gt;</ept> now', "Press Start now"),
        ('Wait <ph x="2">{0,number}</ph> seconds.', "Wait seconds."),
        ('A <hi type="term">big</hi> <it pos="begin">&lt;i&gt;</it>day', "A big day"),
        ('See <ph>&lt;img alt="<sub>a cat</sub>"&gt;</ph> here', "See a cat here"),
        ("Old <ut>\\b</ut>code", "Old code"),
    ],
)
def test_markup_in_a_segment_is_no_text(tmp_path: Path, segment: str, text: str) -> None:
    body = f'<tu><tuv xml:lang="en"><seg>{segment}</seg></tuv><tuv xml:lang="de"><seg>{segment}</seg></tuv></tu>'
    assert texts(write(tmp_path / "a.tmx", tmx(body))) == [(text, text)]


def test_a_tmx_without_segments(tmp_path: Path) -> None:
    body = '<tu><note>checked</note><tuv xml:lang="en">One day</tuv><tuv xml:lang="de"><prop>x</prop>Ein Tag</tuv></tu>'
    assert texts(write(tmp_path / "a.tmx", tmx(body))) == TWO[:1]
    with pytest.raises(UserError, match="none of its 1 units"):
        read_pairs(write(tmp_path / "b.tmx", tmx('<tu><tuv xml:lang="en"><seg>alone</seg></tuv></tu>')))


def test_a_tmx_that_is_broken_or_swells_is_refused(tmp_path: Path) -> None:
    swelling = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE tmx [<!ENTITY a0 "ha">{swelling}]><tmx><tu><tuv lang="en"><seg>&a9;</seg></tuv></tu></tmx>'
    for content in (bomb, "<tmx><tu>"):
        with pytest.raises(UserError, match="is no TMX"):
            read_pairs(write(tmp_path / "a.tmx", content))


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl", "a.tmx"])
def test_an_empty_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="holds no pairs"):
        read_pairs(write(tmp_path / name, *(["<tmx/>"] if name == "a.tmx" else [""])))


def test_a_line_with_one_column_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a.tsv, line 2: one column"):
        read_pairs(write(tmp_path / "a.tsv", "One day\tEin Tag", "Two days"))


# Sets to measure on


def test_codes_in_capitals_and_headers_are_no_texts(tmp_path: Path) -> None:
    rows = [f"EN\tDE\t{source}\t{target}" for source, target in TWO]
    file = write(tmp_path / "a.tsv", "lang1\tlang2\ttext1\ttext2", *rows)
    for one in (file, write(tmp_path / "b.tsv", *rows)):
        (aligned,) = read_aligned_sets(one)
        assert (aligned.sources, aligned.targets) == (("One day", "Two days"), ("Ein Tag", "Zwei Tage"))
        assert (aligned.source_language, aligned.target_language) == ("en", "de")


def test_a_folder_of_pairs_in_any_format(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *(json.dumps(pair) for pair in TWO))
    write(tmp_path / "b.csv", "source;target", *(";".join(pair) for pair in TWO))
    assert [(one.name, len(one)) for one in read_aligned_sets(str(tmp_path))] == [("a", 2), ("b", 2)]
    write(tmp_path / "c.en-de.tsv", *("\t".join(pair) for pair in TWO))
    assert [one.name for one in read_aligned_sets(str(tmp_path))] == ["c.en-de"]


def test_two_line_aligned_files_are_a_set(tmp_path: Path) -> None:
    write(tmp_path / "a.en", "One day", "", "Two days")
    write(tmp_path / "a.de", "Ein Tag", "leer", "Zwei Tage")
    (aligned,) = read_aligned_sets(f"{tmp_path}/a.en,{tmp_path}/a.de")
    assert (aligned.sources, aligned.source_language) == (("One day", "Two days"), "en")


def test_a_tatoeba_file_of_two_codes_is_one_set(tmp_path: Path) -> None:
    rows = ["zh\ten\t你好吗\tHow are you?", "zh-Hant\ten\t謝謝\tThanks.", "en\tzh\tGood morning.\t早上好"]
    write(tmp_path / "tatoeba.cmn-eng.tsv", *rows)
    write(tmp_path / "tatoeba.deu-eng.deu", "Hallo", "Danke")
    write(tmp_path / "tatoeba.deu-eng.eng", "Hello", "Thanks")
    found = read_tatoeba(tmp_path)
    assert found["cmn"].sources == ("你好吗", "謝謝", "早上好")
    assert found["cmn"].targets == ("How are you?", "Thanks.", "Good morning.")
    assert list(read_tatoeba(tmp_path, ("zh",))) == ["cmn"] and list(read_tatoeba(tmp_path, ("deu",))) == ["deu"]
    with pytest.raises(UserError, match="for fr, it"):
        read_tatoeba(tmp_path, ("deu", "fra", "it"))
