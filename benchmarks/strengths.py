"""How far right answers, and the best of wrong ones, lie above a collection's usual closeness to the question.

  python -m benchmarks.strengths      # indexes examples/ with the shipped model, half a minute

What `labse_search.search.searcher` calls very close, close and related stands on these figures. Right answers: the
questions of tests/data about documents of examples/, their passage found or not. Wrong ones: questions that nothing in
examples/ answers, and the passage that comes first all the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labse_search.search import Searcher
from labse_search.search.__main__ import open_searcher
from labse_search.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
UNANSWERED = (
    "Who won the chess championship in 1972?",
    "Wie schnell dreht sich der Jupiter um seine Achse?",
    "Quelle est la capitale de la Mongolie ?",
    "¿Cuántos huesos tiene el cuerpo de un gato?",
    "Кто изобрёл паровую машину?",
    "Ile kosztuje bilet do opery w Wiedniu?",
    "Bilgisayarımın şifresini nasıl değiştiririm?",
    "كم عدد لاعبي فريق كرة القدم؟",
    "सूर्य ग्रहण कब होता है?",
    "光的速度是多少？",
    "この曲を作曲したのは誰ですか。",
    "Como se toca um acorde de sol no violão?",
    "Wanneer werd de eerste satelliet gelanceerd?",
    "Hur många strängar har en cello?",
    "Quando è nato il compositore dell'opera?",
    "Which planets have rings?",
    "Welche Steuern zahlt eine Aktiengesellschaft?",
    "How do I change the language of my phone?",
    "Qui a peint ce tableau de tournesols ?",
    "Що таке чорна діра?",
)


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "LABSE_HOME": home, "LABSE_MODEL": "labse-mini"}
        subprocess.run([sys.executable, "-m", "indexer", "examples", "--json"], cwd=ROOT, env=environ, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        searcher = open_searcher(Settings(home=Path(home)))
        try:
            right, places = right_answers(searcher)
            wrong = [searcher.search(question, mode="meaning").above[0] for question in UNANSWERED]
        finally:
            searcher.store.close()
    print(f"right document first {share(places, 1)}, among the first three {share(places, 3)} of {len(places)}")
    show("right answers that were found", right)
    show("best passage for what nothing answers", wrong)


def right_answers(searcher: Searcher) -> tuple[list[float], list[int]]:
    """Deviations of the right document where it was among the first ten, and its place, 99 if not."""
    above, places = [], []
    for question, document in questions():
        answer = searcher.search(question, mode="meaning")
        names = [hit.stored.names[0] for hit in answer.hits]
        place = names.index(f"examples/{document}") if f"examples/{document}" in names else 98
        places.append(place + 1)
        if place < len(names):
            above.append(answer.above[place])
    return above, places


def questions() -> list[tuple[str, str]]:
    """(question, document) of both files."""
    lines = [
        json.loads(line)
        for name in ("questions.jsonl", "question_passages.jsonl")
        for line in (ROOT / "tests" / "data" / name).read_text(encoding="utf-8").splitlines()
    ]
    return [(line["question"], line["document"]) for line in lines if "document" in line]


def share(places: Sequence[int], within: int) -> str:
    return f"{100 * np.mean([place <= within for place in places]):.0f} %"


def show(what: str, values: Sequence[float]) -> None:
    cuts = (10, 25, 50, 75, 90)
    found = np.percentile(values, cuts)
    print(
        f"{what} ({len(values)}): " + ", ".join(f"p{cut} {value:.1f}" for cut, value in zip(cuts, found, strict=True))
    )


if __name__ == "__main__":
    main()
