"""Pairs in translation memories (TMX 1.4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from labse_search.corpora.lines import one_line, opened
from labse_search.corpora.values import Pair, language_code, score_of
from labse_search.errors import UserError

XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
SCORE = "x-score"  # the property of a unit that `written` gives its score in
CODES = ("bpt", "ept", "it", "ph", "ut")  # elements that hold markup of the translated format


def read_tmx(path: Path) -> Iterator[Pair]:
    """Each unit's source language (the header's, else the first) with each of its others. Markup is left out. expat
    refuses entities that swell. UserError when there are units but no pair in them."""
    units = found = 0
    source_language = ""
    try:
        with opened(path) as stream:
            for event, element in ElementTree.iterparse(stream, events=("start", "end")):
                name = _name(element)
                if event == "start" and name == "header":
                    source_language = language_code(element.get("srclang") or "")
                if event != "end" or name != "tu":
                    continue
                units += 1
                for pair in _pairs(element, source_language):
                    found += 1
                    yield pair
                element.clear()
    except ElementTree.ParseError as error:
        raise UserError(f"{path} is no TMX ({error}). Export it again.") from error
    if units and not found:
        raise UserError(f"{path}: none of its {units:,} units (tu) has texts in two languages (tuv with seg).")


def _pairs(unit: ElementTree.Element, source_language: str) -> Iterator[Pair]:
    variants, score = [], None
    for variant in unit:
        if _name(variant) == "prop" and variant.get("type") == SCORE:
            score = score_of(variant.text or "")
        if _name(variant) != "tuv":
            continue
        segment = variant.find("{*}seg")
        text = one_line(_text(variant if segment is None else segment))
        language = language_code(variant.get(XML_LANGUAGE) or variant.get("lang") or "")
        if text:
            variants.append((language, text))
    variants.sort(key=lambda variant: not _same(variant[0], source_language))  # stable: the rest keep their order
    for language, text in variants[1:]:
        yield Pair(variants[0][1], text, (), variants[0][0], language, score=score)


def _same(language: str, other: str) -> bool:
    return bool(other) and language.partition("-")[0] == other.partition("-")[0]


def _text(element: ElementTree.Element, *, in_code: bool = False) -> str:
    """The text of a segment: not of elements that hold codes, but of sub-flows inside of these, and of highlights."""
    parts = [] if in_code else [element.text or ""]
    for child in element:
        name = _name(child)
        if name in ("note", "prop"):
            text = ""
        elif name == "sub":
            text = f" {_text(child)} "
        else:
            text = _text(child, in_code=in_code or name in CODES)
        parts += [text, "" if in_code else child.tail or ""]
    return "".join(parts)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
