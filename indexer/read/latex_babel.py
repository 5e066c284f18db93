"""What authors type in LaTeX for the letters of their language, where its package babel is told of it: "a for ä."""

from __future__ import annotations

import re

_LOADED = re.compile(
    r"\\(?:usepackage|documentclass|RequirePackage)\s*\[([^\]]*)\]\s*\{([^}]*)\}|\\usepackage\{(n?german)\}"
)
# babel's own manuals, one a language: which letters follow the quotation mark.
_UMLAUTS = dict(zip("aeiouAEIOU", "äëïöüÄËÏÖÜ", strict=True))
_LETTERS = {
    "german": {**_UMLAUTS, "s": "ß", "z": "ß", "S": "SS", "Z": "SZ"},
    "dutch": _UMLAUTS,
    "polish": dict(zip("acelnosrxACELNOSRX", "ąćęłńóśżźĄĆĘŁŃÓŚŻŹ", strict=True)),
    "": {},  # languages with the marks below alone
}
_ALIKE = {
    "ngerman": "german", "austrian": "german", "naustrian": "german", "swissgerman": "german",
    "nswissgerman": "german", "russian": "", "ukrainian": "", "bulgarian": "", "danish": "", "norsk": "", "swedish": "",
    "finnish": "", "czech": "", "slovak": "", "catalan": "", "spanish": "",
}  # fmt: skip
# A place where a word may break is nothing to read; a hyphen that may not be broken is one.
_MARKS = {"`": "„", "'": "“", "<": "«", ">": "»", "-": "", '"': "", "|": "", "=": "-", "~": "-"}


class Shorthands:
    """The shorthands of the languages that a document loads; of none they are left as they stand."""

    def __init__(self, text: str) -> None:
        names = {
            name for found in _LOADED.findall(text[:50_000]) for part in found for name in re.findall(r"\w+", part)
        }
        languages = {_ALIKE.get(name, name) for name in names}
        self._letters: dict[str, str] | None = None
        for language in _LETTERS:
            if language in languages:
                self._letters = {**_MARKS, **_LETTERS[language], **(self._letters or {})}

    def resolved(self, line: str) -> str:
        """One line with letters and marks where it has shorthands."""
        letters = self._letters
        if letters is None or '"' not in line:
            return line
        line = line.replace('"---', "—")
        return re.sub('"(.)', lambda typed: letters.get(typed[1], typed[0]), line)
