"""Texts in the forms that programs write them in, and in the encodings of other times."""

from __future__ import annotations

import time

import pytest

from indexer.read import read
from indexer.read.guess import guess
from labse_search.records import Note

# Encodings


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp850", "Grüße aus Köln: die Maße der Tür stimmen."),
        ("cp437", "Élève à l'école, déjà très tôt."),
        ("mac-roman", "Grüße aus Köln: die Maße der Tür stimmen."),
        ("cp852", "Zażółć gęślą jaźń. Książka leży na półce."),
        ("mac-latin2", "Příliš žluťoučký kůň úpěl ďábelské ódy."),
        ("cp866", "Съешь ещё этих мягких французских булок."),
        ("mac-cyrillic", "Съешь ещё этих мягких французских булок, да выпей же чаю."),
        ("cp737", "Η γρήγορη αλεπού πηδάει πάνω από τον τεμπέλη σκύλο."),
        ("cp862", "הילדים הלכו לבית הספר בבוקר, ואחר כך שיחקו בגינה עד הערב."),
        ("cp932", "ﾐﾅﾄﾉ ﾔｸﾊﾞ 電話 0123"),
        (
            "cp1252",
            "Eile õhtul käisime teatris ja vaatasime uut näidendit. See meeldis meile väga, kuigi see oli pikk.",
        ),
        ("cp1252", "Ahir al vespre vam anar al teatre. Ens va agradar molt. Però això és així; il·lusió, cançó."),
        ("cp1252", "Grüße aus Köln: „die Maße“ der Tür – alles stimmt …"),
        ("cp1251", "Съешь ещё этих мягких французских булок, да выпей же чаю."),
        ("koi8-r", "Съешь ещё этих мягких французских булок, да выпей же чаю."),
        ("cp862", "המים עלו שלושה מטרים והגשר סגור."),
        ("mac-greek", "Το νερό ανέβηκε τρία μέτρα και η γέφυρα έκλεισε."),
        ("cp860", "A máquina de café não está atrás do celeiro; são três irmãos, e as ações começaram amanhã."),
        ("cp861", "Kaffikvörnin stendur á bak við hlöðuna og þar er líka gamli brunnurinn, sagði hún."),
        ("mac-iceland", "Kaffikvörnin stendur á bak við hlöðuna og þar er líka gamli brunnurinn, sagði hún."),
        ("cp775", "Kafijas dzirnaviņas stāv aiz šķūņa pie vecās akas. Viņš teica, ka rīt būs ļoti auksts."),
        ("cp1125", "Кавомолка стоїть за сараєм біля старої криниці. Її привіз дід із Києва."),
        ("johab", "커피 그라인더는 헛간 뒤에 있습니다. 할아버지가 서울에서 가져오셨습니다."),
        ("ptcp154", "Кофе ұнтақтағыш сарайдың артында тұр. Оны атам Алматыдан әкелген."),
        ("utf-7", "Die Tür in Köln – größer als gedacht."),
        ("cp932", "言い換えると、世の中にはいろいろな人間が必要だ。"),  # signs between letters, without spaces
        ("cp932", "驚いたふりをしないで。彼は２０代に違いない。"),
        ("cp932", "時々、佐々木さんが来る。"),
        ("cp932", "●概要：会議は３時に始まります。"),
        ("euc-jp", "時々、佐々木さんが来る。"),
        ("euc-jp", "会議の議事録（２０２４年５月）"),
        ("gbk", "我叫Jack。"),
        ("big5", "●概要"),
        ("cp949", "제①장 물 이야기"),
        ("cp949", "나는 “예”라고 했다…"),
        ("cp1251", "Я люблю свой город."),  # a small я in the Macintosh's Cyrillic, all else is the same
        ("mac-cyrillic", "Мы любим свой город, а он нас."),
    ],
)
def test_the_encoding_is_known_by_the_words_that_it_gives(encoding: str, text: str) -> None:
    assert read("a.txt", text.encode(encoding)).text == text


