"""Tatoeba: 112 languages against English, up to 1,000 sentences each, as the LASER and LaBSE papers report it.

Accuracy: the share of sentences whose nearest sentence, by cosine, is their translation. Pools differ from language to
language, so languages cannot be compared with one another; groups are means over languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labse_search.corpora.aligned import AlignedTexts
from labse_search.evaluate.embedding_cache import EmbeddingCache
from labse_search.evaluate.pairs import PairAccuracy, pair_accuracy
from labse_search.evaluate.report import Report, Row, Section, percent
from labse_search.languages import canonical

GROUP_14 = frozenset("fra spa deu cmn ara ita jpn kor nld pol por tha tur rus".split())  # m~USE's languages
GROUP_36 = frozenset(  # XTREME's
    """afr ara bul ben deu ell spa est eus pes fin fra heb hin hun ind ita jpn jav kat kaz kor mal mar nld por rus swh
    tam tel tha tgl tur urd vie cmn""".split()
)
# Of the 112, those that LASER's README does not list among its training languages. What remains are 83 and not the
# paper's 82, whose list could not be checked: one of the 83 is not in it.
NOT_IN_LASER = frozenset(
    """ang arq arz ast awa ceb cha csb cym dsb fao fry gla gsw hsb jav max mon nno nov orv pam pms swg tuk tzl war xho
    yid""".split()
)


@dataclass(frozen=True)
class Published:
    """Mean accuracies that others printed, only what was read in the named source; None where it was not found."""

    model: str
    group_14: float | None
    group_36: float | None
    group_82: float | None
    all_112: float | None
    source: str


PUBLISHED = (
    Published("LASER", None, None, None, 65.5, "abstract of the LaBSE paper, arXiv 2007.01852"),
    Published("LaBSE", None, 95.0, None, 83.7, "36 and all: tfhub.dev google/LaBSE/2; all: the paper's abstract"),
    Published("LaBSE en→xx", 95.25, None, None, None, "README of jeongukjae/smaller-labse"),
    Published("LaBSE xx→en", 95.19, None, None, None, "README of jeongukjae/smaller-labse"),
    Published(
        "LaBSE (HF port) xx→en", 96.1, 95.2, 87.3, 83.5,
        "computed per language from embeddings-benchmark/results; its 82 are our 83",
    ),
    Published("LEALLA-small", None, None, None, 80.7, "tfhub.dev google/LEALLA/LEALLA-small"),
    Published("LEALLA-base", None, None, None, 82.4, "tfhub.dev google/LEALLA/LEALLA-base"),
    Published("LEALLA-large", None, None, None, 83.5, "tfhub.dev google/LEALLA/LEALLA-large"),
)  # fmt: skip


def evaluate_tatoeba(encoder: EmbeddingCache, sets: Mapping[str, AlignedTexts]) -> Report:
    """`sets`: by ISO 639-3 code, English as the target."""
    encoder.prepare([text for aligned in sets.values() for text in (*aligned.sources, *aligned.targets)])
    found = {
        code: pair_accuracy(encoder.vectors(aligned.sources), encoder.vectors(aligned.targets))
        for code, aligned in sorted(sets.items())
    }
    columns = ("xx→en", "en→xx", "mean", "MRR", "sentences")
    return Report(
        task="tatoeba",
        model=encoder.encoder.model,
        sections=(
            Section("Tatoeba, accuracy by language (%)", columns, {code: _row(one) for code, one in found.items()}),
            Section(
                "Tatoeba, mean of a group of languages (%)",
                (*columns[:4], "languages"),
                {name: row for name, codes in groups(encoder, set(sets)).items() if (row := _mean(found, codes))},
                note="82: the 83 of the 112 that LASER's README lists as training languages.",
            ),
        ),
        facts=encoder.facts(),
        scores=np.concatenate([(one.forward_ranks == 1).astype(float) for one in found.values()]),
    )


def groups(encoder: EmbeddingCache, codes: set[str]) -> dict[str, set[str]]:
    """The languages of each group that are there, by the name of the group."""
    trained = {code for code in codes if is_trained(code, encoder.encoder.languages)}
    named = {
        "14 (m~USE)": codes & GROUP_14,
        "36 (XTREME)": codes & GROUP_36,
        "82 (LASER)": codes - NOT_IN_LASER,
        "all": codes,
    }
    if encoder.encoder.languages:
        named |= {"trained": trained, "not trained": codes - trained}
    return named


def is_trained(code: str, languages: tuple[str, ...]) -> bool:
    """Whether an ISO 639-3 code is among the languages (ISO 639-1) that a model names."""
    return canonical(code) in {canonical(language) for language in languages}


def published_section() -> Section:
    """Figures that others printed, with their sources."""
    rows: dict[str, Row] = {
        figure.model: (figure.group_14, figure.group_36, figure.group_82, figure.all_112) for figure in PUBLISHED
    }
    sources = "\n".join(f"{figure.model}: {figure.source}" for figure in PUBLISHED)
    return Section("Published figures (accuracy, %)", ("14", "36", "82", "all"), rows, note=sources, digits=2)


def _row(accuracy: PairAccuracy) -> Row:
    values = (accuracy.forward, accuracy.backward, accuracy.mean, accuracy.mrr)
    return (*(percent(value) for value in values), accuracy.pairs)


def _mean(found: Mapping[str, PairAccuracy], codes: set[str]) -> Row | None:
    if not codes:
        return None
    members = [found[code] for code in codes]
    parts = [(one.forward, one.backward, one.mean, one.mrr) for one in members]
    return (*(percent(value) for value in np.mean(parts, axis=0)), len(members))
