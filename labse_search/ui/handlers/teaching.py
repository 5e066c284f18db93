"""What happens with pairs of translations: mined, imported, reviewed. Values in, values out; no gradio here."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast, get_args

from labse_search.corpora.pairs import KINDS
from labse_search.corpora.written import write_pairs
from labse_search.errors import CollectionMissing, UserError
from labse_search.mine.language_pairs import FEWEST_SEGMENTS
from labse_search.records import UNKNOWN_LANGUAGE
from labse_search.teach import PairRow, Verdict, estimate_precision
from labse_search.teach.mining import KIND, add_mine_job
from labse_search.teach.pairs import Purpose, in_turn, is_kept
from labse_search.teach.runs import FEWEST_TO_MEASURE_ON
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, guarded, looked, same_collection, sentence
from labse_search.ui.handlers.jobs import ask_job, newest_job
from labse_search.ui.strings import text
from labse_search.ui.uploads import received

LISTED, MOST = 25, 1000  # pairs at first, and at most
QUEUE = 12  # pairs to review that the page has ahead


class TeachingHandlers:
    """What the Teach tab does with the review list."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.context = shared.context

    def shown(self, collection: str, event: Event | None = None, message: str = "", **more: object) -> Value:
        """The review list of a collection as far as the page shows it; `event` says from which score pairs are kept and
        how many are listed."""
        event = event or Event({})

        def look() -> Value:
            rows = self.shared.teaching.pairs.all(collection)
            threshold = threshold_of(event)
            limit = max(LISTED, min(event.number("limit") or LISTED, MOST))
            value = self._counts(collection, rows, threshold)
            value["pairs"] = [pair_value(row) for row in rows[:limit]]
            value["queue"] = [pair_value(row) for row in in_turn(rows, threshold, QUEUE)]
            return value | {"job": newest_job(self.context, collection, KIND), "message": message, **more}

        return looked(look, lambda *failed: {"message": sentence(*failed)}) | {"collection": collection}

    def look(self, collection: str) -> Value:
        """How far the job is, asked while it goes on: the list itself follows at its end."""
        value = looked(
            lambda: {"job": newest_job(self.context, collection, KIND)}, lambda *failed: {"message": sentence(*failed)}
        )
        return value | {"partial": True}

    def mine(self, collection: str, event: Event) -> Value:
        """Begin a job that looks for translations in the collection. The list then."""

        def begin() -> Value:
            same_collection(collection, event)
            languages = [code for code in event.texts("languages") if code]
            add_mine_job(self.context.library, self.context.store, collection, languages)
            self.context.wake()
            return {}

        return self._then_shown(begin, collection, event)

    def request(self, collection: str, event: Event) -> Value:
        """Pause, go on with or cancel the mining."""

        def ask() -> Value:
            ask_job(self.context, event)
            return {}

        return self._then_shown(ask, collection, event)

    def say(self, collection: str, event: Event) -> Value:
        """A person's word on one pair. The answer echoes which, for a page that is ahead."""

        def judge() -> Value:
            pair, verdict = event.number("pair"), event.text("verdict")
            if pair is None or verdict not in get_args(Verdict):
                raise UserError(text("gone"))
            self.shared.teaching.pairs.judge(pair, cast(Verdict, verdict))
            return {"said": pair}

        return self._then_shown(judge, collection, event)

    def take_back(self, collection: str, event: Event) -> Value:
        """Take the last word back; the pair is asked about next."""

        def back() -> Value:
            same_collection(collection, event)
            undone = self.shared.teaching.pairs.undo(collection)
            rows = [row for row in self.shared.teaching.pairs.all(collection) if row.id == undone and not row.verdict]
            return {"undone": [pair_value(row) for row in rows]}

        return self._then_shown(back, collection, event)

    def take_in(self, collection: str, event: Event) -> Value:
        """Files of pairs that were uploaded: onto the list, or to measure on."""

        def read() -> Value:
            purpose: Purpose = "measure" if event.text("purpose") == "measure" else "train"
            sent = [(one.text("upload"), one.text("name")) for one in event.events("files")]
            same_collection(collection, event)
            sources, refused = received(sent, self.context.uploads)
            if refused or not sources:
                raise UserError(text("upload_refused"))
            given = new = 0
            for source in sources:
                path = _named(Path(source.path), source.name)
                try:
                    taken = self.shared.teaching.pairs.take_in(collection, path, purpose)
                finally:
                    path.unlink()
                given, new = given + taken.given, new + taken.new
            return {"imported": {"n": given, "new": new}}

        return self._then_shown(read, collection, event)

    def clear_pairs(self, collection: str, event: Event) -> Value:
        """Take pairs that nobody judged off the list, or those to measure on."""
        purpose: Purpose = "measure" if event.text("purpose") == "measure" else "train"

        def clear() -> Value:
            same_collection(collection, event)
            self.shared.teaching.pairs.clear(collection, purpose)
            return {}

        return self._then_shown(clear, collection, event)

    def file(self, collection: str, kind: str, threshold: str) -> bytes:
        """The pairs that are kept, as "tsv" or "tmx". UserError where there are none."""
        kept = self.shared.teaching.pairs.kept(collection, threshold_of(Event({"threshold": threshold})))
        if not kept:
            raise UserError(text("teach_none"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"pairs.{kind}"
            write_pairs(path, kept)
            return path.read_bytes()

    def _counts(self, collection: str, rows: list[PairRow], threshold: float) -> Value:
        found = estimate_precision(rows, threshold)
        judged = [row.verdict for row in rows if row.verdict]
        return {
            "languages": self._languages(collection),
            "total": len(rows),
            "kept": sum(is_kept(row, threshold) for row in rows),
            "known": len(self.shared.teaching.pairs.to_measure(collection)),
            "fewest": FEWEST_TO_MEASURE_ON,
            "lowest": min((row.pair.score for row in rows), default=None),
            "threshold": threshold if math.isfinite(threshold) else None,
            "judged": len(judged),
            "precision": {key: getattr(found, key) for key in ("precision", "low", "high", "reviewed")},
        }

    def _languages(self, collection: str) -> list[tuple[str, int]]:
        """Those that translations may be looked for between."""
        try:
            found = self.context.store.facet(collection, "language")
        except CollectionMissing:
            return []
        enough = [(code, n) for code, n in found.items() if n >= FEWEST_SEGMENTS and code != UNKNOWN_LANGUAGE]
        return sorted(enough, key=lambda one: -one[1])

    def _then_shown(self, act: Callable[[], Value], collection: str, event: Event) -> Value:
        def change() -> Value:
            more = act()
            return self.shown(collection, event, "", **more)

        return guarded(change, lambda *failed: self.shown(collection, event, sentence(*failed)))


def pair_value(row: PairRow) -> Value:
    """A pair as the page shows it."""
    pair = row.pair
    return {
        "id": row.id,
        "source": pair.source,
        "target": pair.target,
        "score": f"{pair.score:.3f}",
        "languages": [pair.source_language, pair.target_language],
        "verdict": row.verdict,
    }


def threshold_of(event: Event) -> float:
    """The lowest score that is kept; without one, every score is."""
    try:
        value = float(event.text("threshold"))
    except ValueError:
        return -math.inf
    return value if math.isfinite(value) else -math.inf


def _named(upload: Path, name: str) -> Path:
    """The upload under an ending that says what it is; it is nobody's file but this one's."""
    kinds = [part.lower() for part in name.split(".")[1:]]
    ending = next((kind for kind in reversed(kinds) if kind in KINDS), "tsv")
    packed = kinds[-1] if kinds and kinds[-1] in ("gz", "xz") else ""
    return upload.rename(upload.with_name(".".join(part for part in (upload.name, ending, packed) if part)))
