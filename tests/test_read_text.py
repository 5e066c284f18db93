"""Plain text in any encoding, Markdown, reStructuredText, source code."""

from __future__ import annotations

import pytest

from indexer.read import read

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


@pytest.mark.parametrize(("language", "encoding"), ENCODINGS, ids=[f"{l}-{e}" for l, e in ENCODINGS])
def test_text_decodes_exactly(language: str, encoding: str) -> None:
    text = "\n".join([encodable(WORDS[language], encoding)] * 2) + "\n"
    extraction = read("note.txt", text.encode(encoding))
    assert extraction.text == text
    assert not [note for note in extraction.notes if note.code == "undecodable_bytes"]
