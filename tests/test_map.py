"""The map of a collection: languages mixed, topics kept, new documents added to it, and nothing half written."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lexicon import LANGUAGES, make_lexicon_model, sentence
from processes import run

from indexer.documents import forget_removed, remove_documents
from indexer.generations import delete_collection
from indexer.sources import walk
from indexer.worker import MAPPING_WORKER, do_job, worker_of
from labse_search.errors import UserError
from labse_search.library import JobRow, Library
from labse_search.map import PassageMap, find_changes, load_map
from labse_search.map.__main__ import main
from labse_search.map.file import map_file
from labse_search.map.job import FEWEST, add_map_job
from labse_search.map.layout import lay_out, lay_out_more
from labse_search.map.neutral import fit_basis
from labse_search.map.topics import find_groups, name_topics
from labse_search.settings import Settings
from labse_search.similarity import normalize
from labse_search.store import Store, open_store

HOSTILE = "<script>alert(1)</script></script><!-- =cmd()"
TOPICS = 4


class Place:
    """A home with one collection: each topic has fifteen concepts, and a passage in every language of each mixture."""

    def __init__(self, folder: Path, model: str) -> None:
        self.folder = folder
        self.settings = Settings(home=folder / "home", model=model)
        self.library = Library(self.settings.home)
        self.store: Store = open_store("", home=self.settings.home)

    def add(self, name: str, language: str, topics: range, passages: int = 8) -> None:
        lines = [passage(language, topic, number) for topic in topics for number in range(passages)]
        file = self.folder / "in" / language / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("text\n" + "".join(f'"{line}"\n' for line in lines), encoding="utf-8")
        self.do(
            self.library.add_index_job(
                "documents", self.settings.model, walk([file.parent.parent], self.library, "documents")
            )
        )

    def do(self, job: str) -> JobRow:
        do_job(self.library, self.settings, self.library.job(job))
        return self.library.job(job)

    def make(self, *, anew: bool = False) -> PassageMap:
        row = self.do(add_map_job(self.library, self.store, "documents", anew=anew))
        assert row.state == "done", row.error
        assert row.files_done == row.files and row.segments
        known = load_map(self.settings.home, "documents")
        assert known is not None
        return known


def passage(language: str, topic: int, number: int) -> str:
    """Words of one topic, the same ones in every language."""
    concepts = topic * 15 + np.random.default_rng(100 * topic + number).integers(15, size=8)
    return sentence(language, concepts.tolist())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("map")
    place = Place(folder, str(make_lexicon_model(folder / "model")))
    for language in LANGUAGES:
        place.add("rows.csv", language, range(TOPICS))
    yield place
    place.store.close()


def same_language_share(vectors: np.ndarray, languages: list[str], k: int = 8) -> float:
    """How many of the k nearest neighbours are of the passage's own language."""
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1)[:, :k]
    return float((np.array(languages)[nearest] == np.array(languages)[:, None]).mean())


def test_without_their_language_neighbours_are_of_all_languages_and_of_one_topic() -> None:
    generator = np.random.default_rng(0)
    topics = generator.standard_normal((5, 40))
    sides = 2 * generator.standard_normal((4, 40))
    of = [(topic, language) for topic in range(5) for language in range(4) for _ in range(30)]
    vectors = normalize(
        np.stack([topics[topic] + sides[language] for topic, language in of])
        + 0.3 * generator.standard_normal((len(of), 40))
    )
    languages = [LANGUAGES[language] for _, language in of]
    reduced = fit_basis(vectors, languages).reduce(vectors, languages)
    assert same_language_share(vectors, languages) > 0.95
    positions = lay_out(reduced)
    assert same_language_share(positions, languages) < 0.4  # a quarter by chance
    assert same_language_share(positions, [str(topic) for topic, _ in of]) > 0.95


def test_one_passage_in_a_language_stays_what_it_is() -> None:
    generator = np.random.default_rng(0)
    vectors = normalize(generator.standard_normal((41, 30)))
    languages = ["en"] * 40 + ["is"]
    reduced = fit_basis(vectors, languages).reduce(vectors, languages)
    assert np.linalg.norm(reduced[-1]) > 0.5 * np.linalg.norm(reduced, axis=1).mean()


def test_new_passages_land_beside_those_of_their_topic_and_the_others_stay() -> None:
    generator = np.random.default_rng(1)
    middles = generator.standard_normal((3, 20))
    of = np.repeat(np.arange(3), 60)
    known = (middles[of] + 0.2 * generator.standard_normal((180, 20))).astype(np.float32)
    positions = lay_out(known)
    before = positions.copy()
    new = (middles + 0.2 * generator.standard_normal((3, 20))).astype(np.float32)
    placed = lay_out_more(known, positions, new)
    assert (positions == before).all()
    for topic in range(3):
        nearest = np.argmin(np.linalg.norm(positions - placed[topic], axis=1))
        assert of[nearest] == topic


