"""Which older encoding was it? Firefox's detector, a second look at the words that its answer gives, and chardet.

The detector knows the web's encodings. What it does not know, the code pages of DOS and of the old Macintosh and short
Japanese in half-width letters, it takes for one of those, and gives words that nobody writes: signs inside words,
capitals behind small letters, two alphabets in one word. chardet knows the code pages of DOS and the Macintosh by the
pairs of letters of each language, and guesses wildly where there are few: it is believed where it is sure enough and
its words are as good.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import chardet
import chardetng_py

_DETECTED = 1 << 20  # bytes
_LOOKED_AT = 4_000  # bytes around letters beyond ASCII
# In the order in which they are believed where several give good words.
_OTHERS = (
    "cp932 cp850 cp437 mac-roman cp852 mac-latin2 cp866 mac-cyrillic cp855 cp737 mac-greek cp869 cp862 cp857 "
    "mac-turkish cp865 cp861 cp775 cp720 cp864 euc-jp cp949 cp1252 cp1250 cp1251 koi8-r koi8-u"
).split()
_MULTI = frozenset(("cp932", "euc-jp", "cp949", "gb18030"))
_NAMED_WRONGLY = ("cp125", "iso-8859", "iso8859", "windows-", "koi8", "latin", "mac", "cp850", "cp866")
_HIGH_BYTE = re.compile(rb"[\x80-\xff]")
_FINAL = re.compile(rb"[\x8a\x8d\x8f\x93\x95](?![\x80-\x9a])")  # ך ם ן ף ץ of code page 862
_FINAL_INSIDE = re.compile(rb"[\x8a\x8d\x8f\x93\x95](?=[\x80-\x9a])")
_WORD = re.compile(r"[^\W_]*[^\x00-\x7f\s](?:[^\x00-\x7f\s]|[^\W_])*")
_SUSPICIOUS = 0.02  # a few capitals in the middle of words: the old Macintosh's Cyrillic taken for Windows'
_BAD_ENOUGH = 0.2  # of the characters beyond ASCII
_GOOD_ENOUGH = 0.05
# chardet's own confidence. Of 359 single sentences in 65 pairs of language and encoding, 9 are wrong with it and 67
# without; from 0.05 to 0.15 between 6 and 11.
_SURE = 0.12


def guess(content: bytes) -> str:
    """The most likely encoding of bytes that are no UTF-8, by the name that a detector has for it."""
    likely, other = _by_words(content), chardet.detect(content[:_DETECTED])
    name = other["encoding"]
    if name is None or other["confidence"] < _SURE or _codec(name).lower() == _codec(likely).lower():
        return likely
    sample = _sample(content)
    if _is_the_same_but_for_capitals(sample, _codec(name), _codec(likely)):
        return likely
    if likely == "windows-1252" and other["language"] == "hu" and not _is_hungarian(sample):
        return likely  # Catalan, most often
    return name if _oddness(sample, _codec(name)) <= _oddness(sample, _codec(likely)) + 0.01 else likely


def _is_the_same_but_for_capitals(sample: bytes, first: str, second: str) -> bool:
    """The Macintosh's я is the Я of Windows, and most of the small letters are the same: "Я не знал" fits both."""
    try:
        return sample.decode(first, "replace").lower() == sample.decode(second, "replace").lower()
    except LookupError:
        return False


def _by_words(content: bytes) -> str:
    """The detector's answer unless another encoding is clearly better."""
    detected: str = chardetng_py.detect(content[:_DETECTED])
    sample = _sample(content)
    if detected.lower() == "iso-8859-4" and len(sample) < 200 and _oddness(sample, "cp1252") < _SUSPICIOUS:
        return "windows-1252"  # too little to tell, and many times as common
    first = _oddness(sample, _codec(detected))
    if detected == "IBM866" and _is_hebrew_of_dos(sample):
        return "cp862"
    if first < _SUSPICIOUS:
        return detected
    best, least = detected, first
    for other in _OTHERS:
        odd = _oddness(sample, other, least)
        if odd < least - 1e-9:
            best, least = other, odd
    clearly = least * 10 < first if first < _BAD_ENOUGH else least <= min(_GOOD_ENOUGH, first / 3) or least * 4 < first
    return best if clearly else detected


