"""Which columns of a table, or keys of a record, hold what: by their names, else by what stands in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from labse_search.errors import UserError
from labse_search.languages import LANGUAGES, find_language

LANGUAGE = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8})*", re.IGNORECASE)
CODE = re.compile(r"[a-z]{2,3}(_([a-z]{2}|[a-z]{4}))?")  # a column's name: with a region or a script
# Numbers, ids (printable ASCII with a digit and without a space) and addresses are no texts.
NOT_TEXT = re.compile(r"[!-~]*\d[!-~]*|https?://\S+")
LONGEST_NAME = 40  # characters of a column's name
SOURCES = frozenset("source src anchor query question premise original".split())
TARGETS = frozenset(
    "target tgt trg positive positives pos translation answer document passage hypothesis positive_passages".split()
)
# These say which side a column is only together with a word such as sentence, text or lang.
FIRST, SECOND = frozenset(("1", "a", "left", "")), frozenset(("2", "b", "right"))
NEGATIVE = re.compile(r"(hard_)?neg(ative)?s?(_?\d+|_passages)?")
LABELS = frozenset("label labels gold_label is_duplicate is_paraphrase is_parallel is_translation".split())
TRUE = frozenset("1 1.0 true yes entailment paraphrase duplicate parallel positive".split())
FALSE = frozenset("0 0.0 -1 false no contradiction neutral not_paraphrase not_duplicate negative".split())
AMBIGUOUS = ("id", "no")  # Indonesian and Norwegian, but mostly a number
_LANGUAGE_NAMES = {language.name.lower(): language.code for language in LANGUAGES}


@dataclass(frozen=True)
class Columns:
    """Numbers from 0. `languages` are the columns that name them, `spoken` what the header itself says."""

    source: int
    target: int
    languages: tuple[int | None, int | None] = (None, None)
    spoken: tuple[str, str] = ("", "")
    negatives: tuple[int, ...] = ()
    label: int | None = None
    has_header: bool = False

    @property
    def used(self) -> set[int]:
        """The numbers of all columns that a pair is read from."""
        return {self.source, self.target, *self.negatives} | {
            at for at in (*self.languages, self.label) if at is not None
        }


def columns_by_name(names: Sequence[str]) -> Columns | None:
    """What a header, or the keys of a record, says; None when it does not name a source and a target.

    UserError when it names more than two languages and neither a source nor a target.
    """
    roles: dict[str, int] = {}
    languages: dict[int, str] = {}
    negatives: list[int] = []
    for at, name in enumerate(names):
        role = _role(name)
        if role == "negative":
            negatives.append(at)
        elif role.startswith("language:"):
            languages[at] = role.removeprefix("language:")
        elif role:
            roles.setdefault(role, at)
    sides = [roles.get("source"), roles.get("target")]
    if sides.count(None) > 0:
        _fill_with_languages(sides, languages, names)
    source, target = sides
    if source is None or target is None:
        return None
    return Columns(
        source,
        target,
        (roles.get("source_language"), roles.get("target_language")),
        (languages.get(source, ""), languages.get(target, "")),
        tuple(negatives),
        roles.get("label"),
        has_header=True,
    )


def columns_by_content(rows: Sequence[Sequence[str]]) -> Columns:
    """What the first rows of a table without a header look like: texts, after columns of language codes if there are
    two; what is no text in any row (a score, an id, an address) is left out, a column of 0 and 1 is a label."""
    width = max(len(row) for row in rows)
    values = [[cell for row in rows if (cell := row[at].strip() if at < len(row) else "")] for at in range(width)]
    texts = [at for at in range(width) if any(not NOT_TEXT.fullmatch(value) for value in values[at])]
    labels = [at for at in range(width) if set(values[at]) == {"0", "1"}]
    if len(texts) < 2:
        return Columns(0, 1)
    codes = [at for at in texts if all(LANGUAGE.fullmatch(value) for value in values[at])]
    languages: tuple[int | None, int | None] = (None, None)
    for pair in (texts[:2], texts[-2:]):
        if len(texts) >= 4 and set(pair) <= set(codes):
            languages = pair[0], pair[1]
            texts = [at for at in texts if at not in pair]
            break
    return Columns(texts[0], texts[1], languages, negatives=tuple(texts[2:]), label=labels[0] if labels else None)


def columns_by_choice(wanted: Sequence[str], names: Sequence[str] | None, width: int) -> Columns:
    """The two columns that a person named, by header or by number from 1. UserError when there are none such."""
    if len(wanted) != 2:
        raise UserError(f"--columns {','.join(wanted)}: name two, the source's and the target's.")
    known = [name.strip().lower() for name in names or ()]
    found = []
    for name in wanted:
        if name.strip().lower() in known:
            found.append(known.index(name.strip().lower()))
        elif name.isdigit() and 1 <= int(name) <= width:
            found.append(int(name) - 1)
        else:
            there = ", ".join(names) if names else f"numbers from 1 to {width}"
            raise UserError(f"--columns: there is no column {name!r}. There are: {there}.")
    roles = [_role(names[at]) if names else "" for at in found]
    spoken = [role.removeprefix("language:") if role.startswith("language:") else "" for role in roles]
    return Columns(found[0], found[1], spoken=(spoken[0], spoken[1]), has_header=names is not None)


def is_labelled_true(label: str) -> bool | None:
    """What a label says of a pair; None when it is neither a yes nor a no."""
    plain = label.strip().lower().replace(" ", "_")
    return True if plain in TRUE else False if plain in FALSE else None


def _fill_with_languages(sides: list[int | None], languages: dict[int, str], names: Sequence[str]) -> None:
    """Columns that are named after a language are the sides that no other name gives."""
    free = list(languages)
    missing = sides.count(None)
    if len(free) > missing:
        free = [at for at in free if names[at].strip().lower() not in AMBIGUOUS]
    if len(free) > 2 and missing == 2:
        named = ", ".join(names[at] for at in free)
        raise UserError(
            f"more than two languages ({named}). Say which two: --columns {names[free[0]]},{names[free[1]]}"
        )
    for at, side in enumerate(sides):
        if side is None and free:
            sides[at] = free.pop(0)


def _role(name: str) -> str:
    """source, target, source_language, target_language, negative, label, language:CODE, or nothing known."""
    if len(name) > LONGEST_NAME:
        return ""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    plain = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    if plain in LABELS:
        return "label"
    language = re.sub(r"_?(languages?|lang|locale)(_?code)?_?", "", plain)
    if language != plain:
        side = _side(language, numbered=True)
        return f"{side}_language" if side else ""
    bare = re.sub(r"_?(texts?|sentences?|segment|string)_?", "", plain)
    if NEGATIVE.fullmatch(bare):
        return "negative"
    side = _side(bare, numbered=bare != plain and bare != "")
    if side:
        return side
    code = _LANGUAGE_NAMES.get(bare.replace("_", " "), "")
    known = find_language(bare) if CODE.fullmatch(bare) and ("_" not in bare or " " not in name) else None
    code = code or (known.code if known else "")
    return f"language:{code}" if code else ""


def _side(word: str, *, numbered: bool) -> str:
    if word in SOURCES or (numbered and word in FIRST):
        return "source"
    return "target" if word in TARGETS or (numbered and word in SECOND) else ""
