"""Plain text in any encoding, Markdown, reStructuredText, source code."""

from __future__ import annotations

import pytest

from indexer.read import SUPPORTED, Limits, read
from labse_search.errors import Unreadable
from labse_search.records import Note

WORDS = {
    "en": "The café’s owner said: “We don’t open before nine.” — £5 a cup.",
    "de": "Die Bäckerei öffnet früh; größere Brötchen kosten fünfzig Cent. Übrigens süß!",
    "fr": "Où est passé l’élève ? Il a déjà mangé à la cantine, très tôt, à Noël.",
    "pl": "Zażółć gęślą jaźń. Książka leży na półce, a źrebię śpi w stajni.",
    "cs": "Příliš žluťoučký kůň úpěl ďábelské ódy. Včera večer přišel děda.",
    "tr": "Şişli’de yağmur yağıyor, ığdır’da güneş açmış. Çocuklar öğle uykusunda.",
    "ru": "Съешь ещё этих мягких французских булок, да выпей же чаю. Погода сегодня хорошая.",
    "uk": "Їжак з’їв ґрунтовну вечерю. Україна має багато річок і лісів, є й гори.",
    "el": "Η γρήγορη αλεπού πηδάει πάνω από τον τεμπέλη σκύλο. Καλημέρα σας, τι κάνετε σήμερα;",
    "he": "הילדים הלכו לבית הספר בבוקר, ואחר כך שיחקו בגינה עד הערב.",
    "ar": "ذهب الأطفال إلى المدرسة في الصباح، ثم لعبوا في الحديقة حتى المساء.",
    "th": "เด็กๆ ไปโรงเรียนตอนเช้า แล้วเล่นในสวนจนถึงเย็น อากาศวันนี้ดีมาก",
    "vi": "Hôm nay trời đẹp, các em nhỏ đi học rồi chơi ngoài vườn đến tối.",
    "lt": "Vaikai ryte ėjo į mokyklą, o paskui žaidė sode iki vakaro. Šiandien gražus oras, žąsys.",
    "ja": "子どもたちは朝、学校へ行き、それから夕方まで庭で遊びました。天気はとてもよかったです。",
    "zh": "孩子们早上去学校，然后在花园里玩到晚上。今天的天气非常好，大家都很高兴。",
    "zh-TW": "孩子們早上去學校，然後在花園裡玩到晚上。今天的天氣非常好，大家都很高興。",
    "ko": "아이들은 아침에 학교에 갔다가 저녁까지 정원에서 놀았습니다. 오늘은 날씨가 아주 좋습니다.",
    "am": "ልጆቹ ጠዋት ወደ ትምህርት ቤት ሄዱ፤ ከዚያም እስከ ማታ ድረስ በአትክልት ስፍራ ተጫወቱ።",
}
ENCODINGS = [
    ("am", "utf-8"),
    ("ja", "utf-8-sig"),
    ("ru", "utf-16"),
    ("de", "utf-16-le"),
    ("he", "utf-16-be"),
    ("zh", "utf-16-le"),
    ("ko", "utf-16-be"),
    ("el", "utf-32"),
    ("fr", "utf-32-le"),
    ("ar", "utf-32-be"),
    ("en", "cp1252"),
    ("de", "iso-8859-15"),
    ("pl", "cp1250"),
    ("pl", "iso-8859-2"),
    ("cs", "cp1250"),
    ("cs", "iso-8859-2"),
    ("ru", "cp1251"),
    ("ru", "koi8-r"),
    ("ru", "cp866"),
    ("ru", "iso-8859-5"),
    ("uk", "cp1251"),
    ("uk", "koi8-u"),
    ("el", "cp1253"),
    ("el", "iso-8859-7"),
    ("tr", "cp1254"),
    ("tr", "iso-8859-9"),
    ("he", "cp1255"),
    ("he", "iso-8859-8"),
    ("ar", "cp1256"),
    ("ar", "iso-8859-6"),
    ("lt", "cp1257"),
    ("vi", "cp1258"),
    ("th", "cp874"),
    ("ja", "shift_jis"),
    ("ja", "euc-jp"),
    ("ja", "iso-2022-jp"),
    ("zh", "gb18030"),
    ("zh", "gbk"),
    ("zh-TW", "big5"),
    ("ko", "euc-kr"),
]


def encodable(text: str, encoding: str) -> str:
    """The text without what this encoding has no byte for: typographic quotes, mostly."""
    if encoding == "cp1258":  # marks stand alone behind their letters there
        import unicodedata

        text = "".join(
            unicodedata.normalize("NFC", c) if unicodedata.normalize("NFC", c).encode("cp1258", "ignore") else ""
            for c in text
        )
    return text.encode(encoding, "ignore").decode(encoding)


