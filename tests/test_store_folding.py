"""Words that people expect to be the same, by language: facts of the scripts, not of this program."""

from __future__ import annotations

import unicodedata

import pytest

from labse_search.store.bm25 import document_rows, query_terms
from labse_search.store.folding import exact_words, letters_of, split, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Der Hut, der HUT!", ["der", "hut", "der", "hut"]),
        ("Straße ﬁx Ⅳ ２０２６", ["strasse", "fix", "iv", "2026"]),
        ("don't l’homme snake_case", ["don", "t", "l", "homme", "snake", "case"]),
        ("Кошка ΣΊΣΥΦΟΣ", ["кошка", "σισυφοσ"]),
        ("机器学习", ["机器", "器学", "学习"]),
        ("猫", ["猫"]),
        ("GPT模型v2", ["gpt", "模型", "v", "2"]),
        ("ｶﾅ と かな", ["カナ", "と", "かな"]),
        ("고양이가", ["고양", "양이", "이가"]),
        ("ที่นี่", ["ที่นี่"]),
        ("หน้า ๔๒", ["หน้", "น้า", "42"]),
        ("हिन्दी भाषा", ["हिंदी", "भाषा"]),
        ("e\u0301te\u0301 été", ["ete", "ete"]),
        ("…!? \u200b\n", []),
        ("", []),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    assert words(text) == expected


# (language, as it is written, as it is asked for)
SAME = [
    ("tr", "İSTANBUL BELEDİYESİ", "istanbul belediyesi"),
    ("tr", "IŞIKLARIN DIŞ KAPI", "ışıkların dış kapı"),
    ("tr", "ılık sütlü çay", "ilik sutlu cay"),
    ("az", "Bakı şəhəri", "baki şəhəri"),
    ("ar", "قِطَّةٌ", "قطة"),
    ("ar", "قـــطة", "قطة"),
    ("ar", "أحمد إلى آخر", "احمد الى اخر"),
    ("ar", "مدرسة", "مدرسه"),
    ("ar", "مصطفى", "مصطفي"),
    ("ar", "ﻣﺪﺭﺳﺔ", "مدرسة"),
    ("ar", "رقم ١٢٣", "رقم 123"),
    ("fa", "كشتي", "کشتی"),
    ("fa", "می‌خواندند", "میخواندند"),
    ("fa", "می‌خواندند", "می خواندند"),
    ("fa", "۱۴۰۳", "1403"),
    ("ur", "مدرسہ", "مدرسه"),
    ("he", "שָׁלוֹם עוֹלָם", "שלום עולם"),
    ("he", "צה״ל", 'צה"ל'),
    ("he", "צה״ל", "צהל"),
    ("ru", "Ёлка и Семёнов", "елка семенов"),
    ("ru", "за́мок", "замок"),
    ("uk", "м’яч", "м'яч"),
    ("uk", "об'єкт", "обʼєкт"),
    ("el", "Ύδρα ΎΔΡΑ Οδυσσεύς", "υδρα οδυσσευσ"),
    ("de", "STRASSE Straße GROẞ", "straße gross"),
    ("de", "Müller", "Mueller"),
    ("de", "Mueller", "Müller"),
    ("de", "Müller", "muller"),
    ("de", "Wasserstandsmeldung".replace("stands", "\u200bstands\u200b"), "Wasserstandsmeldung"),
    ("de", "Rhein\u00adschiff\u00adfahrt", "Rheinschifffahrt"),
    ("de", "E-Mail", "email"),
    ("de", "1.250.000 Einwohner", "1250000"),
    ("fr", "L’équipage n’a plus d’eau", "equipage eau"),
    ("fr", "l'équipage", "l’équipage"),
    ("fr", "cœur Œuvre", "coeur oeuvre"),
    ("fr", "S.N.C.F.", "SNCF"),
    ("it", "perché c’è", "perche e"),
    ("ca", "paral·lel", "parallel"),
    ("es", "Ñandú y pingüino", "nandu pinguino"),
    ("pt", "São João", "sao joao"),
    ("cs", "Antonín Dvořák", "Antonin Dvorak"),
    ("pl", "Łódź i Kraków", "lodz krakow"),
    ("ro", "Bucureşti București", "bucuresti"),
    ("vi", "Đà Nẵng", "da nang"),
    ("sv", "Ångström", "angstrom"),
    ("da", "Smørrebrød på Ærø", "smorrebrod paa aero"),
    ("is", "Þórður", "thordur"),
    ("hr", "Đorđe Šešelj", "dorde seselj"),
    ("hi", "दरवाज़ा", "दरवाजा"),
    ("hi", "हँस", "हंस"),
    ("hi", "१९८७", "1987"),
    ("th", "๒๕๖๙", "2569"),
    ("ja", "ｱﾙﾌｧ ＡＢＣ", "アルファ abc"),
    ("ja", "東京ﾄﾞｰﾑ", "東京ドーム"),
    ("ko", "고양이가", "고양이"),
    ("ko", "집이 크다", "집"),
    ("zh", "庭に猫がいる", "猫"),
    ("en", "don’t", "dont"),
    ("en", "O'Brien", "obrien"),
    ("en", "obrien", "O'Brien"),
    ("en", "naïve café", "naive cafe"),
    ("en", "U.S.A.", "usa"),
    ("en", "1,000 miles", "1000"),
    ("am", "ፀሐይ ትወጣለች", "ጸሀይ ፀሃይ"),
    ("am", "ሠራተኛው፡ዓመት", "ሰራተኛው አመት"),
    ("az", "Gəncə şəhəri", "gence seheri"),
    ("bn", "হঠাৎ", "হঠাত্\u200d"),
    ("ckb", "كوردی له\u200c هه\u200cولێر", "کوردی هەولێر هەولیر"),
    ("ckb", "ئۆتۆمۆبیل", "ئوتوموبیل"),
    ("el", "ἄνθρωπος ἐν ἀγορᾷ", "άνθρωπος αγορά"),
    ("fa", "خانۀ ما و خانهٔ شما", "خانه"),
    ("fa", "۱٬۲۵۰ نفر، ۳٫۵ متر", "1250 3.5"),
    ("gu", "હિન્દી", "હિંદી"),
    ("ha", "ɗalibi ƙasa", "dalibi kasa"),
    ("hi", "हिन्दी का सम्बन्ध", "हिंदी संबंध"),
    ("hy", "ԵՐԵՎԱՆ և Սևան", "Երևան երեւան ՍԵՎԱՆ"),
    ("ka", "ᲗᲑᲘᲚᲘᲡᲘ", "თბილისი"),
    ("km", "ថ្ងៃនេះផ្សារបិទម៉ោង៥", "ផ្សារ 5"),
    ("lo", "ປີ ໑໙໘໗", "1987"),
    ("ml", "അവൻ വീട്ടിൽ", "അവന്\u200d വീട്ടില്\u200d"),
    ("my", "၁၉၈၇ ခုနှစ်", "1987"),
    ("my", "ဈေးသည် မြို့တွင်ရှိသည်", "ဈေး မြို့"),
    ("km", "នៅថ្ងៃនេះ", "ថ្ងៃ នៅ"),
    ("th", "ปูทะเลและเป็ด", "ปู"),
    ("lo", "ບໍ່ມີປູ", "ປູ"),
    ("roman", "Ludwig ⅩⅣ. und Heinrich Ⅷ", "XIV VIII"),
    ("si", "ශ්\u200dරී ලංකා", "ශ්රී"),
    ("ta", "௧௯௮௭", "1987"),
    ("tr", "ISPARTA’DA IĞDIR", "ısparta ığdır ıspartada"),
    ("uz", "Oʻzbekiston", "O‘zbekiston O'zbekiston Ozbekiston"),
    ("vi", "Hoà bình, Thuỷ điện", "Hòa Thủy dien"),
    ("yi", "ײִדיש און װאַסער", "יידיש וואסער"),
    ("codes", "ISO 9001:2015", "iso9001"),
    ("codes", "ISO9001", "ISO 9001"),
    ("codes", "A‑4711", "A-4711"),
    ("codes", "A‑4711", "a4711"),
    ("codes", "XR-77/B", "xr77b"),
    ("codes", "H₂O und 10²", "h2o 102"),
    ("codes", "ﬁle\u2060name", "filename"),
]