def test_lines_in_two_encodings_are_read_each_in_its_own() -> None:
    content = "Grüße aus Köln\n".encode() + "Schöne Fässer für Öl\n".encode("cp1252") + "Plain\nÜbung\n".encode()
    extraction = read("a.log", content)
    assert extraction.text == "Grüße aus Köln\nSchöne Fässer für Öl\nPlain\nÜbung\n"
    assert extraction.notes == (Note("encoding_mixed", "UTF-8, and windows-1252 in 1 lines"),)


def test_a_broken_letter_in_utf_8_is_no_other_encoding() -> None:
    extraction = read("a.txt", "Привет, мир\n".encode() + "Добрый де\n".encode()[:-2] + b"\n")
    assert extraction.text == "Привет, мир\nДобрый д\ufffd\n"


def test_emoji_in_two_halves_are_one() -> None:
    halves = b"Moin " + "\ud83d\ude00".encode("utf-8", "surrogatepass") + " Möwe".encode()
    extraction = read("a.txt", halves)
    assert (extraction.text, extraction.encoding) == ("Moin 😀 Möwe", "cesu-8")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("latin-1", "会議は三時です"),
        ("cp1251", "Вода пришла ночью, мост закрыт."),
        ("mac-roman", "Grüße aus Köln, schöne Tür"),
        ("cp437", "Grüße aus Köln, schöne Tür"),
    ],
)
def test_utf_8_that_was_taken_for_anything_else_is_mended(wrong: str, text: str) -> None:
    extraction = read("a.txt", f"Fine: Möwe\n{text.encode().decode(wrong, 'ignore')}\n".encode())
    assert text[:12] in extraction.text
    assert extraction.notes == (Note("mojibake_repaired", "1 line"),)


def test_bold_letters_of_printers_are_read_once_and_a_wrong_mark_of_utf_16_not_believed() -> None:
    assert read("a.txt", b"N\bNA\bAM\bME\bE\nlist _\bf_\bi_\bl_\be").text == "NAME\nlist file"
    assert read("a.txt", b"\xff\xfeOnly plain letters here.").text == "Only plain letters here."


@pytest.mark.parametrize("wrong", ["latin-1", "cp1252"])
def test_utf_8_that_was_taken_for_another_encoding_is_mended_and_said(wrong: str) -> None:
    text = "Grüße aus Köln: die schöne Tür"
    garbled = (
        text.encode().decode(wrong, "replace") if wrong == "latin-1" else text.replace("ß", "").encode().decode(wrong)
    )
    extraction = read("a.txt", f"Fine: Möwe\n{garbled}\n".encode())
    assert extraction.text == f"Fine: Möwe\n{text if wrong == 'latin-1' else text.replace('ß', '')}\n"
    assert extraction.notes == (Note("mojibake_repaired", "1 line"),)


def test_what_may_be_meant_is_not_mended() -> None:
    for text in ("Ã is a letter, and so is Â.", "São Tomé – “Quito” €5", "À LA CARTE", "Ångström Ærø"):
        assert read("a.txt", text.encode()).text == text


def test_the_detector_is_believed_where_its_words_are_good() -> None:
    assert guess("Сегодня хорошая погода".encode("cp1251")) == "windows-1251"


# Calendars and address books


