"""What happens with what people say of answers. Values in, values out; no gradio here."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

from labse_search.errors import UserError
from labse_search.records import Filter
from labse_search.teach import passage_name
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, looked, same_collection, sentence, then_shown
from labse_search.ui.query import MAX_QUESTION
from labse_search.ui.strings import text

QUESTIONS = 200  # shown, the newest


class JudgingHandlers:
    """What the page does with answers that a person judged."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.context = shared.context

    def shown(self, collection: str, message: str = "") -> Value:
        """The judged questions with their answers, newest first."""

        def look() -> Value:
            judgements = self.shared.teaching.judgements
            questions = judgements.questions(collection)
            answers: dict[str, list[Value]] = {}
            for one in judgements.judged(collection):
                row = {"passage": one.passage, "text": one.text, "answers": one.answers}
                answers.setdefault(one.question, []).append(row)
            rows = [
                {"text": one.text, "split": one.split, "answers": answers.get(one.id, [])}
                for one in questions[: -QUESTIONS - 1 : -1]
            ]
            return {"questions": rows, "count": len(questions), "message": message}

        value = looked(look, lambda *failed: {"questions": [], "count": 0, "message": sentence(*failed)})
        return value | {"collection": collection}

    def judge(self, collection: str, event: Event) -> Value:
        """Keep, or take back, whether a passage answers a question."""

        def act() -> None:
            document, index = event.document(), event.number("index")
            where = Filter(documents=(document,), indexes=(index or 0,))
            known = bool(document) and index is not None
            stored = next(iter(self.context.store.segments(collection, where)), None) if known else None
            if stored is None:
                raise UserError(text("gone"))
            segment, question = stored.segment, event.text("question")[:MAX_QUESTION]
            passage = passage_name(document, segment.start, segment.end)
            judgements = self.shared.teaching.judgements
            if event.text("answers") in ("yes", "no"):
                judgements.put(collection, question, passage, segment.text, answers=event.text("answers") == "yes")
            else:
                judgements.take_back(collection, question, passage)

        return then_shown(act, self.shown, collection)

    def forget(self, collection: str, event: Event) -> Value:
        """Take one judgement back, from the list."""

        def act() -> None:
            same_collection(collection, event)
            judgements = self.shared.teaching.judgements
            judgements.take_back(collection, event.text("question"), event.text("passage"))

        return then_shown(act, self.shown, collection)

    def archive(self, collection: str) -> bytes:
        """A ZIP of queries.tsv, qrels.txt (TREC) and passages.tsv, of all questions. UserError where there are none."""
        packed = io.BytesIO()
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            self.shared.teaching.judgements.export(collection, Path(folder))
            for file in sorted(Path(folder).iterdir()):
                archive.write(file, file.name)
        return packed.getvalue()
