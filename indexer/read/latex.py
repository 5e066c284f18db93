"""LaTeX and BibTeX: the words as people write them, accents and all; line numbers hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from indexer.read.charset import decode
from indexer.read.clean import clean, one_line
from indexer.read.latex_babel import Shorthands
from indexer.read.limits import Source
from indexer.read.plain import text_extraction
from indexer.read.sections import Sections
from labse_search.records import Extraction, Unit

# pylatexenc was tried: it loses line numbers, and what it does not know.
_MARKS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304", ".": "\u0307",
    "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "d": "\u0323", "b": "\u0331", "k": "\u0328",
    "r": "\u030a", "t": "\u0361", "h": "\u0309", "G": "\u030f", "f": "\u0311",
}  # fmt: skip
_LETTERS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å",
    "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dj": "đ", "DJ": "Đ", "ng": "ŋ", "NG": "Ŋ",
    "SS": "ẞ", "textquotedblleft": "“", "textquotedblright": "”", "textendash": "–", "textemdash": "—", "dots": "…",
    "ldots": "…", "textellipsis": "…", "copyright": "©", "pounds": "£", "euro": "€", "texteuro": "€", "S": "§",
    "P": "¶",
    "textdegree": "°", "guillemotleft": "«", "guillemotright": "»", "flqq": "«", "frqq": "»", "glqq": "„", "grqq": "“",
    "og": "«", "fg": "»", "glq": "‚", "grq": "‘", "quotedblbase": "„",
    "LaTeX": "LaTeX", "TeX": "TeX", "BibTeX": "BibTeX", "textbackslash": "\\", "textasciitilde": "~", "today": "",
    "quad": " ", "qquad": " ", "newline": " ", "par": "", "item": "•",
}  # fmt: skip
_BASE = r"(?:\\([ij])(?![A-Za-z])[ \t]*|([A-Za-z]))"
_ACCENT = re.compile(rf"\\([`'^~\"=.])\s*(?:\{{\s*{_BASE}\s*\}}|{_BASE})")
_LETTER_ACCENT = re.compile(rf"\\([uvHcdbkrthGf])(?:\s*\{{\s*{_BASE}\s*\}}|\s+{_BASE}|(?=\\[ij]){_BASE})")
_LETTER = re.compile(
    r"\\(" + "|".join(sorted(_LETTERS, key=len, reverse=True)) + r")(?![A-Za-z])(?:\{\}|[ \t]+(?=\w))?"
)
_ESCAPED = re.compile(r"\\([&%$#_{}])")
_QUOTES = (("``", "“"), ("''", "”"), ("---", "—"), ("--", "–"))
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
# A sign for per cent is no remark in an address or in what is typed as it is.
_TYPED = re.compile(
    r"(\\(?:url|nolinkurl|path|href)\s*\{)([^{}\n]*)|(\\(?:verb\*?|lstinline)(?![A-Za-z]))([^\s\w{])(.*?)\4"
)
# Commands whose argument is no text of the document, and those that only dress it.
_MUTE = re.compile(
    r"\\(?:label|ref|eqref|pageref|autoref|cref|Cref|cite[a-zA-Z]*|nocite|includegraphics|usepackage|documentclass|"
    r"bibliography|bibliographystyle|input|include|begin|end|vspace|hspace|pagestyle|thispagestyle|setlength|"
    r"setcounter|index|hypersetup|selectlanguage|foreignlanguage|begin\{otherlanguage\*?\}|textcolor|color|graphicspath|newcommand|renewcommand|addbibresource)\*?\s*"
    r"(?:\[[^\]\n]*\]\s*)*(?:\{[^{}\n]*\})?(?:\{[lrc|p@{}.\d ]*\})?"
)
_DRESSED = re.compile(r"\\[A-Za-z]+\*?(?:\[[^\]\n]{0,200}\])?\{")
_BARE = re.compile(r"\\[A-Za-z]+\*?(?:\[[^\]\n]{0,80}\])?|\\[,;:!/ ]|\\\\(?:\[[^\]\n]{0,20}\])?")
# A backslash or dollar that is written as one comes first: it begins no formula.
_INLINE = r"\\[\\$]|\$(?:[^$\\\n]|\\.){1,2000}\$"
_MATH = re.compile(_INLINE + r"|\\\([^\n]{1,2000}?\\\)")
# Formulas that stand by themselves, over several lines: what opens each, and what closes it. "\\\\[" ends a line.
_DISPLAY = re.compile(
    _INLINE + r"|(\\\[|\$\$)"
    r"|\\begin\{((?:equation|align|flalign|gather|multline|eqnarray|displaymath|math|dmath)\*?)\}"
    r"|\\begin\{((?:alignat|IEEEeqnarray)\*?)\}\{[^{}\n]*\}"
)
_CLOSING = {"\\[": re.compile(r"\\\\|(\\\])"), "$$": re.compile(r"\\[\\$]|(\$\$)")}
_DEFINES = re.compile(
    r"\\(?:(?:re|provide)?newcommand|(?:re)?newenvironment|[egx]?def|DeclareMathOperator)(?![A-Za-z])"
)
_LABEL = re.compile(r"\\label\{[^{}\n]*\}")
_NOTE = re.compile(r"(?=\\(?:footnote|footnotetext|endnote|thanks|marginpar|marginnote|sidenote|todo)(?![A-Za-z]))")
_HEADING = re.compile(
    r"\s*\\(part|chapter|section|subsection|subsubsection|paragraph)\*?(?:\[[^\]]*\])?"
    r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}\s*(.*)$"
)
_LEVELS = {"part": 1, "chapter": 2, "section": 3, "subsection": 4, "subsubsection": 5, "paragraph": 6}
_VERBATIM = re.compile(
    r"\\(begin|end)\{(?:verbatim|Verbatim)\*?\}|\\(begin|end)\{(?:lstlisting|minted)\*?\}(?:\[[^\]\n]*\])?(?:\{[^{}\n]*\})?"
)


def accents(text: str) -> str:
    """With letters where LaTeX has commands for them."""
    if "\\" not in text:
        return text

    def marked(match: re.Match[str]) -> str:
        base = next(letter for letter in match.groups()[1:] if letter)
        return unicodedata.normalize("NFC", base + _MARKS[match[1]])

    text = _LETTER_ACCENT.sub(marked, _ACCENT.sub(marked, text))

    def letter(match: re.Match[str]) -> str:
        found = _LETTERS[match[1]]
        return found + (" " if match[0][-1].isspace() and len(match[1]) > 2 and found not in "„«‚‹" else "")

    return _ESCAPED.sub(r"\1", _LETTER.sub(letter, text))


def read_latex(source: Source) -> Extraction:
    """Sections by heading. Commands are taken away and their text is kept; formulas and listings stay as written."""
    decoded = decode(source.content)
    text = decoded.text.replace("\x00", "")
    words = _Words(Shorthands(text))
    sections = Sections("\n")
    verbatim = False
    for number, line in enumerate(text.split("\n"), 1):
        if verbatim or (_VERBATIM.search(line) and not words.in_formula):
            shown, verbatim = _listed(line, words, verbatim)
            sections.paragraph(shown, line=number)
            continue
        heading = _HEADING.match(line) if len(line) < 2000 and not words.in_formula else None
        if heading:
            sections.heading(_LEVELS[heading[1]], words.of(heading[2]), line=number)
            if rest := words.of(heading[3]).strip():
                sections.paragraph(rest, joiner=" ")  # of the same line
            continue
        sections.paragraph(words.of(line), line=number)
    titled = re.search(r"\\title(?:\[[^\]]*\])?\{((?:[^{}]|\{[^{}]*\})*)\}", text)
    title = one_line(_Words(words.shorthands).of(titled[1])) if titled else sections.first_heading
    return Extraction(sections.units(), "latex", title or None, decoded.encoding, decoded.notes)


def _listed(line: str, words: _Words, verbatim: bool) -> tuple[str, bool]:
    """A line of a listing, or one that a listing begins or ends in; and whether it goes on."""
    shown, at = [], 0
    for fence in _VERBATIM.finditer(line):
        before = line[at : fence.start()]
        if not verbatim and _COMMENT.search(before):
            break
        shown.append(before if verbatim else words.of(before).strip())
        verbatim, at = "begin" in fence.groups(), fence.end()
    shown.append(line[at:] if verbatim else words.of(line[at:]).strip())
    return " ".join(filter(None, shown)), verbatim


class _Words:
    """Takes the lines of a document one after the other, and gives each without commands; it stays one line."""

    def __init__(self, shorthands: Shorthands) -> None:
        self.shorthands = shorthands
        self._closing: re.Pattern[str] | None = None  # of a formula that goes on in the next line
        self._kept: list[str] = []  # what stays as it is written, while its line is taken apart

    @property
    def in_formula(self) -> bool:
        """Whether the next line goes on with a formula."""
        return self._closing is not None

    def of(self, line: str) -> str:
        """The words of the next line."""
        self._kept = []
        if not line.strip():
            self._closing = None  # LaTeX itself does not go on
        line = _COMMENT.sub(r"\1", _TYPED.sub(self._typed, line))
        line = _MATH.sub(
            lambda found: found[0] if found[0] in ("\\\\", "\\$") else self._keep(found[0]), self._display(line)
        )
        line = re.sub(r"(?<!\\)&", " | ", _MUTE.sub("", line))
        line = _undressed(self.shorthands.resolved(accents(line)))
        for typed, meant in _QUOTES:
            line = line.replace(typed, meant)
        line = re.sub(r"[ \t]{2,}", " ", line)
        while "\x00" in line:  # a formula may hold an address
            line = re.sub("\x00(\\d+)\x00", lambda match: self._kept[int(match[1])], line)
        line = line.rstrip()
        return line.strip() if line.strip() in ("|", "•") else line

    def _keep(self, text: str) -> str:
        self._kept.append(text)
        return f"\x00{len(self._kept) - 1}\x00"

    def _typed(self, found: re.Match[str]) -> str:
        if found[1]:
            return found[1] + self._keep(_ESCAPED.sub(r"\1", found[2]))
        return self._keep(found[5])

    def _display(self, line: str) -> str:
        """The line with signs in the place of formulas that stand by themselves."""
        parts: list[str] = []
        at = 0
        opening = None if _DEFINES.search(line) else _DISPLAY
        while pattern := self._closing or opening:
            found = next((match for match in pattern.finditer(line, at) if match.lastindex), None)
            end = found.start() if found else len(line)
            parts.append(self._keep(_LABEL.sub("", line[at:end])) if self._closing and end > at else line[at:end])
            if found is None:
                return "".join(parts)
            name = found[found.lastindex or 0]
            if self._closing:
                self._closing = None
            else:
                self._closing = _CLOSING.get(name) or re.compile(rf"(\\end\{{{re.escape(name)}\}})")
            if name in ("\\[", "\\]", "$$"):
                parts.append(self._keep(name))
            at = found.end()
        return line


def _undressed(text: str) -> str:
    """Without commands and braces; a space between the arguments of one command, and before a note."""
    text = _BARE.sub(" ", _DRESSED.sub("\x01", _NOTE.sub(" ", text))).replace("~", " ")
    shown: list[str] = []
    groups: list[bool] = []  # the open ones: whether each is an argument of a command
    closed = parted = False  # whether an argument has just ended, and whether another one began there
    for character in text:
        if character in "\x01{":
            parted = parted or (closed and character == "{")
            groups.append(closed or character == "\x01")
            closed = False
        elif character == "}":
            closed = bool(groups) and groups.pop()
            parted = False
        else:
            shown.append(f" {character}" if parted else character)
            closed = parted = False
    return "".join(shown)


_ENTRY = re.compile(r"@\s*(\w+)\s*([{(])\s*")
_FIELD = re.compile(r"\s*,?\s*([\w:.+-]+)\s*=\s*")
_ORDER = ("author", "editor", "title", "booktitle", "journal", "year", "date")
_DUMB = frozenset(("file", "bdsk-file-1", "bdsk-url-1", "date-added", "date-modified", "timestamp", "owner", "groups"))


def read_bibtex(source: Source) -> Extraction:
    """One unit an entry, "name: value" a field; people and title first."""
    decoded = decode(source.content)
    text = decoded.text
    macros: dict[str, str] = {}
    units: list[Unit] = []
    line, seen = 1, 0
    at = 0
    while entry := _ENTRY.search(text, at):
        line, seen = line + text.count("\n", seen, entry.start()), entry.start()
        kind = entry[1].lower()
        key, at = ("", entry.end()) if kind in ("string", "preamble", "comment") else _key(text, entry.end())
        if kind == "comment":
            at = _braced(text, entry.end() - 1)[1] if entry[2] == "{" else entry.end()
            continue
        fields = {}
        for name, value, after in _fields(text, at, macros):
            fields[name.lower()] = value
            at = after
        if kind == "string":
            macros.update(fields)
            continue
        ordered = [
            *(name for name in _ORDER if name in fields),
            *(n for n in fields if n not in _ORDER and n not in _DUMB),
        ]
        lines = [f"{name}: {shown}" for name in ordered if (shown := _plain(fields[name]))]
        if lines:
            title = one_line(_plain(fields.get("title", "")))
            place: dict[str, str | int] = {"line": line, **({"title": title} if title else {}), "path": key}
            units.append(Unit(clean("\n".join(lines)), {name: value for name, value in place.items() if value != ""}))
    if not units:
        return text_extraction(decoded, "bibtex")
    return Extraction(
        tuple(units), "bibtex", encoding=decoded.encoding, notes=decoded.notes, holds={"entries": len(units)}
    )


def _key(text: str, at: int) -> tuple[str, int]:
    match = re.compile(r"([^,\s{}()=]*)\s*(?=[,})])").match(text, at)
    return (match[1], match.end()) if match else ("", at)


def _fields(text: str, at: int, macros: dict[str, str]) -> Iterator[tuple[str, str, int]]:
    while field := _FIELD.match(text, at):
        at = field.end()
        pieces = []
        while at < len(text):
            if text[at] == "{":
                piece, at = _braced(text, at)
            elif text[at] == '"':
                piece, at = _quoted(text, at)
            else:
                word = re.compile(r"[^\s,#{}()]+").match(text, at)
                if word is None:
                    break
                piece, at = macros.get(word[0].lower(), word[0]), word.end()
            pieces.append(piece)
            joined = re.compile(r"\s*#\s*").match(text, at)
            if joined is None:
                break
            at = joined.end()
        yield field[1], "".join(pieces), at


def _braced(text: str, at: int) -> tuple[str, int]:
    depth = 0
    for end in range(at, len(text)):
        if text[end] in "{}" and text[end - 1] != "\\":
            depth += 1 if text[end] == "{" else -1
            if not depth:
                return text[at + 1 : end], end + 1
    return text[at + 1 :], len(text)


def _quoted(text: str, at: int) -> tuple[str, int]:
    depth = 0
    for end in range(at + 1, len(text)):
        if text[end] in "{}":
            depth += 1 if text[end] == "{" else -1
        elif text[end] == '"' and depth <= 0 and text[end - 1] != "\\":
            return text[at + 1 : end], end + 1
    return text[at + 1 :], len(text)


def _plain(value: str) -> str:
    value = accents(" ".join(value.split()))
    value = _undressed(value)
    for typed, meant in _QUOTES:
        value = value.replace(typed, meant)
    return " ".join(value.split())
