"""The page without a browser: what reaches the cards, what the guard refuses, what an upload may be."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lexicon import sentence
from page_case import HOSTILE, page_client
from processes import SECONDS, run

from indexer.preflight import Preflight, preflight
from labse_search.errors import UserError
from labse_search.library import Library, Source
from labse_search.records import Extraction, Filter, Found, Hit, Link, Segment, StoredSegment, Unit
from labse_search.search.facets import GROUPS
from labse_search.search.steer import Steer
from labse_search.settings import Settings
from labse_search.ui.cards import card
from labse_search.ui.events import Event
from labse_search.ui.facets import facets
from labse_search.ui.guard import HEADERS
from labse_search.ui.pdf_page import draw
from labse_search.ui.plan import Waiting, WaitingPlan
from labse_search.ui.query import DAY, Query
from labse_search.ui.steers import chips, read_steers
from labse_search.ui.strings import STRINGS
from labse_search.ui.uploads import clean_name, received, sweep
from labse_search.ui.users import SignIn, Users, add_user, check_address, hash_password, load_users, password_fits
from labse_search.ui.values import Status, documents_value
from labse_search.ui.viewer import PART, Wanted, blocks_between, part_bounds

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "labse_search" / "ui" / "static"
DOCUMENT = "ab" * 16


def stored(
    text: str, index: int = 3, language: str = "de", names: tuple[str, ...] = ("a/b/Bericht.pdf",)
) -> StoredSegment:
    ends = [match.end() for match in re.finditer(r"[^.]*\.", text)] or [len(text)]
    sentences = tuple(zip([0, *ends[:-1]], ends, strict=True))
    segment = Segment(index, 0, len(text), text, language, {"page": 12, "pages": 80}, sentences)
    return StoredSegment(DOCUMENT, names, ("a", "a/b"), "pdf", 0.0, segment)


# ---- cards


def test_a_card_marks_the_closest_sentence_and_keeps_the_whole_text() -> None:
    text = "Das Meer steigt. Die Deiche wachsen."
    value = card(Hit(1, 0.81, stored(text), best_sentence=(17, 36)), "very close")
    assert value["parts"] == [
        {"text": "Das Meer steigt. ", "mark": False, "link": 0},
        {"text": "Die Deiche wachsen.", "mark": True, "link": 0},
    ]
    assert (value["title"], value["place"], value["lang"]) == ("Bericht.pdf", "p. 12 of 80", "de")
    assert (value["level"], value["cosine"]) == (3, "0.810")


def test_a_card_marks_nothing_before_the_closest_sentence_is_known() -> None:
    value = card(Hit(1, 0.81, stored("Das Meer steigt. Die Deiche wachsen.")), "very close")
    assert value["mark"] is None and value["sentence"] == ""
    assert value["parts"] == [{"text": "Das Meer steigt. Die Deiche wachsen.", "mark": False, "link": 0}]


def test_a_card_shows_one_sentence_of_each_neighbour() -> None:
    near = (stored("Erster. Letzter davor.", 2), stored("Erster danach. Zweiter.", 4))
    value = card(Hit(1, 0.5, stored("Mitte."), neighbours=near), "close")
    assert value["before"] == {"text": "Letzter davor.", "lang": "de"}
    assert value["after"] == {"text": "Erster danach.", "lang": "de"}


def test_reasons_are_the_measured_ones() -> None:
    hit = Hit(1, 0.5, stored("Im Jahr 1987."), meaning_rank=1, shared_words=("1987",), closer_than=0.9961)
    why = card(hit, "close")["why"]
    assert (why["found"], why["shared"], why["closer"]) == ("why_meaning", ["1987"], "99.6 %")
    both = card(Hit(1, 0.5, stored("x"), meaning_rank=2, words_rank=5), "far")["why"]
    assert (both["found"], both["meaning"], both["words"]) == ("why_both", 2, 5)


def test_words_that_meet_are_numbered_in_the_passage_and_in_the_reasons() -> None:
    links = (Link((4, 7), (4, 8), 0.9), Link((0, 3), (4, 8), 0.8), Link((8, 14), (9, 15), 0.7))  # the second overlaps
    value = card(Hit(1, 0.5, stored("Das Meer steigt."), links=links), "close", "the sea rises.")
    assert value["why"]["links"] == [
        {"question": "sea", "passage": "Meer"},
        {"question": "rises.", "passage": "steigt"},
    ]
    assert [(part["text"], part["link"]) for part in value["parts"]] == [
        ("Das ", 0),
        ("Meer", 1),
        (" ", 0),
        ("steigt", 2),
        (".", 0),
    ]


def test_more_passages_and_copies_are_listed_with_their_places() -> None:
    hit = Hit(
        1, 0.5, stored("x"), more_in_document=(Found(stored("y", 9), 0.4),), copies=(stored("x", 0, names=("c.txt",)),)
    )
    value = card(hit, "related")
    assert [(one["index"], one["place"], one["text"]) for one in value["more"]] == [(9, "p. 12 of 80", "y")]
    assert [one["title"] for one in value["copies"]] == ["c.txt"]


def test_a_citation_has_sentence_document_and_place() -> None:
    value = card(Hit(1, 0.5, stored("Das Meer\nsteigt. Und?"), best_sentence=(0, 16)), "close")
    assert value["citation"] == "“Das Meer steigt.” — Bericht.pdf, p. 12 of 80"


def test_hostile_text_stays_what_it_is() -> None:
    value = card(Hit(1, 0.5, stored(HOSTILE, names=(HOSTILE,)), best_sentence=(0, len(HOSTILE))), "close")
    assert value["parts"] == [{"text": HOSTILE, "mark": True, "link": 0}]
    assert value["names"] == [HOSTILE]
    json.dumps(value)


def test_no_template_and_no_script_takes_data_as_markup() -> None:
    for script in STATIC.glob("*.js"):
        source = script.read_text(encoding="utf-8")
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert forbidden not in source, f"{forbidden} in {script.name}"
    page = "".join(path.read_text(encoding="utf-8") for path in STATIC.parent.glob("page/*.py"))
    assert page.count("gr.HTML(") == 1  # the one whose template is built from constants


def test_every_word_on_the_page_is_in_the_table_and_used() -> None:
    scripts = "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js"))
    python = "".join(
        path.read_text(encoding="utf-8") for path in STATIC.parent.rglob("*.py") if path.parent.name != "strings"
    )
    asked = set(re.findall(r"\bt\('(\w+)'", scripts)) | set(re.findall(r"(?<![.\w])text\(\s*\"(\w+)\"", python))
    assert asked <= set(STRINGS)
    families = (
        "gen_",
        "steer_",
        "strength_",
        "job_",
        "outcome_",
        "mode_",
        "key_",
        "settings_",
        "why_",
        "last_",
        "filter_",
        "export_",
        "note_",
        "tags_",
        "watch_",
        "judge_",
        "teach_",
        "manage_",
        "theme_",
        "space_",
        "model_known_",
        "align_",
    )
    unused = {
        key for key in STRINGS if not key.startswith(families) and not re.search(rf"['\"]{key}['\"]", scripts + python)
    }
    assert unused == set()


@pytest.mark.parametrize("scheme", [":root", ".dark"])
def test_text_has_the_contrast_of_wcag_aa(scheme: str) -> None:
    from labse_search.ui.theme import palette

    colours = palette(scheme)
    pairs = [("ink", back) for back in ("ground", "card", "soft", "mark", "accent-soft", "bad-soft", "warn-soft")]
    pairs += [("muted", back) for back in ("ground", "card", "soft", "warn-soft")]
    pairs += [(text, back) for text in ("accent", "good", "warn", "bad") for back in ("ground", "card")]
    pairs += [("accent-ink", "accent")]
    low = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


# ---- question and filters


def test_a_question_survives_the_address_bar() -> None:
    query = Query.from_address(
        {"q": "Wo?", "mode": "words", "only": "1", "lang": '["de","ja"]', "folder": '["a/b, c"]', "added": "week"}
    )
    assert (query.question, query.mode, query.only_other) == ("Wo?", "words", True)
    assert (query.languages, query.folders, query.added) == (("de", "ja"), ("a/b, c",), "week")
    assert query.filter(1_000_000.0).added_after == 1_000_000.0 - 7 * 86400
    assert Query.from_controls(*query.controls()) == query


def test_nonsense_from_a_browser_counts_as_empty() -> None:
    assert Query.from_controls(3, "sql", "yes", {"a": 1}, "de", [1, None], None, "soon", 7, {}, "up") == Query()
    assert Query.from_address({"lang": "[", "mode": "x"}) == Query()


def test_an_address_of_deep_brackets_counts_as_empty() -> None:
    assert Query.from_address({"lang": "[" * 60_000, "doc": '{"a":' * 20_000}) == Query()


def test_a_question_is_never_cut_on_its_way() -> None:
    assert len(Query.from_address({"q": "x" * 5001}).question) == 5001  # and then refused, with the limit


def test_steers_in_an_address_are_taken_as_they_are_or_not_at_all() -> None:
    written = f'[[1,"{DOCUMENT}.3"],[-0.5,"","Wo?"]]'
    query = Query.from_address({"q": "x", "steer": written, "sort": "place"})
    assert query.steers == (Steer(1.0, DOCUMENT, 3), Steer(-0.5, text="Wo?")) and query.sort == "place"
    assert Query.from_controls(*query.controls()) == query and query.controls()[-2:] == (written, "place")
    wrong = [[3, f"{DOCUMENT}.1"], [0, f"{DOCUMENT}.1"], [1, "../x.1"], [1, f"{DOCUMENT}.-1"], [True, "", "x"],
             [1, f"{DOCUMENT}.{10**30}"], [1, "", ""], [10**400, "", "x"], ["1", "", "x"], [1], {}, None,
             [float("nan"), "", "x"]]  # fmt: skip
    assert read_steers(json.dumps(wrong)) == read_steers("[" * 60_000) == read_steers(7) == ()
    assert len(read_steers(json.dumps([[1, "", str(n)] for n in range(99)]))) == 12
    shown = chips((*query.steers, Steer(2.0, DOCUMENT, 9)), {(one := stored(HOSTILE)).point: one})
    assert [(one["weight"], one["text"], one["lang"]) for one in shown] == [
        (1.0, HOSTILE, "de"), (-0.5, "Wo?", ""), (2.0, "", ""),
    ]  # fmt: skip


def test_the_bar_of_filters_counts_what_was_found_and_offers_only_choices() -> None:
    found = [replace(stored(f"{n}", n, "de" if n else "ja"), added=100.0 * DAY + n) for n in range(3)]
    found.append(replace(stored("x", 9, "de"), kind="txt", folders=("a",), added=0.0))
    pools = dict.fromkeys(GROUPS, tuple(found))
    query = Query(languages=("fr",), added="week")
    bar = {group["name"]: group["values"] for group in facets(pools, query, 101.0 * DAY)}
    assert [(one["value"], one["count"], one["on"]) for one in bar["languages"]] == [
        ("de", 3, False), ("ja", 1, False), ("fr", 0, True),
    ]  # fmt: skip
    assert [(one["value"], one["count"]) for one in bar["kinds"]] == [("pdf", 3), ("txt", 1)]
    pages = [replace(stored("x", n), kind=kind) for n, kind in enumerate(("htm", "html", "pdf"))]
    (group,) = facets(dict.fromkeys(GROUPS, tuple(pages)), Query.from_address({"kind": '["htm", "html"]'}), 0.0)
    assert [tuple(one.values()) for one in group["values"]] == [
        ("html", "HTML", "", 2, True), ("pdf", "PDF", "", 1, False),
    ]  # fmt: skip
    assert "folders" not in bar  # all but one passage lie in a/b: nothing to choose from
    assert [(one["value"], one["count"], one["on"]) for one in bar["added"]] == [("day", 3, False), ("week", 3, True)]
    assert facets(dict.fromkeys(GROUPS, ()), Query(), 0.0) == facets({}, query, 0.0) == []


def test_a_filter_is_chosen_and_all_are_cleared() -> None:
    query = (
        Query(question="x", like=f"{DOCUMENT}.1").chosen("languages", "de", on=True).chosen("added", "week", on=True)
    )
    assert (query.languages, query.added, query.like) == (("de",), "week", "")
    assert query.chosen("languages", "de", on=True) == query.chosen("added", "day", on=False) == query
    assert (
        query.chosen("languages", "de", on=False).languages == () and query.chosen("added", "soon", on=True).added == ""
    )
    assert query.chosen("added", "week", on=False).added == "" and query.chosen("question", "y", on=True) == query
    assert query.without("all", "") == Query(question="x")


def test_a_filter_can_be_taken_away_again() -> None:
    query = Query(question="x", languages=("de", "ja"), added="day")
    assert query.without("languages", "de").languages == ("ja",)
    assert query.without("added", "day").added == ""
    assert [chip["name"] for chip in query.chips({})] == ["languages", "languages", "added"]


# ---- the source


def test_the_reader_shows_the_passage_where_it_stands() -> None:
    extraction = Extraction((Unit("Vorwort.", {"page": 1}), Unit("Eins. Zwei. Drei.\nVier.", {"page": 2})), "text")
    start = extraction.text.index("Zwei.")
    segment = Segment(1, start, start + 11, "Zwei. Drei.", "de", {"page": 2})
    blocks = blocks_between(extraction, segment, (6, 11), part_bounds(extraction.text))
    assert [block["label"] for block in blocks] == ["p. 1", "p. 2"]
    first, second = blocks[1]["lines"]
    assert [(part["text"], part["mark"]) for part in first["parts"]] == [("Eins. ", 0), ("Zwei. ", 1), ("Drei.", 2)]
    assert (first["lang"], second["lang"]) == ("de", None)


@pytest.mark.parametrize("text", ["", "x", "Wort.\n" * 20_000, "W" * 200_000, "a\n" * 15_000 + "b" * 70_000])
def test_parts_of_a_text_are_the_whole_text(text: str) -> None:
    bounds = part_bounds(text)
    assert bounds[0] == 0 and bounds[-1] == len(text) and bounds == sorted(bounds)
    assert all(after - before <= 2 * PART for before, after in zip(bounds, bounds[1:], strict=False))
    segment = Segment(0, 0, 0, "", "de", {})
    extraction = Extraction((Unit(text),), "text")
    shown = [
        part["text"]
        for pair in zip(bounds, bounds[1:], strict=False)
        for block in blocks_between(extraction, segment, None, pair)
        for line in block["lines"]
        for part in line["parts"]
    ]
    assert "".join(shown) == text.replace("\n", "")


@pytest.mark.parametrize("address", ["", "x.1", DOCUMENT, f"{DOCUMENT}.-1", f"{DOCUMENT}.1.2", f"{DOCUMENT}.{10**30}"])
def test_an_address_that_names_no_passage_is_refused(address: str) -> None:
    with pytest.raises(UserError):
        Wanted.from_address(address)
    assert Wanted.from_address(f"{DOCUMENT}.7.3-9") == Wanted(DOCUMENT, 7, (3, 9))


@pytest.mark.parametrize(
    "data", [None, [], {"document": "../../etc/passwd", "index": 0}, {"document": DOCUMENT, "index": "0"}]
)
def test_what_only_a_forger_would_send_is_refused(data: object) -> None:
    with pytest.raises(UserError):
        Wanted.from_event(Event(data))


def test_a_page_is_drawn_with_boxes_around_the_passage() -> None:
    path = ROOT / "examples" / "health" / "Il quaderno dell'ostetrica.pdf"
    page = draw(path, 1, "Il neonato")
    assert page is not None
    assert page.png.startswith(b"\x89PNG")
    assert len(page.boxes) == 1
    assert all(
        0 <= left <= 1 and 0 <= top <= 1 and 0 < width <= 1 and 0 < height < 0.1
        for left, top, width, height in page.boxes
    )
    assert draw(path, 1, "words that are not there at all").boxes == ()  # type: ignore[union-attr]


def test_what_is_no_pdf_cannot_be_drawn(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 broken")
    assert draw(tmp_path / "a.pdf", 1, "x") is None


# ---- uploads


def test_only_what_an_upload_was_called_opens_it_and_once(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("s")
    folder = tmp_path / "uploads"
    folder.mkdir()
    name = "ab" * 16
    (folder / name).write_text("a")
    names = [name, name, "cd" * 16, str(folder / name), "../secret.txt", "", "\0", f"{name}\n", ".", name.upper()]
    good, refused = received([(one, "f/a.txt") for one in names], folder)
    assert [(source.name, source.kept, Path(source.path).read_text()) for source in good] == [("f/a.txt", True, "a")]
    assert len(refused) == 9 and not (folder / name).exists()


def test_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    names = ["ab" * 16, "cd" * 16]
    for name in names:
        (tmp_path / name).write_text("the same")
    (one, other), _ = received([(name, "LICENSE") for name in names], tmp_path)
    assert (one.name, other.name) == ("LICENSE", "LICENSE (2)")
    Path(one.path).unlink()
    assert Path(other.path).read_text() == "the same"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("C:\\Users\\a\\b.txt", "C:/Users/a/b.txt"),
        ("a\n\0b.txt", "a  b.txt"),
        ("evil\u202etxt.exe", "evil txt.exe"),
        ("", "unnamed"),
        (HOSTILE, HOSTILE),
    ],
)
def test_names_cannot_climb_or_hide(given: str, name: str) -> None:
    assert clean_name(given) == name


def test_the_sweep_leaves_what_a_job_waits_for(tmp_path: Path) -> None:
    wanted, other = tmp_path / "a" / "1.txt", tmp_path / "b" / "2.txt"
    for file in (wanted, other):
        file.parent.mkdir()
        file.write_text("x")
    assert sweep(tmp_path, [str(wanted)], older_than_seconds=-1) == 1
    assert wanted.exists() and not other.parent.exists()


def test_the_plan_sorts_files_before_any_work(tmp_path: Path) -> None:
    library = Library(tmp_path / "home")
    files = {"a.txt": b"text", "b.weird": b"plain text", "c.weird": b"\0\1\2", "d.txt": b"x" * 2000}
    files |= {"scan": b"%PDF-1.7\n\0", "backup.2024": b"PK\3\4\0\0"}  # known by their content alone
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    sources = [Source(str(tmp_path / name), name, len(content)) for name, content in files.items()]
    plan = preflight(library, "documents", sources, max_file_bytes=1000)
    assert [source.name for source in plan.new] == ["a.txt", "b.weird", "scan", "backup.2024"]
    assert [source.name for source in plan.unsupported] == ["c.weird"]
    assert plan.too_large == (("d.txt", 2000),)
    assert (plan.seconds, plan.passages) == (None, 1)  # nobody knows yet how fast it goes
    library.close()


def test_a_plan_can_be_started_once() -> None:
    waiting = Waiting()
    token = waiting.put(WaitingPlan("documents", Preflight(new=())))
    with pytest.raises(OSError), waiting.taken(token):
        raise OSError  # the disk is full: nothing was started
    with waiting.taken(token) as taken:
        assert taken is not None and taken.collection == "documents"
    with waiting.taken(token) as taken:
        assert taken is None and waiting.find(token) is None


# ---- people


def test_another_address_needs_people_who_sign_in(tmp_path: Path) -> None:
    assert check_address(Settings(home=tmp_path)) is None
    open_settings = Settings(home=tmp_path, host="0.0.0.0")
    with pytest.raises(UserError, match="add-user"):
        check_address(open_settings)
    add_user(tmp_path, "Ada", "correct horse battery")
    sign_in = check_address(open_settings)
    assert sign_in is not None and sign_in("Ada", "correct horse battery")
    assert "correct" not in (tmp_path / "users.json").read_text()
    assert (tmp_path / "users.json").stat().st_mode & 0o077 == 0


class Known(Users):
    """People without a file."""

    def __init__(self, people: dict[str, str]) -> None:
        self.people = people

    def current(self) -> dict[str, str]:
        return self.people


def cheap_sign_in(now: list[float]) -> SignIn:
    users = {"Ada": hash_password("right", cost=2**4), "Bo": hash_password("right too", cost=2**4)}
    return SignIn(Known(users), clock=lambda: now[0])


def test_five_wrong_passwords_close_a_name_for_a_while() -> None:
    now = [0.0]
    sign_in = cheap_sign_in(now)
    assert not any(sign_in("Ada", "wrong") for _ in range(5))
    assert not sign_in("Ada", "right")
    assert sign_in("Bo", "right too") and not sign_in("nobody", "right")
    now[0] = 15 * 60 + 1
    assert sign_in("Ada", "right")


def test_nobody_can_close_a_name_for_another_address() -> None:
    sign_in = cheap_sign_in([0.0])
    assert not any(sign_in("Ada", "wrong", "10.0.0.1") for _ in range(6))
    assert not sign_in("Ada", "right", "10.0.0.1")
    assert sign_in("Ada", "right", "10.0.0.2") and sign_in("Bo", "right too", "10.0.0.1")


def test_an_address_that_tries_many_names_is_closed_too() -> None:
    now = [0.0]
    sign_in = cheap_sign_in(now)
    assert not any(sign_in(f"name {number}", "wrong", "10.0.0.1") for number in range(20))
    assert not sign_in("Ada", "right", "10.0.0.1")
    assert sign_in("Ada", "right", "10.0.0.2")
    now[0] = 15 * 60 + 1
    assert sign_in("Ada", "right", "10.0.0.1")


def test_addresses_that_one_line_owns_count_as_one() -> None:
    sign_in = cheap_sign_in([0.0])
    assert not any(sign_in("Ada", "wrong", f"2001:db8::{number}") for number in range(1, 6))
    assert not sign_in("Ada", "right", "2001:db8::6")
    assert sign_in("Ada", "right", "2001:db8:0:1::1")
    assert not any(sign_in("Bo", "wrong", "::ffff:10.0.0.1") for _ in range(5))
    assert not sign_in("Bo", "right too", "10.0.0.1")
    assert sign_in("Bo", "right too", "::ffff:10.0.0.2")


def test_a_name_that_nobody_has_costs_the_same_work_as_one_that_somebody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    real = hashlib.scrypt

    def scrypt(*arguments: Any, **options: Any) -> bytes:
        counted.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr(hashlib, "scrypt", scrypt)

    def work(names: list[str]) -> list[int]:
        """How many hashes each try takes."""
        sign_in, taken = cheap_sign_in([0.0]), []
        counted.clear()
        for name in names:
            assert not sign_in(name, "wrong", "10.0.0.1")
            taken.append(len(counted) - sum(taken))
        return taken

    assert work(["nobody"] * 8) == work(["Ada"] * 8) == [1] * 5 + [0] * 3
    assert work([*("one", "two", "three", "four", "five"), "six"]) == [1] * 6
    assert work([*["nobody"] * 6, "Ada"]) == work([*["nobody"] * 6, "another"]) == work([*["Bo"] * 6, "Ada"])


def test_equal_passwords_have_different_hashes() -> None:
    one, other = hash_password("same", cost=2**4), hash_password("same", cost=2**4)
    assert one != other and password_fits("same", one) and not password_fits("Same", one)


def test_bad_names_and_passwords_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        add_user(tmp_path, "Ada", "short")
    with pytest.raises(UserError):
        add_user(tmp_path, " ", "long enough password")
    assert load_users(tmp_path) == {}


# ---- the whole application, over HTTP


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[Any]:
    with page_client(home) as client:
        yield client


def test_every_answer_carries_the_headers(client: Any) -> None:
    for path in ("/", "/healthz", "/nothing-here", "/source/documents/x/original"):
        answer = client.get(path)
        assert {key: answer.headers.get(key) for key in HEADERS} == HEADERS, path


def test_text_is_packed_as_the_browser_asks_and_gradios_files_are_kept(client: Any) -> None:
    plain = client.get("/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for encoding in ("br", "gzip"):
        packed = client.get("/", headers={"accept-encoding": encoding})
        assert packed.headers["content-encoding"] == encoding and packed.text == plain.text
        assert int(packed.headers["content-length"]) < len(plain.content) / 3
    script = re.findall(r"\./(assets/[^\"']+\.js)", plain.text)[0]
    first, again = (client.get(script, headers={"accept-encoding": "br"}) for _ in range(2))
    assert first.headers["content-encoding"] == "br" and "immutable" in first.headers["cache-control"]
    assert first.content == again.content == client.get(script, headers={"accept-encoding": "identity"}).content
    assert "default-src 'none'" in first.headers["content-security-policy"]


def test_gradios_files_are_packed_well_after_they_were_first_given_out(tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    from labse_search.ui.compress import Compress

    script = ("const words = " + json.dumps([f"word {number * 7919 % 1009}" for number in range(500)])).encode()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/javascript")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": script})

    def sizes() -> list[int]:
        client = TestClient(Compress(app, tmp_path))  # type: ignore[arg-type]
        return [int(client.get(path, headers={"accept-encoding": "br"}).headers["content-length"]) for path in paths]

    paths = ["/assets/a-1.js", "/other.js"]
    first = sizes()
    until = time.monotonic() + SECONDS
    while not (tmp_path / "a-1.js.br").is_file():
        assert time.monotonic() < until
        time.sleep(0.01)
    assert sizes()[0] < first[0] and sizes()[1] == first[1]


def test_foreign_requests_are_refused_on_the_wire(client: Any) -> None:
    assert client.get("/", headers={"host": "evil.com"}).status_code == 421
    upload = client.post("/upload?sizes=1", content=b"x", headers={"origin": "http://evil.com"})
    assert upload.status_code == 403
    assert client.get("/gradio_api/file=/etc/passwd").status_code == 404
    assert client.post("/gradio_api/upload", files={"files": b"x"}).status_code == 404
    assert client.post("/upload?sizes=1", content=b"x").status_code == 200


def test_the_page_names_no_foreign_address_that_a_browser_would_fetch(client: Any) -> None:
    html = client.get("/").text
    fetched = re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"'](https?://[^\"']+)", html)
    assert [address for address in fetched if "127.0.0.1" not in address] == []


def test_whoever_has_not_signed_in_sees_nothing(client: Any) -> None:
    from starlette.testclient import TestClient

    from labse_search.ui import create_app

    context = replace(client.context, settings=replace(client.context.settings, host="0.0.0.0"))
    with pytest.raises(UserError):
        create_app(context)
    add_user(context.settings.home, "Ada", "correct horse battery")
    document = context.library.documents("documents")[0].document
    original = f"/source/documents/{document}/original"
    with TestClient(create_app(context), base_url="http://192.168.1.2:7860") as guest:
        assert "in/two.txt" not in guest.get("/").text
        assert guest.get(original).status_code == 401
        call = guest.post("/gradio_api/call/search", json={"data": ["en1", 3, "documents"]})
        assert call.status_code == 401
        assert guest.post("/upload?sizes=1", content=b"x").status_code == 401
        wrong = guest.post("/login", data={"username": "Ada", "password": "guess"})
        assert wrong.status_code == 400
        signed_in = guest.post("/login", data={"username": "Ada", "password": "correct horse battery"})
        cookies = signed_in.headers.get_list("set-cookie")
        assert signed_in.status_code == 200 and all("httponly" in cookie.lower() for cookie in cookies)
        assert guest.get(original).status_code == 200
    (context.settings.home / "users.json").unlink()


def test_wrong_passwords_close_a_name_only_where_they_came_from(client: Any) -> None:
    from starlette.testclient import TestClient

    from labse_search.ui import create_app
    from labse_search.ui.users import users_file

    context = replace(client.context, settings=replace(client.context.settings, host="0.0.0.0"))
    file = users_file(context.settings.home)
    file.write_text(json.dumps({"Ada": hash_password("right", cost=2**4)}))
    app = create_app(context)

    def sign_in(address: str, password: str) -> int:
        with TestClient(app, base_url="http://192.168.1.2:7860", client=(address, 5000)) as guest:
            return int(guest.post("/login", data={"username": "Ada", "password": password}).status_code)

    try:
        assert [sign_in("192.168.1.66", "wrong") for _ in range(5)] == [400] * 5
        assert (sign_in("192.168.1.66", "right"), sign_in("192.168.1.7", "right")) == (400, 200)
    finally:
        file.unlink()


def test_originals_are_downloads_and_never_pages(client: Any, home: Path) -> None:
    row = next(row for row in client.context.library.documents("documents") if row.names == ("in/two.txt",))
    answer = client.get(f"/source/documents/{row.document}/original")
    assert answer.content == (home / "in" / "two.txt").read_bytes()
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("document", ["..%2f..%2fusers.json", "0" * 32, "ledger.sqlite3", "%00"])
def test_nothing_but_documents_of_the_collection_is_served(client: Any, document: str) -> None:
    for path in (f"/source/documents/{document}/original", f"/source/documents/{document}/page/1"):
        assert client.get(path).status_code == 404


def test_the_published_search_answers(client: Any) -> None:
    event = client.post(
        "/gradio_api/call/search", json={"data": [sentence("en", [1, 2, 3, 4]), 3, "documents"]}
    ).json()["event_id"]
    stream = client.get(f"/gradio_api/call/search/{event}").text
    hits = json.loads(re.findall(r"event: complete\ndata: (.*)", stream)[0])[0]
    assert hits[0]["document"] == "in/one.txt" and hits[0]["rank"] == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["en1 " * 1250 + "x", 3, "documents"], "5,000"),
        (["  ", 3, "documents"], "Type a question"),
        ([None, 3, "documents"], "query"),
        ([["en1"], 3, "documents"], "query"),
        (["en1", "three", "documents"], "limit"),
        (["en1", 1.5, "documents"], "limit"),
        (["en1", 3, {"a": 1}], "collection"),
    ],
)
def test_the_published_search_says_why_it_refuses(client: Any, given: list[Any], why: str) -> None:
    call = client.post("/gradio_api/call/search", json={"data": given})
    stream = client.get(f"/gradio_api/call/search/{call.json()['event_id']}").text
    assert why in json.loads(re.findall(r"event: error\ndata: (.*)", stream)[0])["error"]


def test_handlers_of_the_page_are_not_in_the_listing(client: Any) -> None:
    listing = client.get("/gradio_api/info").json()["named_endpoints"]
    assert set(listing) == {"/search"}


def test_errors_tell_a_reference_and_neither_text_nor_paths(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    from labse_search.ui.handlers import Handlers

    def fail(collection: str) -> object:
        raise RuntimeError(f"secret text in {ROOT}")

    handlers = Handlers(replace(client.context, searcher=fail))
    value = handlers.search.results(Query(question="a question of mine"), "documents")
    assert value["state"] == "error" and len(value["reference"]) == 8
    said = json.dumps(value) + caplog.text
    assert value["reference"] in caplog.text and "RuntimeError" in caplog.text
    assert "secret" not in said and str(ROOT) not in said and "of mine" not in said


def test_a_question_finds_and_a_removed_document_comes_back(client: Any) -> None:
    from indexer.worker import do_job
    from labse_search.ui.handlers import Handlers

    context = client.context
    handlers = Handlers(context)
    question = Query(question=sentence("en", [1, 2, 3, 4, 5]), mode="meaning")
    found = handlers.search.results(question, "documents")
    assert found["cards"][0]["title"] == "one.txt" and found["state"] in ("results", "weak")
    document = found["cards"][0]["document"]
    shown = handlers.search.view("documents", Event({"document": document, "index": 0, "mark": [0, 3]}))
    part = client.get(f"/{shown['text']}/{shown['part']}?at=0.0-3").json()
    assert (shown["parts"], part["blocks"][0]["lines"][0]["parts"][0]["mark"]) == (1, 2)
    assert client.get(f"/{shown['text']}/1?at=0").status_code == 404

    removed = handlers.collection.remove("documents", Event({"document": document}))
    assert {one["document"]: one["state"] for one in removed["documents"]}[document] == "removed"
    few = documents_value(context, "documents", most=1)  # it can be put back beside any number of others
    assert ([one["document"] for one in few["documents"]], few["more"], few["removed"]) == ([document], 1, 1)
    assert handlers.search.results(question, "documents")["cards"][0]["title"] != "one.txt"
    handlers.collection.restore("documents", Event({"document": document}))
    job = context.library.jobs("documents")[0]
    do_job(context.library, context.settings, job)
    assert handlers.search.results(question, "documents")["cards"][0]["title"] == "one.txt"


def test_settings_are_changed_on_the_page_where_the_environment_leaves_them(client: Any, home: Path) -> None:
    from lexicon import make_lexicon_model

    from labse_search.ui.handlers import Handlers

    tab = Handlers(client.context).settings
    before = client.context.model_of("another")
    wrong = tab.save(Event({"model": "/no/such/model", "precision": "bf16"}))
    assert wrong["message"] and not wrong["saved"] and client.context.model_of("another") == before
    other = str(make_lexicon_model(home / "chosen", seed=2))
    saved = tab.save(Event({"model": other, "precision": "fp32", "theme": "dark", "host": "0.0.0.0"}))
    shown = {one["name"]: one["value"] for one in saved["fields"]}
    assert saved["saved"] and (shown["model"], shown["precision"]) == (other, "fp32")
    assert client.context.model_of("another") == other and client.context.model_of("documents") == before
    assert dict(map(tuple, saved["space"]))["space_store"] > 0
    (client.context.settings.home / "settings.json").unlink()


def test_a_collection_is_renamed_exported_and_brought_back_from_a_backup(client: Any, home: Path) -> None:
    from indexer.sources import walk
    from indexer.worker import do_job
    from labse_search.ui.handlers import Handlers

    context, handlers = client.context, Handlers(client.context)
    library = context.library
    job = library.add_index_job("drafts", context.model, walk([home / "in"], library, "drafts"))
    do_job(library, context.settings, library.job(job))
    assert handlers.manage.shown("drafts")["others"] == ["documents"]
    (queued,) = handlers.manage.backup("drafts", Event({}))["jobs"]
    assert (queued["kind"], queued["state"]) == ("backup", "queued")
    do_job(library, context.settings, library.job(queued["id"]))
    (made,) = handlers.manage.shown("drafts")["backups"]
    assert made["name"] == queued["file"] == handlers.state("drafts")["works"][0]["file"]
    packed = client.get(f"/backup/{made['name']}")
    assert packed.status_code == 200 and len(packed.content) == made["bytes"]
    assert client.get("/backup/..%2Fledger.sqlite3").status_code == 404
    assert handlers.manage.rename("drafts", Event({"name": "documents"}))["message"]
    assert handlers.manage.rename("drafts", Event({"name": "письма"}))["to"] == "письма"
    lines = client.get("/passages/письма.jsonl").text.splitlines()
    assert len(lines) == context.store.count("письма") == context.store.count("documents")
    assert handlers.manage.merge("письма", Event({"name": "письма", "into": "documents"}))["to"] == "documents"
    assert client.get("/passages/письма.jsonl").status_code == 404
    bringing = handlers.manage.bring("documents", Event({"name": made["name"]}))["jobs"][0]
    do_job(library, context.settings, library.job(bringing["id"]))
    assert library.job(bringing["id"]).state == "done"
    assert {"documents", "drafts"} <= {*library.ledger.collections.all()}
    assert handlers.manage.delete_backup("drafts", Event({"name": made["name"]}))["backups"] == []
    handlers.manage.erase("drafts", Event({"name": "drafts"}))


def test_what_the_store_has_lost_is_seen_and_rebuilt(client: Any) -> None:
    from indexer.worker import do_job
    from labse_search.ui.handlers import Handlers

    context = client.context
    handlers = Handlers(context)
    row = next(row for row in context.library.documents("documents") if row.names == ("in/one.txt",))
    assert handlers.collection.check("documents")["problems"] == []
    context.store.delete("documents", Filter(documents=(row.document,)))
    assert [problem["name"] for problem in handlers.collection.opened("documents")["problems"]] == ["in/one.txt"]
    handlers.collection.repair("documents")
    do_job(context.library, context.settings, context.library.jobs("documents")[0])
    assert handlers.collection.check("documents") | {"problems": []} == handlers.collection.check("documents")
    assert context.store.count("documents", Filter(documents=(row.document,))) == row.segments


def test_a_collection_is_embedded_again_switched_back_and_erased(client: Any, home: Path) -> None:
    from lexicon import make_lexicon_model

    from indexer.sources import walk
    from indexer.worker import do_job
    from labse_search.ui.handlers import Handlers

    context = client.context
    tab, manage = Handlers(context).models, Handlers(context).manage
    library = context.library
    job = library.add_index_job("книги", context.model, walk([home / "in"], library, "книги"))
    do_job(library, context.settings, library.job(job))
    other = make_lexicon_model(home / "other", seed=1)
    looked = tab.look_at("книги", Event({"model": str(other)}))["candidate"]
    assert looked["here"] and looked["passages"] == context.store.count("книги") and looked["seconds"] > 0
    value = tab.embed_again("книги", Event({"model": str(other)}))
    assert [one["state"] for one in value["generations"]] == ["serving", "building"]
    assert value["generations"][1]["job"]["state"] == "queued"
    assert value["message"] == ""
    do_job(library, context.settings, library.jobs("книги")[0])
    assert [one["state"] for one in tab.shown("книги")["generations"]] == ["serving", "ready"]
    switched = tab.switch("книги", Event({"number": 2}))
    assert {one["number"]: one["state"] for one in switched["generations"]} == {1: "ready", 2: "serving"}
    assert tab.drop_generation("книги", Event({"number": 2}))["message"] != ""
    dropped = tab.drop_generation("книги", Event({"number": 1}))
    assert [one["number"] for one in dropped["generations"]] == [2]
    assert "erased" not in manage.erase("книги", Event({"name": "documents"}))
    assert manage.erase("книги", Event({"name": "книги"}))["erased"] == "книги"
    assert library.documents("книги") == [] and library.documents("documents") != []


def test_indexing_again_reads_every_document_anew(client: Any) -> None:
    from indexer.worker import do_job
    from labse_search.ui.handlers import Handlers

    context = client.context
    handlers = Handlers(context)
    before = {row.document: row.digest for row in context.library.documents("documents")}
    handlers.collection.read_again("documents", Event({"document": ""}))
    job = do_job(context.library, context.settings, context.library.jobs("documents")[0])
    assert job is not None and job.state == "done" and job.segments > 0
    assert {row.document: row.digest for row in context.library.documents("documents")} == before


def test_an_empty_collection_offers_the_sample_and_counts_nothing(client: Any) -> None:
    from labse_search.ui.handlers import Handlers

    context = client.context
    value = Handlers(context).search.results(Query(), "another")
    assert (value["state"], value["sample"]) == ("first", True)
    assert Status(context).counts("another").passages == 0


def test_a_drop_becomes_a_plan_and_then_a_job(client: Any) -> None:
    from labse_search.ui.handlers import Handlers

    context = client.context
    handlers = Handlers(context)
    contents = [f"new {time.time_ns()}".encode(), (context.settings.home.parent / "in" / "one.txt").read_bytes()]
    sizes = ",".join(str(len(content)) for content in contents)
    uploads = client.post(f"/upload?sizes={sizes}", content=b"".join(contents)).json()
    files = [{"upload": one, "name": f"mine/{name}"} for one, name in zip(uploads, ("n.txt", "one.txt"), strict=True)]
    value = handlers.adding.stage(
        "documents", Event({"files": [*files, {"upload": "/etc/passwd", "name": "p"}], "failed": 1})
    )
    plan = value["plan"]
    assert (plan["new"], plan["already"]["n"], plan["refused"]["n"], plan["failed"]) == (1, 1, 1, 1)
    assert not any((context.uploads / one).exists() for one in uploads)
    assert len(list(context.uploads.iterdir())) <= 2  # what is there already need not wait
    again = [
        f"other {time.time_ns()}".encode(),
        contents[0],
    ]  # a second drop: a file of that name, and the same
    sizes = ",".join(str(len(content)) for content in again)
    uploads = client.post(f"/upload?sizes={sizes}", content=b"".join(again)).json()
    files = [{"upload": one, "name": name} for one, name in zip(uploads, ("mine/n.txt", "same.txt"), strict=True)]
    plan = handlers.adding.stage("documents", Event({"files": files, "token": plan["token"]}))["plan"]
    assert (plan["new"], plan["already"]["n"], plan["refused"]["n"], plan["files"]) == (2, 2, 1, 4)
    assert "plan" not in handlers.adding.start("documents", Event({"token": plan["token"]}))
    job = context.library.jobs("documents")[0]
    assert [file.source.name for file in context.library.job_files(job.id)] == ["mine/n.txt", "mine/n (2).txt"]
    assert handlers.adding.start("documents", Event({"token": plan["token"]}))["message"] == STRINGS["stale"]


def test_a_plan_waits_until_it_is_started_or_discarded(client: Any, tmp_path: Path) -> None:
    from labse_search.ui.handlers import Handlers

    adding = Handlers(client.context).adding
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "f.txt").write_text(f"in the folder {time.time_ns()}")

    def dropped(name: str, collection: str = "documents", token: str = "") -> dict[str, Any]:
        content = f"{name} {time.time_ns()}".encode()
        (upload,) = client.post(f"/upload?sizes={len(content)}", content=content).json()
        value: dict[str, Any] = adding.stage(
            collection, Event({"files": [{"upload": upload, "name": name}], "token": token})
        )
        return value

    token = dropped("one.txt")["plan"]["token"]
    wrong = adding.check_path("documents", Event({"place": "here/or/there", "token": token}))
    assert wrong["message"] == STRINGS["path_relative"] and wrong["plan"]["new"] == 1
    waiting = len(list(client.context.uploads.iterdir()))
    elsewhere = dropped("two.txt", "another", wrong["plan"]["token"])
    assert "documents" in elsewhere["message"] and elsewhere["plan"]["collection"] == "documents"
    assert len(list(client.context.uploads.iterdir())) == waiting  # what was refused does not lie about
    both = adding.check_path("documents", Event({"place": str(folder), "token": elsewhere["plan"]["token"]}))["plan"]
    again = adding.check_path("documents", Event({"place": str(folder), "token": both["token"]}))["plan"]
    assert (both["new"], again["new"]) == (2, 2)
    rest = adding.watched("documents", Event({"place": str(folder), "token": again["token"]}))["plan"]
    assert (rest["new"], rest["kinds"][0]["files"], rest["folder"]) == (1, 1, "")
    assert "plan" not in adding.discard("documents", Event({"token": rest["token"]}))
    assert len(list(client.context.uploads.iterdir())) == waiting - 1


OFFLINE = """
import sys
calls = []
def hook(event, values):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        calls.append((event, str(values[0])))
    elif event == "socket.connect" and isinstance(values[1], tuple) and values[1][0] not in ("127.0.0.1", "::1"):
        calls.append((event, str(values[1])))