def test_topics_are_named_by_words_of_their_own_in_each_language() -> None:
    snow = ["the snow cleans the carpet", "the carpet in the snow", "снег чистит ковёр", "ковёр на снегу и снег"]
    bread = ["the oven bakes the bread", "the bread in the oven", "печь печёт хлеб", "хлеб в печи, хлеб"]
    texts = (snow + bread) * 3
    languages = ["en", "en", "ru", "ru"] * 6
    groups = np.tile(np.array([0] * 4 + [1] * 4, np.int16), 3)
    topics = name_topics(np.zeros((24, 2), np.float32), groups, texts, languages)
    terms = {topic.number: dict(topic.terms) for topic in topics}
    assert set(terms[0]["en"][:2]) == {"snow", "carpet"} and "the" not in terms[0]["en"] + terms[1]["en"]
    assert "ковёр" in terms[0]["ru"] and "хлеб" in terms[1]["ru"]


def test_words_of_scripts_without_spaces_are_named_whole() -> None:
    texts = ["図書館は月曜日に休みます", "図書館のカードを作ります", "図書館で本を借ります", "パン屋は朝に開きます"]
    groups = np.array([0, 0, 0, 1], np.int16)
    topics = name_topics(np.zeros((4, 2), np.float32), groups, texts, ["ja"] * 4)
    assert topics[0].terms[0][1][0] == "図書館"


@pytest.mark.parametrize(
    ("language", "word", "texts"),
    [
        ("th", "น้ำท่วม", ["เมื่อวานน้ำท่วมถนนใหญ่", "ชาวบ้านหนีน้ำท่วมไปวัด", "น้ำท่วมทำให้สะพานพัง", "หลังน้ำท่วมตลาดปิด"]),
        ("lo", "ຕະຫຼາດ", ["ແມ່ໄປຕະຫຼາດທຸກມື້", "ຕະຫຼາດເປີດແຕ່ເຊົ້າ", "ປາຢູ່ຕະຫຼາດແພງ", "ຂ້ອຍຮັກຕະຫຼາດນີ້"]),
        ("km", "ទន្លេ", ["ទឹកក្នុងទន្លេឡើងខ្ពស់", "គេនេសាទនៅទន្លេធំ", "ផ្ទះនៅមាត់ទន្លេ", "ទូកឆ្លងទន្លេយឺត"]),
        ("my", "စာကြည့်တိုက်", ["စာကြည့်တိုက်ဖွင့်ပြီ", "သူစာကြည့်တိုက်သို့သွားသည်", "ဒီစာကြည့်တိုက်ကြီးသည်", "မြို့စာကြည့်တိုက်ဟောင်း"]),
        ("zh", "图书馆", ["昨天我去图书馆看书", "城里的图书馆很大", "他在图书馆工作三年", "图书馆星期一不开门"]),
    ],
    ids=["Thai", "Lao", "Khmer", "Burmese", "Chinese"],
)  # fmt: skip
def test_a_topic_is_named_by_the_word_that_its_passages_repeat_not_by_pieces_of_it(
    language: str, word: str, texts: list[str]
) -> None:
    groups = np.zeros(len(texts), np.int16)
    named = name_topics(np.zeros((len(texts), 2), np.float32), groups, texts, [language] * len(texts))
    words = named[0].terms[0][1]
    assert words[0] == word
    assert not [one for one in words if one != word and (one in word or len(one) == 1)]


def test_a_few_points_are_one_group_and_islands_are_several() -> None:
    generator = np.random.default_rng(2)
    assert set(find_groups(generator.standard_normal((5, 2)).astype(np.float32))) == {0}
    islands = np.repeat(np.array([[0, 0], [50, 0], [0, 50]]), 40, axis=0) + generator.standard_normal((120, 2))
    groups = find_groups(islands.astype(np.float32))
    assert not set(groups[:40]) & set(groups[40:80]) and not set(groups[40:80]) & set(groups[80:])


def test_a_job_makes_the_map_and_adds_to_it(place: Place) -> None:
    known = place.make()
    assert len(known) == 4 * TOPICS * 8
    assert len(known.languages.values) > 2 and known.folders.values[0].startswith("in/")
    assert not find_changes(place.library, known).any
    place.add("more.csv", "en", range(1), passages=12)
    changes = find_changes(place.library, known)
    assert changes.added in (12, 13) and not changes.gone  # the header may count as a row
    more = place.make()
    assert len(more) == len(known) + 12 and more.added == 12 and more.stamp != known.stamp
    for key, row in known.rows.items():
        assert (more.positions[more.rows[key]] == known.positions[row]).all()
    (document,) = [row.document for row in place.library.documents("documents") if "more.csv" in row.names[0]]
    remove_documents(place.library, place.store, "documents", [document])
    assert find_changes(place.library, more).gone == 12
    assert len(place.make()) == len(known)
    assert place.make(anew=True).added == 0