@pytest.mark.parametrize(("language", "encoding"), ENCODINGS, ids=["-".join(pair) for pair in ENCODINGS])
def test_text_decodes_exactly(language: str, encoding: str) -> None:
    text = "\n".join([encodable(WORDS[language], encoding)] * 2) + "\n"
    extraction = read("note.txt", text.encode(encoding))
    assert extraction.text == text
    assert not [note for note in extraction.notes if note.code == "undecodable_bytes"]


def test_bytes_that_mean_nothing_are_counted_not_hidden() -> None:
    extraction = read("note.txt", "Grüße aus München, schöne Grüße".encode() + b"\xff\xfe\n")
    assert extraction.encoding == "utf-8"
    assert extraction.text == "Grüße aus München, schöne Grüße\ufffd\ufffd\n"
    assert extraction.notes == (Note("undecodable_bytes", "2"),)


def test_utf16_that_was_cut_in_the_middle_of_a_character_is_still_read() -> None:
    extraction = read("note.txt", WORDS["ru"].encode("utf-16-le")[:-1])
    assert extraction.text == WORDS["ru"][:-1] + "\ufffd"
    assert extraction.notes == (Note("undecodable_bytes", "1"),)


def test_a_guessed_encoding_is_noted() -> None:
    extraction = read("note.txt", WORDS["ru"].encode("cp1251"))
    assert Note("encoding_guessed", extraction.encoding or "") in extraction.notes


def test_line_numbers_hold_whatever_ends_a_line() -> None:
    extraction = read("note.txt", b"\r\none\rtwo\x00\r\n\x0cthree")
    assert extraction.text == "\none\ntwo\n three"
    assert extraction.units[0].place == {"line": 1}


def test_text_is_clean() -> None:
    extraction = read("note.log", "\x1b[31mred\x1b[0m a\u202egnp.\u202c\ufeff \u200fok\x7f".encode())
    assert extraction.text == "red agnp. \u200fok"


@pytest.mark.parametrize("name", ["a.py", "a.unknown", "README", ".profile", "a.b/Makefile", "a.TXT"])
def test_whatever_decodes_as_text_is_text(name: str) -> None:
    extraction = read(name, b"if x:\n    y()\n")
    assert (extraction.kind, extraction.text) == ("text", "if x:\n    y()\n")


def test_markdown_sections_have_paths_and_lines() -> None:
    text = """---
title: "The guide"
---
Intro

# Plants #

## Care

Water.

```sh
# not a heading
```
Light
-----
Much light.

- a list
---
# Animals
Feed.
"""
    extraction = read("a.md", text.encode())
    assert extraction.title == "The guide"
    places = [(unit.place.get("section"), unit.place["line"]) for unit in extraction.units]
    assert places == [
        (None, 1),
        ("Plants › Care", 6),
        ("Plants › Light", 15),
        ("Animals", 21),
    ]
    lines = text.split("\n")
    for unit in extraction.units:  # every line of a unit stands in the file where its number says
        first = int(unit.place["line"])
        for offset, line in enumerate(unit.text.split("\n")):
            assert line in lines[first + offset - 1], (first, offset)
    words = [word for word in text.split() if word.strip("#-")]
    assert [word for word in extraction.text.split() if word.strip("#-")] == words


def test_rest_sections_by_order_of_underlines() -> None:
    text = "=====\nGuide\n=====\n\nDr. Who came.\n\nCare\n----\nWater.\n\nMore\n~~~~\nLight.\n\nFood\n----\nSoil.\n"
    extraction = read("a.rst", text.encode())
    assert [(unit.place["section"], unit.place["line"]) for unit in extraction.units] == [
        ("Guide", 1),
        ("Guide › Care", 7),
        ("Guide › Care › More", 11),
        ("Guide › Food", 15),
    ]
    assert "Dr. Who came." in extraction.text and "====" not in extraction.text


def test_every_extension_has_a_reader_that_exists() -> None:
    for extension in sorted(SUPPORTED):
        with pytest.raises(Unreadable) as caught:
            read(f"a.{extension}", b"\x00\x01\x02\x03" * 64)
        assert caught.value.code in ("binary", "damaged"), extension


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\0\0\0"])
def test_empty_files(content: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        read("a.txt", content)
    assert caught.value.code == "empty"


def test_a_file_over_the_limit_is_refused() -> None:
    with pytest.raises(Unreadable) as caught:
        read("a.txt", b"x" * 101, limits=Limits(file_bytes=100))
    assert caught.value.code == "too_large"