def is_garbled(content: bytes, declared: str) -> bool:
    """Whether an encoding of single bytes that the file names gives words that nobody writes, and a guess good ones."""
    if declared in _MULTI or not declared.startswith(_NAMED_WRONGLY):
        return False
    high = _HIGH_BYTE.search(content)
    if high is None:
        return False
    sample = _sample(content[max(0, high.start() - 100) :][:_LOOKED_AT])[:600]
    odd, loud = _oddness(sample, declared), _loudness(sample, declared)
    if odd < _BAD_ENOUGH / 2 and loud < 0.8:
        return False
    guessed = _codec(guess(content))
    better = _oddness(sample, guessed)
    return better * 3 < odd and better <= _GOOD_ENOUGH or (loud >= 0.8 and _loudness(sample, guessed) < 0.3)


def _loudness(sample: bytes, encoding: str) -> float:
    """The share of capitals: KOI8 and Windows-1251 read as each other turn small letters into capitals."""
    letters = [letter for letter in sample.decode(encoding, "replace") if letter > "\x7f" and letter.isalpha()]
    return sum(1 for letter in letters if letter.isupper()) / max(1, len(letters))


def _is_hungarian(sample: bytes) -> bool:
    """Whether its letters in the encoding of Central Europe are those of Hungarian."""
    letters = {letter for letter in sample.decode("cp1250", "replace").lower() if letter > "\x7f" and letter.isalpha()}
    return letters <= set("áéíóöőúüű")


def _is_hebrew_of_dos(sample: bytes) -> bool:
    """Its letters are the Russian capitals of code page 866, but for the last five, which no long text does without;
    five of them stand at the end of words only."""
    beyond = [byte for byte in sample if byte > 0x7F]
    if not beyond or max(beyond) > 0x9A:
        return False
    return len(beyond) >= 40 or (len(beyond) >= 15 and bool(_FINAL.search(sample)) and not _FINAL_INSIDE.search(sample))


def _codec(name: str) -> str:
    return {"shift_jis": "cp932", "gbk": "gb18030", "big5": "big5hkscs", "euc-kr": "cp949", "macintosh": "mac-roman",
            "windows-874": "cp874", "x-mac-cyrillic": "mac-cyrillic"}.get(name.lower(), name)  # fmt: skip


def _sample(content: bytes) -> bytes:
    """Lines with bytes beyond ASCII."""
    if len(content) <= _LOOKED_AT:
        return content
    lines = [line for line in content[:_DETECTED].split(b"\n") if not line.isascii()]
    return b"\n".join(lines)[:_LOOKED_AT]


def _oddness(sample: bytes, encoding: str, most: float = 1.0) -> float:
    """The share of characters beyond ASCII that stand where no writer puts them; 1 if the bytes are none at all, or as
    soon as it is sure to be above `most`."""
    try:
        text = sample.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        try:
            text = sample.decode(encoding, "replace")
        except LookupError:
            return 1.0
        if text.count("\ufffd") > 1 or encoding in _MULTI:
            return 1.0
    words = _WORD.findall(text)
    beyond, odd = sum(len(word) - len(word.encode("ascii", "ignore")) for word in words), 0.0
    if not beyond:
        return 1.0
    for word in words:
        here = len(word) - len(word.encode("ascii", "ignore"))
        odd += min(here, _odd_in(word, encoding == "gb18030"))
        if odd > most * beyond:
            return 1.0
    return odd / beyond