def test_a_killed_job_begins_again_and_the_old_map_stays(place: Place, tmp_path: Path) -> None:
    before = place.make()
    job = add_map_job(place.library, place.store, "documents", anew=True)
    assert worker_of(place.library.job(job)) == MAPPING_WORKER
    assert add_map_job(place.library, place.store, "documents", anew=True) == job  # one is enough
    # Killed after its third step.
    code = f"""
import os
from pathlib import Path
from labse_search.library import Library
from labse_search.settings import Settings
from indexer.worker import do_job
library = Library(Path({str(place.settings.home)!r}))
die = lambda row: os._exit(9) if row.files_done > 2 else None
do_job(library, Settings(home=library.home), library.job({job!r}), report=die)
"""
    run(sys.executable, "-c", code, status=9)
    kept = load_map(place.settings.home, "documents")
    assert kept is not None and kept.stamp == before.stamp
    assert place.do(job).state == "done"
    after = load_map(place.settings.home, "documents")
    assert after is not None and after.stamp != before.stamp
    assert not list(map_file(place.settings.home, "documents").parent.glob(".*"))


def test_a_cancelled_job_leaves_the_map(place: Place) -> None:
    before = place.make()
    job = add_map_job(place.library, place.store, "documents", anew=True)
    place.library.ask(job, "cancel")
    do_job(place.library, place.settings, place.library.job(job))
    assert place.library.job(job).state == "cancelled"
    kept = load_map(place.settings.home, "documents")
    assert kept is not None and kept.stamp == before.stamp


def test_another_generation_makes_the_whole_map_anew(place: Place) -> None:
    known = place.make()
    assert find_changes(place.library, replace(known, generation=7)).generation


def test_the_command_writes_the_map_and_nothing_in_it_runs(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place.folder / "in" / "en" / f"{HOSTILE.replace('/', '')}.csv"
    file.write_text(f'text\n"{passage("en", 1, 1)} {passage("en", 1, 2)} {HOSTILE}"\n')
    place.do(place.library.add_index_job("documents", place.settings.model, walk([file], place.library, "documents")))
    monkeypatch.setenv("LABSE_HOME", str(place.settings.home))
    assert main(["make"]) == 0
    assert main(["topics"]) == 0
    assert "topics" in capsys.readouterr().out
    for kind in ("json", "csv", "html"):
        assert main(["write", str(tmp_path / f"map.{kind}")]) == 0
    rows = json.loads((tmp_path / "map.json").read_text())
    assert {"x", "y", "topic", "terms", "language", "document", "text"} <= set(rows[0])
    with (tmp_path / "map.csv").open(encoding="utf-8-sig", newline="") as lines:
        assert len(list(csv.DictReader(lines))) == len(rows)
    page = (tmp_path / "map.html").read_text()
    assert HOSTILE in "".join(row["text"] for row in rows)
    assert HOSTILE not in page and "alert(1)</script>" not in page
    assert main(["write", str(tmp_path / "map.pdf")]) == 2
    assert main(["write", str(tmp_path / "map.csv"), "--collection", "none"]) == 2
    assert "map make" in capsys.readouterr().err


def test_erased_words_leave_the_map_too(tmp_path: Path) -> None:
    place = Place(tmp_path, str(make_lexicon_model(tmp_path / "model")))
    place.add("one.csv", "de", range(TOPICS))
    place.add("two.csv", "en", range(1))
    place.make()
    file = map_file(place.settings.home, "documents")
    document = place.library.documents("documents")[-1].document
    remove_documents(place.library, place.store, "documents", [document])
    assert file.exists()
    forget_removed(place.library, "documents")
    assert not file.exists()
    place.make()
    delete_collection(place.library, place.store, "documents")
    assert not file.exists()
    place.store.close()


def test_too_few_passages_and_a_damaged_file_are_sentences(tmp_path: Path) -> None:
    place = Place(tmp_path, str(make_lexicon_model(tmp_path / "model")))
    place.add("one.csv", "de", range(1), passages=5)
    with pytest.raises(UserError, match=f"at least {FEWEST}"):
        add_map_job(place.library, place.store, "documents", anew=False)
    file = map_file(place.settings.home, "documents")
    file.parent.mkdir()
    for content in (b"", b"PK\x03\x04", b"nonsense"):
        file.write_bytes(content)
        with pytest.raises(UserError, match="damaged"):
            load_map(place.settings.home, "documents")
    place.store.close()