def test_calendar() -> None:
    content = (
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Lock repair\\, part 2\r\nDTSTART;"
            "TZID=\"Europe/Berlin\":20240501T090000\r\n"
        "LOCATION:North quay\r\nDESCRIPTION:Bring oars\\nand a\r\n  rope\r\nORGANIZER;CN=\"Ann "
            "B\":mailto:ann@example.org\r\n"
        "BEGIN:VALARM\r\nDESCRIPTION:Reminder\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )  # fmt: skip
    for name in ("a.ics", "calendar"):
        extraction = read(name, content.encode())
        assert extraction.text.split("\n") == [
            "Lock repair, part 2", "Start: 2024-05-01 09:00", "Location: North quay", "Bring oars", "and a rope",
            "Organizer: Ann B (ann@example.org)",
        ]  # fmt: skip
        assert extraction.holds == {"events": 1}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("STATUS:CANCELLED", "Status: cancelled"),
        ("STATUS:IN-PROCESS", "Status: in process"),
        ("DURATION:PT1H30M", "Duration: 1 hour 30 minutes"),
        ("DURATION:P2W", "Duration: 2 weeks"),
        ("RRULE:FREQ=DAILY", "Repeats: daily"),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=15", "Repeats: yearly, month 3, day 15"),
        (
            "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;UNTIL=20241231T080000Z;WKST=MO",
            "Repeats: every 2 weeks, Monday, Wednesday, until 2024-12-31 08:00 UTC",
        ),
        ("RRULE:FREQ=MONTHLY;BYDAY=-1FR,2TU;COUNT=10", "Repeats: monthly, last Friday, 2. Tuesday, 10 times"),
    ],
)
def test_an_event_says_that_it_is_cancelled_how_long_it_takes_and_when_it_is_again(written: str, shown: str) -> None:
    content = f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Lock repair\n{written}\nEND:VEVENT\nEND:VCALENDAR\n"
    assert read("a.ics", content.encode()).text == f"Lock repair\n{shown}"


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        ("20261224", "20261225", "2026-12-24"),
        ("20261231", "20270102", "2027-01-01"),
        ("20261224", "20261224", "2026-12-24"),  # against the rules, and meant all the same
        ("20261224T100000", "20261225T120000", "2026-12-25 12:00"),
        ("20261224", "20269925", "2026-99-25"),
    ],
)
def test_an_event_of_whole_days_ends_with_the_day_before_the_one_that_it_names(
    start: str, end: str, shown: str
) -> None:
    content = f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Feast\nDTSTART;VALUE=DATE:{start}\nDTEND:{end}\nEND:VEVENT\n"
    assert read("a.ics", content.encode()).text.endswith(f"\nEnd: {shown}")


def test_a_line_that_is_folded_inside_a_letter_is_whole() -> None:
    lines = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Réunion à 8 €\r\nEND:VEVENT\r\n".encode()
    for at in range(lines.index(b"R\xc3"), lines.index(b"\r\nEND")):
        extraction = read("a.ics", lines[:at] + b"\r\n " + lines[at:])
        assert (extraction.text, extraction.encoding) == ("Réunion à 8 €", "utf-8")


def test_only_dates_are_shown_as_dates() -> None:
    lines = (
        "TEL:22334455\nTEL;TYPE=CELL:19850412\nNOTE:20240101\nNICKNAME:20240102\nBDAY:19850412\nANNIVERSARY:20100501"
    )
    text = read("a.vcf", f"BEGIN:VCARD\nVERSION:3.0\nFN:Ole Hansen\n{lines}\nEND:VCARD\n".encode()).text
    assert text.split("\n")[1:] == [
        "Telephone: 22334455", "Telephone: 19850412", "Note: 20240101", "Nickname: 20240102", "Birthday: 1985-04-12",
        "Anniversary: 2010-05-01",
    ]  # fmt: skip


def test_contacts_old_and_new() -> None:
    old = (
        "BEGIN:VCARD\nVERSION:2.1\nFN;CHARSET=UTF-8;"
        "ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen=20M=C3=B6=\n=C3=9Fner\nEND:VCARD\n"
    )
    new = (
        "BEGIN:VCARD\nVERSION:4.0\nFN:Ann Lee\nitem1.TEL:+49 1\nNOTE:Likes tea\\; no milk\nPHOTO;"
        "ENCODING=b:/9j/4AAQ\nEND:VCARD\n"
    )
    units = read("a.vcf", (old + new).encode()).units
    assert [unit.text for unit in units] == ["Jürgen Mößner", "Ann Lee\nTelephone: +49 1\nNote: Likes tea; no milk"]


