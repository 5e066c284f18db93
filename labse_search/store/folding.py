"""Text → words as people expect to find them: what is written differently but read as the same word becomes the same.

In: any text. Out: its words in order, folded: case (Turkish dotted and dotless i alike), accents, Arabic and Hebrew
points, Arabic letters with several codes, ё, ß, full and half width, digits of every script, invisible characters, and
spellings of a language that stand for each other: Hindi हिंदी and हिन्दी, Amharic ፀሐይ and ጸሀይ, Armenian Երևան and ԵՐԵՎԱՆ.
Letters and digits are words of their own (ISO9001 is iso 9001). A word that people write in two ways has a second
form beside its parts: email for e-mail, obrien for O'Brien, mueller for Müller, 1000 for 1,000.

Scripts without spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) and Korean, whose endings are glued
to the noun, give pairs of neighbouring characters, as Lucene's CJK analyser does.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator

VERSION = 3  # of all that follows: an index made with another finds other words

# One word of a text: its parts in order, and other ways to write the whole of it.
Word = tuple[tuple[str, ...], tuple[str, ...]]

# Han, kana, bopomofo, Hangul, Thai, Lao, Burmese, Khmer, without their digits: no spaces between words, or endings
# glued to the noun.
UNSPACED = (
    "\u0e00-\u0e4f\u0e5a-\u0ecf\u0eda-\u0eff\u1000-\u103f\u104a-\u108f\u109a-\u109f\u1100-\u11ff\u1780-\u17df\u17ea-\u17ff\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uaa60-\uaa7f\uac00-\ud7ff\uf900-\ufaff"
)
UNSPACED_BEYOND = "\U00020000-\U0003fffd"
_LAST_OF_PLANE_0 = "\uffff"

# Not seen and not meant as part of a word: soft hyphen, zero-width space and joiner, word joiner, directions, variants.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180e\u200b\u200d-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
# What may stand inside a word: apostrophes, hyphens, the zero-width non-joiner of Persian, Hebrew geresh and
# gershayim, the middle dot of Catalan.
_ALWAYS_JOIN = "'’‘`´\u2010\u2011\u200c\u05f3\u05f4·\\-"
_JOIN_CODES = "./:_+&@"  # P.3.14, XR-77/B, snake_case, U.S.A.
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:(?:['\-./:_+&@]|(?<=\d),(?=\d)|(?<=\d) (?=\d\d\d(?!\d)))[a-z0-9]+)*")
_THOUSANDS = re.compile(r"\d{1,3}([.,'’\u066c ])\d{3}(?:\1\d{3})*")
_PARTS_IN_A_WORD = 6  # of a longer chain only the parts count

# Marks that are written or not: accents, stress, the points of Hebrew and Arabic, the Arabic stretching line, the
# nukta of Devanagari. Not the marks that make another letter: й, ї, ў, ѓ, ќ.
_OPTIONAL_MARKS = re.compile(
    "(?<![иу])\u0306|(?<!і)\u0308|(?<![гк])\u0301|[\u0300\u0302-\u0305\u0307\u0309-\u036f\u0483-\u0487\u0591-\u05bd"
    "\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed"
    "\u08d3-\u08ff\u093c]"
)
# The Amharic letters that sound alike and are written for each other: ha, sa, 'a and tsa with all their vowels.
_AMHARIC = {chr(code + at): chr(other + at) for code, other, orders in (
    (0x1210, 0x1200, 7), (0x1280, 0x1200, 7), (0x1220, 0x1230, 8), (0x12D0, 0x12A0, 7), (0x1340, 0x1338, 7),
) for at in range(orders)} | dict.fromkeys("ሃሓኃ", "ሀ") | dict.fromkeys("ኣዓ", "አ")  # fmt: skip
# Letters without a decomposition, and the Arabic ones with several codes (as Lucene's Arabic and Persian normalisers);
# those of Sorani as on a keyboard without them; Yiddish digraphs; Malayalam and Bengali letters with two encodings.
_LETTERS = str.maketrans(
    _AMHARIC
    | {"ı": "i", "đ": "d", "ð": "d", "ø": "o", "ł": "l", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th", "ŋ": "n",
     "ə": "e", "ɓ": "b", "ɗ": "d", "ƙ": "k", "ƴ": "y", "ɛ": "e", "ɔ": "o",
     "ی": "ي", "ى": "ي", "ې": "ي", "ے": "ي", "ک": "ك", "ڪ": "ك", "ٱ": "ا", "ة": "ه", "ہ": "ه", "ۃ": "ه", "ە": "ه",
     "ێ": "ي", "ۆ": "و", "ڕ": "ر", "ڵ": "ل", "װ": "וו", "ױ": "וי", "ײ": "יי",
     "ൺ": "ണ്", "ൻ": "ന്", "ർ": "ര്", "ൽ": "ല്", "ൾ": "ള്", "ൿ": "ക്", "ৎ": "ত্",
     "\u0901": "\u0902"}
)  # fmt: skip
# A nasal before a consonant of its own place, or the dot above (Hindi, Marathi, Nepali, Gujarati); the Armenian
# ligature, whose capitals are ԵՎ.
_NASAL = re.compile("ङ्(?=[क-घ])|ञ्(?=[च-झ])|ण्(?=[ट-ढ])|न्(?=[त-ध])|म्(?=[प-भ])")
_NASAL_GUJARATI = re.compile("ઙ્(?=[ક-ઘ])|ઞ્(?=[ચ-ઝ])|ણ્(?=[ટ-ઢ])|ન્(?=[ત-ધ])|મ્(?=[પ-ભ])")
_POLYTONIC = re.compile("[\u1f80-\u1fff]")
# How these are written where the keyboard has no such key.
_DIGRAPHS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_HAS_DIGRAPH = re.compile("[äöüøå]")
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_SINGLE = (
    "[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|(?<![\uac00-\ud7a3])[\uac00-\ud7a3]"
)
_SYLLABIC = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\uaa60-\uaa7f"  # Thai, Lao, Burmese, Khmer


def words(text: str) -> list[str]:
    """All words of the text in order, repeated as they repeat: "Der Hut, der HUT" → der hut der hut."""
    return [part for parts, _ in split(text) for part in parts]


def split(text: str) -> Iterator[Word]:
    """Each word of the text with its other forms, in order."""
    text = _light(text)
    if text.isascii():
        for word in _ASCII_WORD.findall(text):
            yield ((word,), ()) if word.isalpha() else _folded(word)
        return
    beyond = max(text) > _LAST_OF_PLANE_0
    for match in _runs(beyond).finditer(text):
        if match.lastgroup == "unspaced":
            letters = _clusters(beyond).findall(unicodedata.normalize("NFC", match.group()))
            yield tuple(a + b for a, b in zip(letters, letters[1:], strict=False)) or tuple(letters), ()
        else:
            yield _folded(match.group())


def single_letters(text: str) -> list[str]:
    """What a word of one character may be, a question being no more: the ideographs, the first syllable of each Korean
    word, the Thai, Lao, Burmese and Khmer letters that carry marks (ปู, ဈေး, ថ្ង)."""
    return [] if text.isascii() else _single().findall(_light(text))


def letters_of(parts: tuple[str, ...]) -> list[str]:
    """The letters of a word of a script without spaces, which `split` gave in pairs; none of any other word."""
    if not parts or not _unspaced().match(parts[0]):
        return []
    if len(parts) > 1 and all(len(part) == 2 for part in parts):  # no marks
        return [*(part[0] for part in parts), parts[-1][1]]
    pairs = [_clusters(True).findall(part) for part in parts]
    return [*pairs[0], *(pair[-1] for pair in pairs[1:])]


def exact_words(text: str) -> set[str]:
    """The words in their own spelling, only case and width folded: to put what is written exactly so first."""
    return set(re.findall(r"\w+", unicodedata.normalize("NFC", _light(text))))


def _light(text: str) -> str:
    """NFKC, lower case, nothing invisible; accents stay."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    if _POLYTONIC.search(text):  # the iota below is no letter, and case folding makes it one
        text = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).replace("\u0345", ""))
    # The apostrophe that counts as a letter (Ukrainian, Hawaiian) is typed as one of the others, too.
    return unicodedata.normalize("NFKC", text.casefold()).replace("\u02bc", "'").replace("\u02bb", "'")


