"""UTF-8 that another program took for an older encoding and saved again ("GrÃ¼ÃŸe"), mended where it is certain."""

from __future__ import annotations

import re

from indexer.read.clean import join_surrogates

# First letters that UTF-8 becomes, taken for Latin-1 or Windows-1252, for Mac Roman ("√º"), for code page 437 ("├╝").
_TWICE = re.compile(
    rb"\xc3[\x82-\x85\x8e\x90\x91\x97\x98\xa2-\xb0][\xc2\xc5\xc6\xcb\xe2]|\xe2\x88\x9a[\xc2\xc3\xe2]|\xe2\x94[\x9c\xac]\xe2"
)
_GARBLED = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]"
    "|√[^\\s\\w]|√[ºüØ∂ƒß©±¥µªÆæø]|[├┬][^\\s\\d─┼├┤]"
)


def mended(text: str, content: bytes | None = None) -> tuple[str, int]:
    """The text, and how many of its lines were mended: ftfy changes nothing that could have been meant.

    `content`: the same in UTF-8, in which it is seen sooner that nothing is to do.
    """
    content = text.encode("utf-8", "surrogatepass") if content is None else content
    if content.isascii() or not (_TWICE.search(content) or _is_cyrillic_twice(content)):
        return text, 0
    import ftfy

    lines, count = [], 0
    for line in text.split("\n"):
        if _GARBLED.search(line) or _is_cyrillic_twice(line.encode("utf-8", "surrogatepass")):
            fixed = join_surrogates(ftfy.fix_encoding(line))
            if fixed != line and "\n" not in fixed:
                count += 1
                line = fixed
        lines.append(line)
    return "\n".join(lines), count


def _is_cyrillic_twice(content: bytes) -> bool:
    """Whether it looks like UTF-8 taken for Windows-1251: every other letter is a Р or a С ("РџСЂРёРІРµС‚")."""
    return (content.count(b"\xd0\xa0") + content.count(b"\xd0\xa1")) * 8 > len(content)