@pytest.mark.parametrize(
    ("lines", "text", "title"),
    [
        (
            "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;Anna Maria;;Dr.;\nTEL;CELL:+49 1",
            "Dr. Anna Maria Müller\nTelephone: +49 1",
            "Dr. Anna Maria Müller",
        ),
        ("TEL:+49 2\nN:Lee;Ann;;;", "Ann Lee\nTelephone: +49 2", "Ann Lee"),
        ("N:Lee;Ann", "Ann Lee", "Ann Lee"),
        ("N:;Mum;;;\nTEL:3", "Mum\nTelephone: 3", "Mum"),
        ("N:山田;太郎;;;\nTEL:4", "山田 太郎\nTelephone: 4", "山田 太郎"),
        ("N:;;;;\nORG:Lock Keepers;Kiel", "Organization: Lock Keepers, Kiel", None),
        ("N:Lee;Ann;;;\nFN:Ann B. Lee\nTEL:5", "Ann B. Lee\nTelephone: 5", "Ann B. Lee"),
    ],
)
def test_a_person_is_called_by_the_parts_of_the_name_where_no_name_is_written_out(
    lines: str, text: str, title: str | None
) -> None:
    unit = read("a.vcf", f"BEGIN:VCARD\nVERSION:2.1\n{lines}\nEND:VCARD\n".encode()).units[0]
    assert (unit.text, unit.place.get("title")) == (text, title)


# Messages of programs


def test_properties() -> None:
    content = "# Greeting\ngreeting = \\u0414\\u043e\\u0431\\u0440\\u043e\nlong: one \\\n   two\nempty=\n"
    extraction = read("a.properties", content.encode())
    assert [(unit.text, unit.place["line"]) for unit in extraction.units] == [
        ("Greeting", 1), ("greeting = Добро", 2), ("long = one two", 3),
    ]  # fmt: skip


def test_a_message_of_many_lines_costs_linear_time() -> None:
    def seconds(lines: int) -> float:
        text = "words=\\\n" + "  another word of a long list \\\n" * lines + "  end\n"
        begun = time.process_time()
        assert read("a.properties", text.encode()).text.endswith("long list end")
        return time.process_time() - begun

    assert seconds(20_000) < 20 * max(0.05, seconds(2_000))  # quadratic would be 100 times


def test_gettext() -> None:
    content = (
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=ISO-8859-1\\n"\n\n#. On the button\n#: '
        'a.c:1\nmsgid "Save"\n'
        'msgstr "Spei"\n"chern für später"\n\nmsgid "file"\nmsgid_plural "files"\nmsgstr[0] '
        '"Datei"\nmsgstr[1] "Dateien"\n'
    )
    extraction = read("a.po", content.encode("latin-1"))
    assert [unit.text for unit in extraction.units] == [
        "On the button\nSave\nSpeichern für später",
        "file\nfiles\nDatei\nDateien",
    ]


def test_strings_of_apple() -> None:
    content = '/* Button */\n"save" = "Sichern \\U00e4 \\"jetzt\\"";\n'
    assert [unit.text for unit in read("a.strings", content.encode("utf-16")).units] == [
        "Button",
        'save = Sichern ä "jetzt"',
    ]


# LaTeX