@pytest.mark.parametrize(("language", "written", "asked"), SAME, ids=lambda value: value if len(value) < 6 else None)
def test_a_text_is_found_by_all_words_of_the_question(language: str, written: str, asked: str) -> None:
    there = set(document_rows([written]).row(0)[0])
    for word in asked.split():
        assert set(query_terms(word)) & there, word


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("мой", "мои"),
        ("їжа", "іжа"),
        ("が", "か"),
        ("кит", "кіт"),
        ("ход", "хот"),
        ("Boot", "Bot"),
        ("ข้า", "ขา"),
        ("हिम", "हिं"),
        ("ሀገር", "ለገር"),
    ],
)
def test_letters_that_make_another_word_stay(one: str, other: str) -> None:
    assert words(one) != words(other)


def test_two_sentences_without_a_space_are_no_word() -> None:
    assert len(query_terms("end.Start")) == 2
    assert len(query_terms("3.14")) == 2


def test_exact_spelling_can_be_told_apart() -> None:
    assert exact_words("Résumé RÉSUMÉ") == {"résumé"} != exact_words("resume")


@pytest.mark.parametrize("text", ["東京都に", "猫", "ปู่ย่า", "ဈေး", "ភាសាខ្មែរ", "서울특별시", "か\u3099く", "𠀋𠀌𠀍"])
def test_the_letters_of_a_word_without_spaces_are_found_again_in_its_pairs(text: str) -> None:
    ((parts, _),) = split(text)
    letters = letters_of(parts)
    assert "".join(letters) == unicodedata.normalize("NFC", text)
    assert parts == (tuple(map("".join, zip(letters, letters[1:], strict=False))) or tuple(letters))


def test_a_word_of_a_script_with_spaces_has_no_letters_of_its_own() -> None:
    assert [letters_of(parts) for parts, _ in split("e-mail Привет हिन्दी 123")] == [[], [], [], []]