@functools.lru_cache(maxsize=1 << 15)  # words repeat: two thirds of the time of a German text
def _folded(word: str) -> Word:
    plain = _plain(word)
    parts = tuple(_parts().findall(plain))
    forms = []
    if 1 < len(parts) <= _PARTS_IN_A_WORD and _is_one(word, parts):
        forms.append("".join(parts))
    if _HAS_DIGRAPH.search(word):
        forms.append("".join(_parts().findall(_plain(word.translate(_DIGRAPHS)))))
    return parts, tuple(forms)


def _plain(word: str) -> str:
    if word.isascii():
        return word
    bare = _OPTIONAL_MARKS.sub("", unicodedata.normalize("NFD", word)).translate(_LETTERS)
    bare = _NASAL_GUJARATI.sub("\u0a82", _NASAL.sub("\u0902", bare)).replace("եւ", "եվ")
    bare = _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit.group())), bare)
    return unicodedata.normalize("NFC", bare)


def _is_one(word: str, parts: tuple[str, ...]) -> bool:
    """Whether people also write the parts together: not for 3.14, nor for two sentences without a space between."""
    if not any(part.isalpha() for part in parts):
        return _THOUSANDS.fullmatch(word) is not None
    if any(part.isdigit() for part in parts) or all(len(part) == 1 for part in parts):
        return True
    return not any(sign in word for sign in _JOIN_CODES)


