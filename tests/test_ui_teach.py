"""The Teach tab without a browser: pairs, judged answers, tuning, and what they let a person save."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lexicon import sentence
from page_case import page_client

from labse_search.files import write_json
from labse_search.library.records import JobState
from labse_search.records import CollectionSpec, Pair, Segment, StoredSegment
from labse_search.teach.runs import Recipe, Run, plan_run, save
from labse_search.teach.tuning import add_tune_job
from labse_search.ui.events import Event
from labse_search.ui.handlers.tuning import recipe_of
from labse_search.ui.query import Query
from labse_search.ui.strings import text
from labse_search.ui.values import Jobs, Status


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with page_client(tmp_path_factory.mktemp("teach")) as client:
        yield client


def test_pairs_are_mined_reviewed_imported_and_saved(client: Any) -> None:
    from lexicon import random_concepts, sentence

    from indexer.worker import do_job
    from labse_search.ui.handlers import Handlers

    context = client.context
    tab = Handlers(context).teaching
    encoder = context.searcher("documents").encoder
    spec = CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model)
    context.store.create("papers", spec)
    for language in ("de", "fr"):
        texts = [sentence(language, one) for one in random_concepts(40, seed=3, length=9)]
        stored = [
            StoredSegment(language, (f"{language}.txt",), (), "txt", 0.0, Segment(i, 0, len(text), text, language, {}))
            for i, text in enumerate(texts)
        ]
        context.store.upsert("papers", stored, encoder.encode(texts), fingerprint=encoder.fingerprint)
    value = tab.mine("papers", Event({"languages": ["de", "fr"]}))
    assert value["languages"] == [("de", 40), ("fr", 40)] and value["job"]["state"] == "queued"
    assert Status(context).header("papers", Jobs(context).rows("papers"))["indexing"] is None  # it brings nothing in
    do_job(context.library, context.settings, context.library.job(value["job"]["id"]))
    assert tab.look("papers")["job"] is None
    value = tab.shown("papers")
    assert value["total"] == len(value["pairs"]) + max(0, value["total"] - 25) > 30
    first = value["queue"][0]
    said = tab.say("papers", Event({"pair": first["id"], "verdict": "wrong"}))
    assert said["said"] == first["id"] and said["kept"] == value["total"] - 1 and said["precision"]["reviewed"] == 1
    assert [one["id"] for one in tab.take_back("papers", Event({}))["undone"]] == [first["id"]]
    assert tab.say("papers", Event({"pair": first["id"], "verdict": "perhaps"}))["message"] != ""
    high = tab.shown("papers", Event({"threshold": "9"}))
    assert (high["kept"], high["threshold"], high["total"]) == (0, 9.0, value["total"])

    table = b"ein Haus\ta house\nnein\tno\n"
    names = client.post(f"/upload?sizes={len(table)}", content=table).json()
    files = [{"upload": names[0], "name": "known.tsv"}]
    known = tab.take_in("papers", Event({"files": files, "purpose": "measure"}))
    assert (known["known"], known["total"], known["imported"]) == (2, value["total"], {"n": 2, "new": 2})
    assert list(context.uploads.iterdir()) == []
    assert tab.take_in("papers", Event({"files": files}))["message"] != ""  # an upload opens once
    assert tab.clear_pairs("papers", Event({"purpose": "measure"}))["known"] == 0

    assert client.get("/teach/pairs.tmx?collection=papers").text.count("<tu>") == value["total"]
    assert client.get("/teach/pairs.tsv?collection=papers&threshold=9").status_code == 400
    assert client.get("/teach/pairs.exe?collection=papers").status_code == 404


def test_answers_are_judged_on_their_cards_and_saved_as_qrels(client: Any) -> None:
    import io
    import zipfile

    from labse_search.ui.handlers import Handlers

    handlers = Handlers(client.context)
    query = Query(question=sentence("de", [1, 2, 3]), mode="meaning")
    card = handlers.search.results(query, "documents")["cards"][0]
    sent = {"document": card["document"], "index": card["index"], "question": query.question, "answers": "yes"}
    judged = handlers.judging.judge("documents", Event(sent))
    assert [(one["text"], len(one["answers"])) for one in judged["questions"]] == [(query.question, 1)]
    assert handlers.search.results(query, "documents")["judged"] == {card["passage"]: True}
    packed = zipfile.ZipFile(io.BytesIO(client.get("/teach/judgements.zip?collection=documents").content))
    assert packed.read("qrels.txt").decode().endswith(f"0 {card['passage']} 1\n")
    assert handlers.judging.judge("documents", Event(sent | {"index": 999}))["message"] != ""
    assert handlers.judging.judge("documents", Event(sent | {"answers": ""}))["questions"] == []
    assert client.get("/teach/judgements.zip?collection=documents").status_code == 400


def test_a_tuning_that_is_cancelled_while_it_rests_is_gone(client: Any) -> None:
    from labse_search.ui.handlers import Handlers

    library, tab = client.context.library, Handlers(client.context).tuning

    def tuning(number: int, state: JobState) -> tuple[Run, str]:
        folder = library.home / "tuned" / f"20261201-10101{number}-abcdef"
        run = Run(folder, "resting", "labse-mini", 0.0, Recipe(), 9, 0, 0, {"device": "cpu", "processes": 1})
        (run.partial / "checkpoints" / "checkpoint-10").mkdir(parents=True)
        save(run)
        job = add_tune_job(library, run)
        library.ledger.jobs.set(job, state=state)
        return run, job

    kept, _ = tuning(0, "done")
    kept.partial.rename(kept.model)
    states: tuple[JobState, ...] = ("paused", "failed", "queued")
    for number, state in enumerate(states, start=1):
        run, job = tuning(number, state)
        shown = tab.request("resting", Event({"job": job, "action": "cancel"}))
        assert library.job(job).state == "cancelled" and not run.folder.exists()
        assert [one["name"] for one in shown["runs"]] == [kept.name] and kept.state == "accepted"


def test_a_tuning_is_shown_before_and_after_applied_and_taken_back(client: Any, tmp_path: Path) -> None:
    from lexicon import make_lexicon_model

    from indexer.worker import do_job
    from labse_search.ui.handlers import Handlers

    context = client.context
    handlers = Handlers(context)
    tab, library = handlers.tuning, context.library
    nothing = tab.plan("documents", Event({}))
    assert "no pairs" in nothing["message"] and nothing["planned"] and nothing["runs"] == []
    handlers.shared.teaching.pairs.add("documents", [Pair("one", "eins", 1.2, "en", "de")])
    chosen = Event({"epochs": "5000", "batch": "32", "scale": "much", "margin": "-1", "lenient": "yes"})
    assert recipe_of(chosen) == Recipe(epochs=1000.0, batch=32, lenient=True)
    run = plan_run(handlers.shared.teaching, "documents", base=context.model, recipe=Recipe(epochs=2))
    assert tab.start("documents", Event({"name": run.name}))["message"] != ""  # nobody has seen what it takes
    planned = replace(run, plan={"seconds": 60.0, "seconds_a_text": 0.01, "processes": 1, "plan": {"steps": 8}})
    save(planned)
    sent, pairs = {"name": run.name, "epochs": "2"}, handlers.shared.teaching.pairs
    pairs.judge(pairs.all("documents")[0].id, "wrong")  # after somebody saw what it takes
    assert "See again" in tab.start("documents", Event(sent))["message"]
    pairs.undo("documents")
    for other in ({"epochs": "3"}, {"threshold": "9"}):
        assert "See again" in tab.start("documents", Event(sent | other))["message"]
    assert planned.state == "planned"
    shown = tab.start("documents", Event(sent))["runs"][0]
    assert (shown["state"], shown["job"]["state"], shown["steps"]) == ("open", "queued", 8)
    assert "still being made" in tab.delete_run("documents", Event({"name": run.name}))["message"]
    job = shown["job"]["id"]
    assert tab.request("documents", Event({"job": job, "action": "pause"}))["runs"][0]["job"]["state"] == "paused"

    # As a training leaves it.
    inside = run.model / "run"
    make_lexicon_model(run.model, seed=1)
    (inside / "plots").mkdir(parents=True)
    (inside / "plots" / "alpha.png").write_bytes(b"\x89PNG")
    lines = [{"step": 0, "dev_accuracy": 0.5}, *({"step": step, "loss": 1 / step} for step in range(1, 9))]
    (inside / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 9, "lo')
    gain = {"difference": 2.0, "low": 1.0, "high": 3.0, "confidence": 0.95}
    language = {"en-de": {"pairs": 9, "before": 50.0, "after": 60.0, "low": 1.0, "high": 19.0}}
    measured = {"accepted": True, "reason": "gains", "gain_points": gain, "table": [["dev", 50.0, 60.0]]}
    write_json(inside / "metrics.json", measured | {"by_language": language})
    item = {"question": "who?", "answer": "nobody", "rank": 4, "right": False}
    models = [{"items": [item]}, {"items": [item | {"rank": 1, "right": True}]}]
    write_json(run.folder / "judged.json", {"models": models, "differences": [{"low": 0.0, "high": 1.0}]})
    library.ask(job, "cancel")
    shown = tab.shown("documents")["runs"][0]
    assert (shown["state"], shown["job"], len(shown["loss"]), shown["accuracy"]) == ("accepted", None, 8, [[0, 50.0]])
    assert shown["verdict"]["gain"]["low"] == 1.0 and shown["verdict"]["languages"][0]["name"] == "en-de"
    assert (shown["own"]["before"], shown["own"]["after"], shown["plots"]) == (0.0, 1.0, ["alpha"])
    assert client.get(f"/teach/plot/{run.name}/alpha.png").content == b"\x89PNG"
    assert client.get(f"/teach/plot/{run.name}/loss.png").status_code == 404

    built = tab.use_model("documents", Event({"name": run.name}))["runs"][0]
    assert built["generation"]["state"] == "building" and built["building"]["kind"] == "reembed"
    do_job(library, context.settings, library.job(built["building"]["id"]))
    ready = tab.shown("documents")["runs"][0]["generation"]
    assert ready["state"] == "ready"
    switched = tab.switch("documents", Event({"number": ready["number"]}))
    assert switched["runs"][0]["generation"]["state"] == "serving" and switched["model"] == str(run.model)
    assert "generation" in tab.delete_run("documents", Event({"name": run.name}))["message"].lower()
    back = tab.switch("documents", Event({"number": switched["back"]}))
    assert back["runs"][0]["generation"]["state"] == "ready" and back["model"] == context.model
    handlers.models.drop_generation("documents", Event({"number": ready["number"]}))
    assert tab.delete_run("documents", Event({"name": run.name}))["runs"] == [] and not run.folder.exists()


def test_every_tuning_is_listed_for_its_model_may_answer(client: Any) -> None:
    from labse_search.ui.handlers import Handlers

    home, tab = client.context.settings.home, Handlers(client.context).tuning
    names = [f"20261203-10101{number}-abcdef" for number in range(9)]
    for name in names:
        run = Run(home / "tuned" / name, "many", "labse-mini", 0.0, Recipe(), 9, 0, 0, {})
        (run.model / "run").mkdir(parents=True)
        save(run)
        (run.model / "run" / "history.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n')
    shown = tab.shown("many")["runs"]
    assert [one["name"] for one in shown] == names[::-1]
    assert [len(one["loss"]) for one in shown] == [2] * 6 + [0] * 3
    assert tab.delete_run("many", Event({"name": names[0]}))["message"] == ""
    assert len(tab.shown("many")["runs"]) == 8


def test_a_model_that_anything_else_needs_is_not_deleted(client: Any) -> None:
    from lexicon import make_lexicon_model

    from indexer.reembed import add_reembed_job
    from indexer.sources import walk
    from indexer.worker import do_job
    from labse_search.settings import save as save_settings
    from labse_search.ui.handlers import Handlers

    context = client.context
    tab, library, home = Handlers(context).tuning, context.library, context.settings.home

    def tuned(number: int, base: str) -> Run:
        run = Run(home / "tuned" / f"20261202-10101{number}-abcdef", "first", base, 0.0, Recipe(), 9, 0, 0, {})
        run.folder.mkdir(parents=True)
        save(run)
        return run

    def refused(*needed_by: str) -> None:
        message = tab.delete_run("first", Event({"collection": "first", "name": run.name}))["message"]
        assert all(words in message for words in needed_by) and "needed by" in message, message
        assert run.model.is_dir()

    run = tuned(1, context.model)
    make_lexicon_model(run.model, seed=2)
    link = home.parent / "link"  # another path to the same weights
    link.symlink_to(run.model)
    job = library.add_index_job("second", str(link), walk([home.parent / "in"], library, "second"))
    refused("a job of 'second'")
    do_job(library, context.settings, library.job(job))
    refused("the collection 'second'")
    second = add_reembed_job(
        library, "second", model=context.model, fingerprint=context.searcher("x").encoder.fingerprint
    )
    do_job(library, context.settings, library.job(second or ""))
    Handlers(context).models.switch("second", Event({"number": 2}))
    refused("generation 1 of 'second'")
    Handlers(context).models.drop_generation("second", Event({"number": 1}))
    next_one = tuned(2, str(run.model))
    refused(f"the tuning {next_one.name}")
    assert tab.delete_run("first", Event({"name": next_one.name}))["message"] == ""
    save_settings(home, {"model": str(run.model)})
    refused("new collections")
    save_settings(home, {"model": ""})
    assert tab.delete_run("first", Event({"name": run.name}))["message"] == "" and not run.folder.exists()


def test_two_documents_are_shown_side_by_side_and_corrected(client: Any) -> None:
    from indexer.worker import do_job
    from labse_search.ui.handlers import Handlers

    context, tab = client.context, Handlers(client.context).aligning
    shown = tab.shown("documents")
    one, two = (row["document"] for row in sorted(shown["documents"], key=lambda row: row["title"]))
    asked = Event({"source": one, "target": two})
    assert tab.align("documents", Event({"source": one, "target": one}))["message"] != ""
    assert tab.align("documents", Event({"source": one, "target": "ab" * 16}))["message"] != ""
    job = tab.align("documents", asked)["job"]
    assert job["kind"] == "align" and tab.align("documents", asked)["job"]["id"] == job["id"]
    assert [row["kind"] for row in tab.shown("documents")["jobs"]][-1] == "align"
    do_job(context.library, context.settings, context.library.job(job["id"]))
    value = tab.align("documents", Event({"source": two, "target": one}))  # in whichever order
    assert [side["document"] for side in value["sides"]] == [one, two] and value["undo"] == 0
    assert sum(bead[3] - bead[2] for bead in value["beads"]) == len(value["sides"][1]["sentences"])
    changed = tab.correct("documents", Event({"id": value["id"], "action": "merge", "at": 0}))
    assert changed["undo"] == 1 and len(changed["beads"]) == len(value["beads"]) - 1
    assert tab.correct("documents", Event({"id": value["id"], "action": "explode", "at": 0}))["message"] != ""
    assert tab.correct("documents", Event({"id": "../x", "action": "undo"}))["message"] != ""
    assert tab.to_review("documents", Event({"id": value["id"]}))["reviewed"]["new"] >= 1
    assert client.get(f"/aligned/{value['id']}.tmx").text.count("<tu>") >= 1
    assert client.get(f"/aligned/{value['id']}.exe").status_code == 404
    assert client.get(f"/aligned/{'a' * 32}.tsv").status_code == 400
    assert [row["n"] >= 1 for row in tab.shown("documents")["kept"]] == [True]
    assert tab.forget("documents", Event({"id": value["id"]}))["kept"] == []


def test_translations_and_copies_are_listed_and_the_reader_names_translations(client: Any) -> None:
    from labse_search.align.copies import Copy
    from labse_search.align.known import documents_digest, keep_translations
    from labse_search.align.translations import Translation
    from labse_search.ui.handlers import Handlers

    library, handlers = client.context.library, Handlers(client.context)
    one, two = (row.document for row in library.documents("documents"))
    digest = documents_digest(library, "documents")
    keep_translations(library, "documents", digest, [Translation(one, two, 0.8)], [Copy(two, one, 0.9)])
    also = handlers.search.view("documents", Event({"document": one, "index": 0}))["also"]
    assert [row["document"] for row in also] == [two]
    shown = handlers.aligning.shown("documents")
    assert [row["share"] for row in shown["pairs"]] == [0.8]
    assert [(row["source"]["document"], row["share"]) for row in shown["copies"]] == [(two, 0.9)]


def test_nothing_is_done_to_the_open_collection_by_what_is_shown_of_another(client: Any) -> None:
    from labse_search.ui.handlers import Handlers

    handlers = Handlers(client.context)
    teaching, judgements = handlers.shared.teaching, handlers.shared.teaching.judgements
    teaching.pairs.add("documents", [Pair("ein Haus", "a house", 1.2, "de", "en")])
    before = teaching.pairs.all("documents")
    judgements.put("documents", "where?", "here", "a text", answers=True)
    other = Event({"collection": "another", "document": "", "number": 1, "question": "where?", "passage": "here"})
    answers = [
        handlers.teaching.clear_pairs("documents", other),
        handlers.teaching.take_back("documents", other),
        handlers.judging.forget("documents", other),
        handlers.tuning.switch("documents", other),
        handlers.tuning.use_model("documents", other),
        handlers.models.switch("documents", other),
        handlers.models.drop_generation("documents", other),
        handlers.models.embed_again("documents", other),
        handlers.collection.read_again("documents", other),
        handlers.collection.forget("documents", other),
        handlers.manage.rename("documents", other),
    ]
    assert {answer["message"] for answer in answers} == {text("another_open")}
    assert teaching.pairs.all("documents") == before
    assert "here" in [one.passage for one in judgements.judged("documents")]
    same = Event({"collection": "documents"})
    assert handlers.teaching.clear_pairs("documents", same)["total"] < len(before)