def _odd_in(word: str, chinese: bool) -> float:
    """How many characters of a word do not belong there."""
    odd = 0.0
    script = ""
    small_word = sum(map(str.isupper, word)) < len(word) - 1
    for before, character, after in zip(" " + word, word, word[1:] + " ", strict=False):
        if character > "\x7f":
            if chinese and "\u4e00" <= character <= "\u9fff":
                odd += not _is_usual(character)
            else:
                odd += _odd_between(before, character, after, small_word)
        if character.isalpha():
            mine = _script(character)
            odd += bool(script) and mine != script and not {script, mine} <= _TOGETHER
            script = mine
    return odd


def _odd_between(before: str, character: str, after: str, small_word: bool) -> float:
    """From 0 to 1: how little a character belongs between these two."""
    kind = unicodedata.category(character)
    if kind in ("Cc", "Cn", "Co", "Cf") or character == "\ufffd":
        return 1
    if kind[0] != "L" and _is_wide_mark(character):
        return _odd_wide_mark(before, character, after)
    if not "\u2200" <= character <= "\u22ff":  # ∈ and ∷ come of Japanese that is read as Chinese
        before, after = ("" if _is_wide(one) else one for one in (before, after))  # needs no space beside it
    inside = before.isalpha() and after.isalpha()
    if kind[0] in "SN" and (before.isalpha() or after.isalpha()):
        return 0.5 if "\u2500" <= character <= "\u259f" and not inside else 1
    if kind[0] == "P":
        beside = (before.isalpha() and character in "‡‚„§¶") or (after.isalpha() and character in "§¶")
        return beside or (inside and character not in "’ʼ·–—・")
    if kind == "Lu":
        return before.islower() and small_word
    if kind == "Ll" and before.isupper() and after.isupper():
        return 1
    if character in "ªº":
        return before.isalpha()
    return 0.3 if character not in _COMMON and "LATIN" in _script(character) else 0


def _is_wide(letter: str) -> bool:
    """Whether it is kana or a Chinese character, written without spaces around it, or Hangul."""
    return (
        "\u3005" <= letter <= "\u3007"
        or "\u3041" <= letter <= "\u30ff"
        or "\u3400" <= letter <= "\u9fff"
        or "\uac00" <= letter <= "\ud7a3"
    )


def _is_wide_mark(character: str) -> bool:
    """Whether it is a sign or digit of East Asia, as wide as its letters."""
    return "\u3000" <= character <= "\u303f" or "\uff01" <= character <= "\uff60" or "\uffe0" <= character <= "\uffe6"


def _odd_wide_mark(before: str, character: str, after: str) -> float:
    """1 beside a Latin letter with nothing of East Asia beside it: "für" of code page 850 is "f》" in cp932. Full stops
    and the like may follow one ("Jack。"): no letters of a European word are taken for them."""
    latin = after.isascii() and after.isalpha()
    latin = latin or (before.isascii() and before.isalpha() and character not in "、。，．！？")
    return latin and not _is_wide(before) and not _is_wide(after)


def _is_usual(character: str) -> bool:
    """Whether GB 2312 has it among the 3,755 usual characters."""
    try:
        return character.encode("gb2312")[0] < 0xD8
    except UnicodeEncodeError:
        return False


_TOGETHER = {"HIRAGANA", "KATAKANA", "CJK", "HALFWIDTH", "FULLWIDTH", "KATAKANA-HIRAGANA", "HANGUL", "IDEOGRAPHIC"}
# Letters that many languages of Europe use; Œ, ƒ and their like turn up where an encoding is wrong.
_COMMON = frozenset(
    "äöüßÄÖÜéèêëàâîïôûùçœæÉÈÊÀÂÎÔÛÇáíóúñÁÍÓÚÑãõÃÕåøÅØæÆìòÌÒąćęłńśźżĄĆĘŁŃŚŹŻčďěňřšťůýžČĎĚŇŘŠŤŮÝŽőűŐŰăâîșțşţĂȘȚŞŢ"
    "ğıİĞđĐľĺŕĽþðÞÐơưƠƯĩũāēīūģķļņĀĒĪŪĢĶĻŅėįųŲĖĮ"
)


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    return unicodedata.name(character, "").split(" ")[0]