# For text with a character beyond U+FFFF, or without: with such characters in it, `re` looks through a class one range
# after another instead of in a table, and takes twice as long.


@functools.cache
def _runs(beyond: bool) -> re.Pattern[str]:
    unspaced = UNSPACED + (UNSPACED_BEYOND if beyond else "")
    letter = rf"(?:(?![{unspaced}_])[\w{_marks(beyond)}])"
    quote = '(?<=[\u05d0-\u05ea])"(?=[\u05d0-\u05ea])'  # typed for the Hebrew gershayim
    between = rf"[{_ALWAYS_JOIN}{_JOIN_CODES}]|(?<=\d)[,\u066b\u066c](?=\d)|(?<=\d) (?=\d\d\d(?!\d))|{quote}"
    return re.compile(rf"(?P<unspaced>[{unspaced}]+)|(?P<word>{letter}+(?:(?:{between}){letter}+)*)")


@functools.cache
def _unspaced() -> re.Pattern[str]:
    return re.compile(rf"[{UNSPACED}{UNSPACED_BEYOND}]")


@functools.cache
def _parts() -> re.Pattern[str]:
    """Digits, or letters with their marks; of a plain word."""
    return re.compile(rf"[0-9]+|(?:[^\W\d_]|[{_marks(True)}])+")


@functools.cache
def _clusters(beyond: bool) -> re.Pattern[str]:
    """A character with the marks that sit on it, so that a Thai vowel sign is no letter of its own."""
    marks = _marks(beyond)
    return re.compile(rf"[^{marks}][{marks}]*|[{marks}]+")


@functools.cache
def _single() -> re.Pattern[str]:
    marks = _marks(False)
    return re.compile(rf"{_SINGLE}|(?![{marks}])[{_SYLLABIC}][{marks}]+")


@functools.cache
def _marks(beyond: bool) -> str:
    """Every combining mark as a character class: \\w leaves out the vowel signs of all Indic scripts."""
    ranges: list[list[int]] = []
    for code in range(0x300, 0x1EA00 if beyond else 0x10000):
        if unicodedata.category(chr(code)).startswith("M"):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