def test_latex_is_read_as_people_write() -> None:
    content = (
        "\\documentclass{article}\n\\title{On \\emph{Boats}}\n\\begin{document}\n% a remark\n"
        "\\section{Einf\\\"uhrung} The equation of Schr\\\"odinger, Erd\\H{o}s, Dvo\\v{r}\\'ak.\n"
        "Stra{\\ss}e \\footnote{Fu\\ss note} \\cite{x}~na\\\"{\\i}ve \\c{c}a, \\O re\\& --- ``so''. "
            "$E = mc^2$\n\\end{document}"
    )  # fmt: skip
    extraction = read("a.tex", content.encode())
    text = " ".join(extraction.text.split())
    assert extraction.title == "On Boats"
    assert "Einführung The equation of Schrödinger, Erdős, Dvořák." in text
    assert "Straße Fußnote naïve ça, Øre& — “so”. $E = mc^2$" in text
    assert "remark" not in text and "cite" not in text


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (r"Energy is \[ E = \frac{m}{2} \alpha v^2 \] here.", r"Energy is \[ E = \frac{m}{2} \alpha v^2 \] here."),
        ("Now\n\\[\n  E &= \\gamma  m c^2 \\\\[2pt]\n\\]\nso.", "Now\n\\[\n  E &= \\gamma  m c^2 \\\\[2pt]\n\\]\nso."),
        *(
            (
                f"\\begin{{{name}}}\\label{{eq:a}}\nE &= \\gamma \\\\ % a remark\n\\sum_{{i=1}}^n\n"
                f"\\end{{{name}}} so \\emph{{it}}.",
                "\nE &= \\gamma \\\\\n\\sum_{i=1}^n\n so it.",
            )
            for name in ("equation", "equation*", "align", "gather*", "multline", "eqnarray", "displaymath")
        ),
        (r"\begin{alignat}{2} a &= \beta \end{alignat} so", r" a &= \beta  so"),
        (r"$$ \alpha $$ and $5\%$ of \$3 and $$\beta$$", r"$$ \alpha $$ and $5\%$ of $3 and $$\beta$$"),
        (r"One line\\[2pt] \emph{another}", "One line another"),
        ("\\newcommand{\\be}{\\begin{equation}}\nSome \\emph{words}", "\nSome words"),
        ("\\begin{equation} x\n\nSome \\emph{words}", " x\n\nSome words"),  # never closed
        ("See \\url{http://a.org/a%20b} for \\href{http://b.org/%C3}{the report} of % not this",
         "See http://a.org/a%20b for http://b.org/%C3 the report of"),
        (r"\verb|50% \emph| is \emph{typed}", r"50% \emph is typed"),
        (r"Let $a$$b$ be \emph{given}", r"Let $a$$b$ be given"),
        (r"Type \begin{verbatim}50% \emph\end{verbatim} \emph{now}", r"Type 50% \emph now"),
        ("\\begin{lstlisting}[language=C] a % b\n c\n\\end{lstlisting} and \\emph{so} on", " a % b\n c\nand so on"),
        ("% \\begin{verbatim}\n\\emph{words}", "words"),
        (r"\url{http://a.org/a\%20\_b} and", r"http://a.org/a%20_b and"),
    ],
)  # fmt: skip
def test_formulas_addresses_and_typed_words_of_latex_stay_as_written(typed: str, shown: str) -> None:
    extraction = read("a.tex", f"Begin\n{typed}\nEnd".encode())
    lines = [line for line in extraction.text.split("\n")[1:-1] if line.strip()]
    assert lines == [line for line in shown.split("\n") if line.strip()]


def test_lines_of_latex_stand_where_they_are_told_to_stand() -> None:
    lines = [
        r"\documentclass{article}", r"\section{Energy} It is conserved.", r"Street 5 \newline Town \newline Land",
        r"\begin{align}", r"a &= b \\", r"\end{align}", r"\subsection{Heat} % remark", "",
        r"\paragraph{Warm} water", "NEEDLE",
    ]  # fmt: skip
    units = read("a.tex", "\n".join(lines).encode()).units
    told = [
        number
        for unit in units
        for number, line in enumerate(unit.text.split("\n"), int(unit.place["line"]))
        if "NEEDLE" in line
    ]
    assert told == [lines.index("NEEDLE") + 1]
    assert "Energy It is conserved.\nStreet 5 Town Land" in units[0].text
    assert [units[0].text[a:b] for a, b in units[0].headings] == ["Energy"]


