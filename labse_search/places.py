"""The words for where something stands and for the language it is in, as people read them and put them in citations."""

from __future__ import annotations

from labse_search.records import UNKNOWN_LANGUAGE, Place

_INSIDE = " › "  # between an archive's member or a mail's attachment and what is in it
_BETWEEN = " · "


def describe_place(place: Place) -> str:
    """A place as a person cites it: "p. 12 of 80 · Methods", "Sheet1, row 17", "notes/a.txt › line 3"; "" for none.

    The order is the same for every format: container, chapter, page or slide, sheet and row, time, heading, line.
    """
    containers = [str(place[key]) for key in ("member", "attachment") if place.get(key)]
    inside = _BETWEEN.join(part for part in _parts(place) if part)
    return _INSIDE.join([*containers, inside] if inside else containers)


def cite(name: str, place: Place) -> str:
    """A document's name with the place in it: "report.pdf, p. 12", "mail.zip › notes/a.txt › line 3"."""
    where = describe_place(place)
    if not where:
        return name
    return f"{name}{_INSIDE if place.get('member') or place.get('attachment') else ', '}{where}"


def language_name(code: str) -> str:
    """The English name of a language, "unknown language", or the code itself where no name is known."""
    bare = code.replace("_", "-").split("-")[0].lower()
    return LANGUAGE_NAMES.get(code) or LANGUAGE_NAMES.get(bare, code)


def is_right_to_left(code: str) -> bool:
    """Whether a language is usually written from right to left."""
    return code.replace("_", "-").split("-")[0].lower() in _RIGHT_TO_LEFT


def _parts(place: Place) -> list[str]:
    """What is known of the place inside its file, widest first."""
    chapter = _numbered("chapter", place.get("chapter"))
    sheet, row = place.get("sheet"), _numbered("row", place.get("row"))
    headings = [str(place[key]) for key in ("title", "section") if place.get(key)]
    part = str(place.get("part", ""))
    return [
        chapter,
        _counted("p.", place.get("page"), place.get("pages")),
        _counted("slide", place.get("slide"), place.get("slides")),
        f"{sheet}, {row}" if sheet and row else str(sheet or "") or row,
        str(place.get("time", "")),
        *[heading for i, heading in enumerate(headings) if heading not in headings[:i]],
        "" if part == "body" else part,  # the body is what a person expects
        _numbered("paragraph", place.get("paragraph")),
        _numbered("line", place.get("line")),
        str(place.get("path", "")),
    ]


def _numbered(word: str, value: str | int | None) -> str:
    """ "chapter 2", but a name as it stands: "Prologue"."""
    if value is None or value == "":
        return ""
    return f"{word} {value}" if str(value).isdecimal() else str(value)


def _counted(word: str, number: str | int | None, of: str | int | None) -> str:
    if number is None or number == "":
        return ""
    return f"{word} {number} of {of}" if of else f"{word} {number}"


_RIGHT_TO_LEFT = frozenset("ar arc arz ary ckb dv fa he iw ks ps sd syr ug ur yi".split())

# The 109 languages of the LaBSE paper (appendix), and the other names that models use for some of them.
LANGUAGE_NAMES: dict[str, str] = {
    UNKNOWN_LANGUAGE: "unknown language",
    "af": "Afrikaans",
    "am": "Amharic",
    "ar": "Arabic",
    "as": "Assamese",
    "az": "Azerbaijani",
    "ba": "Bashkir",
    "be": "Belarusian",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bo": "Tibetan",
    "br": "Breton",
    "bs": "Bosnian",
    "ca": "Catalan",
    "ceb": "Cebuano",
    "ckb": "Central Kurdish",
    "co": "Corsican",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "dv": "Dhivehi",
    "el": "Greek",
    "en": "English",
    "eo": "Esperanto",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fil": "Filipino",
    "fo": "Faroese",
    "fr": "French",
    "fy": "West Frisian",
    "ga": "Irish",
    "gd": "Scottish Gaelic",
    "gl": "Galician",
    "gu": "Gujarati",
    "ha": "Hausa",
    "haw": "Hawaiian",
    "he": "Hebrew",
    "hi": "Hindi",
    "hmn": "Hmong",
    "hr": "Croatian",
    "ht": "Haitian Creole",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "ig": "Igbo",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "jv": "Javanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "km": "Khmer",
    "kn": "Kannada",
    "ko": "Korean",
    "ku": "Kurdish",
    "ky": "Kyrgyz",
    "la": "Latin",
    "lb": "Luxembourgish",
    "ln": "Lingala",
    "lo": "Lao",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mg": "Malagasy",
    "mi": "Maori",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mn": "Mongolian",
    "mr": "Marathi",
    "ms": "Malay",
    "mt": "Maltese",
    "my": "Burmese",
    "nb": "Norwegian Bokmål",
    "ne": "Nepali",
    "nl": "Dutch",
    "nn": "Norwegian Nynorsk",
    "no": "Norwegian",
    "ny": "Chichewa",
    "oc": "Occitan",
    "om": "Oromo",
    "or": "Odia",
    "pa": "Punjabi",
    "pl": "Polish",
    "ps": "Pashto",
    "pt": "Portuguese",
    "qu": "Quechua",
    "ro": "Romanian",
    "ru": "Russian",
    "rw": "Kinyarwanda",
    "sa": "Sanskrit",
    "sd": "Sindhi",
    "si": "Sinhala",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sm": "Samoan",
    "sn": "Shona",
    "so": "Somali",
    "sq": "Albanian",
    "sr": "Serbian",
    "st": "Southern Sotho",
    "su": "Sundanese",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "tg": "Tajik",
    "th": "Thai",
    "tk": "Turkmen",
    "tl": "Tagalog",
    "tr": "Turkish",
    "tt": "Tatar",
    "ug": "Uyghur",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "uz": "Uzbek",
    "vi": "Vietnamese",
    "wo": "Wolof",
    "xh": "Xhosa",
    "yi": "Yiddish",
    "yo": "Yoruba",
    "yue": "Cantonese",
    "zh": "Chinese",
    "zu": "Zulu",
}