sys.addaudithook(hook)
from pathlib import Path
from labse_search.encoder import load_encoder
from labse_search.library import Library
from labse_search.search import Searcher
from labse_search.settings import Settings
from labse_search.store import open_store
from labse_search.ui import AppContext, create_app
home, examples, model = map(Path, sys.argv[1:])
settings = Settings(home=home)
library, store = Library(home), open_store("", home=home)
searcher = lambda collection: Searcher(store, load_encoder(str(model)), collection)
context = AppContext(settings, library, store, str(model), searcher, lambda: None, examples)
from starlette.testclient import TestClient
with TestClient(create_app(context), base_url="http://127.0.0.1:1") as client:
    assert client.get("/").status_code == 200
    assert client.get("/config").status_code == 200
store.close()
print(calls)
"""


@pytest.mark.slow
def test_starting_the_page_resolves_no_name_and_calls_nobody(tmp_path: Path) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "GRADIO_"))}
    arguments = [str(tmp_path), str(ROOT / "examples"), str(ROOT / "labse_search" / "models" / "labse-mini")]
    assert run(sys.executable, "-c", OFFLINE, *arguments, env=environ).stdout.strip().splitlines()[-1] == "[]"


def test_a_model_that_is_here_is_used_for_new_collections(client: Any, home: Path) -> None:
    from lexicon import make_lexicon_model

    from labse_search.ui.handlers import Handlers

    context = client.context
    tab, before = Handlers(context).models, context.new_model
    other = str(make_lexicon_model(home / "for new ones", seed=2))
    assert tab.use_for_new("documents", Event({"model": "/no/such/model"}))["message"] and context.new_model == before
    value = tab.use_for_new("documents", Event({"model": other}))
    assert (value["message"], value["new_model"]) == ("", other)
    assert (context.model_of("not made yet"), context.model_of("documents")) == (other, before)
    assert tab.use_for_new("documents", Event({"model": before}))["new_model"] == before


def test_no_event_of_the_page_is_dropped_because_another_is_on_its_way(client: Any) -> None:
    """Gradio's default drops it. Of what waits instead it sends only the last, with the data of the first."""
    wired = [one for one in client.get("/config").json()["dependencies"] if one["api_name"] != "search"]
    assert {one["trigger_mode"] for one in wired} == {"multiple", "always_last"}
    waiting = [one for one in wired if one["trigger_mode"] == "always_last"]
    assert waiting and not [one for one in waiting if one["collects_event_data"]]


def test_only_programs_ask_through_the_queue(client: Any) -> None:
    """Its one stream of answers ends when none is awaited, and takes a question that was just asked with it."""
    queued = [one["api_name"] for one in client.get("/config").json()["dependencies"] if one["queue"]]
    assert queued == ["search"]