@pytest.mark.parametrize(
    ("languages", "typed", "meant"),
    [
        (
            "ngerman",
            'Die M"uhle "`stand"\' hinter der Schei"-be, gro"s.',
            "Die Mühle „stand“ hinter der Scheibe, groß.",
        ),
        ("english,polish", 'M\\l"odzik "a', "Młódzik ą"),
        ("english", '5" wide, "quoted"', '5" wide, "quoted"'),
    ],
)
def test_the_shorthands_of_babel_are_letters(languages: str, typed: str, meant: str) -> None:
    document = f"\\documentclass{{article}}\\usepackage[{languages}]{{babel}}\n\\begin{{document}}\n{typed}\n"
    assert read("a.tex", document.encode()).text.strip() == meant


def test_languages_and_colours_named_in_latex_are_no_words() -> None:
    line = r"\selectlanguage{french}\foreignlanguage{french}{l'\'et\'e \og chaud\fg{}} \textcolor{red}{na\"\i ve} "
    assert read("a.tex", (line + r"\glqq ja\grqq.").encode()).text.strip() == "l'été «chaud» naïve „ja“."


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (
            r"\cventry{2010--2012}{Engineer}{\emph{Siemens}}{Berlin}{}{Built turbines}",
            "2010–2012 Engineer Siemens Berlin Built turbines",
        ),
        (r"See \href{https://example.org/x}{our manual}.", "See https://example.org/x our manual."),
        (r"Our pumps\footnote{Pumps leak.} work", "Our pumps Pumps leak. work"),
        (r"\textbf{w}ord, {\bf w}{ord}, Stra{\ss}{e}, \emph{w}{}\emph{or}d", "word, word, Straße, word"),
    ],
)
def test_arguments_of_a_latex_command_are_not_glued_together(typed: str, meant: str) -> None:
    assert read("a.tex", typed.encode()).text.strip() == meant


def test_arguments_in_bibtex_are_not_glued_together() -> None:
    unit = read("a.bib", rb"@book{a, title={The \href{https://example.org/}{manual} of {\bf B}{oats}}}").units[0]
    assert unit.text == "title: The https://example.org/ manual of Boats"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (r"costs \$5 for \textbf{K\"ase} and \$6", "costs $5 for Käse and $6"),
        (r"costs \$5, or $x_{\mathrm{a}}$ \emph{now}", r"costs $5, or $x_{\mathrm{a}}$ now"),
        (r"first\\$x_{1}$ \emph{then}", "first $x_{1}$ then"),
    ],
)
def test_a_price_in_latex_is_no_formula(typed: str, meant: str) -> None:
    assert read("a.tex", typed.encode()).text.strip() == meant


def test_bibtex() -> None:
    content = (
        '@string{ACM = "Assoc."}\n@article{a, author={G{\\"o}del, Kurt and Pe{\\~n}a}, '
        'title={{\\"U}ber S{\\"a}tze}, journal=ACM # " J.", year=1931}'
    )
    unit = read("a.bib", content.encode()).units[0]
    assert unit.text == "author: Gödel, Kurt and Peña\ntitle: Über Sätze\njournal: Assoc. J.\nyear: 1931"
    assert unit.place["line"] == 2


# Which reader


@pytest.mark.parametrize(
    ("name", "content", "reader"),
    [
        ("a.txt", b"Words.", "text (its name)"),
        ("a.unknown", b"Words.", "text (nothing else)"),
        ("a.txt", b"BEGIN:VCARD\nFN:Ann\nEND:VCARD\n", "contacts (its structure)"),
        ("notes", b"\\documentclass{article}\nWords", "latex (its structure)"),
        ("a.xls", b"Name\tSum\nAnn\t1\n", "delimited (nothing else)"),
        ("a.py", b"x = {'a': 1}", "text (its name)"),
    ],
)
def test_the_outcome_says_which_reader_and_why(name: str, content: bytes, reader: str) -> None:
    assert read(name, content).reader == reader
