"""Measure models on the public sets that lie in one folder: tatoeba/ and xquad_r/, whichever are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labse_search.encoder import load_encoder
from labse_search.errors import UserError
from labse_search.evaluate.rankers import ModelRanker
from labse_search.evaluate.read import read_paragraphs, read_tatoeba
from labse_search.evaluate.remember import Remembering
from labse_search.evaluate.report import Report, render, to_json
from labse_search.evaluate.tatoeba import evaluate_tatoeba, is_trained
from labse_search.evaluate.xquad import evaluate_xquad


def check_sets(folder: Path) -> None:
    if not (folder / "tatoeba").is_dir() and not (folder / "xquad_r").is_dir():
        raise UserError(f"--evaluate {folder}: neither tatoeba/ nor xquad_r/ is in there.")


def measure(models: Sequence[str], folder: Path, languages: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """A table and its numbers, the models side by side. Tatoeba: only the languages that were trained."""
    tables, numbers = [], {}
    encoders = [load_encoder(model) for model in models]
    if (folder / "tatoeba").is_dir():
        everything = read_tatoeba(folder / "tatoeba")
        sets = {code: pairs for code, pairs in everything.items() if is_trained(code, tuple(languages))}
        if sets:
            reports = [evaluate_tatoeba(Remembering(encoder), sets) for encoder in encoders]
            tables.append(render(reports))
            numbers["tatoeba"] = to_json(reports)
        else:
            tables.append("Tatoeba: none of its languages was trained.")
    if (folder / "xquad_r").is_dir():
        paragraphs = read_paragraphs(folder / "xquad_r")
        ranked: list[Report] = [evaluate_xquad(ModelRanker(Remembering(encoder)), paragraphs) for encoder in encoders]
        tables.append(render(ranked))
        numbers["xquad_r"] = to_json(ranked)
    return "\n\n".join(tables), numbers
