"""What a file or a mail calls its encoding → the Python codec that reads what is meant by it."""

from __future__ import annotations

import re

# The web's names (WHATWG) whose Python codec has another name, or is narrower than what the web means by it.
_CODECS = {
    "windows-874": "cp874",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "iso-8859-8-i": "iso-8859-8",
    "x-mac-cyrillic": "mac-cyrillic",
    "macintosh": "mac-roman",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "utf8mb4": "utf-8",
    "utf-8n": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "x-unicode-2-0-utf-7": "utf-7",
    "ansi": "cp1252",
    "x-ansi": "cp1252",
    "iso8859-1": "cp1252",
    "iso-8859-1-windows-3.1-latin-1": "cp1252",
    "x-mac-roman": "mac-roman",
    "x-mac-greek": "mac-greek",
    "x-mac-turkish": "mac-turkish",
    "x-mac-centraleurroman": "mac-latin2",
    "x-mac-ce": "mac-latin2",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "windows-936": "gb18030",
    "x-euc-cn": "gb18030",
    "euc-cn": "gb18030",
    "hz-gb-2312": "hz",
    "x-euc-jp": "euc-jp",
    "x-euc-kr": "cp949",
    "ksc5601": "cp949",
    "ks_c_5601": "cp949",
    "ks_c_5601-1989": "cp949",
    "windows-949": "cp949",
    "windows-31j": "cp932",
    "ms_kanji": "cp932",
    "csshiftjis": "cp932",
    "windows-950": "big5hkscs",
    "x-x-big5": "big5hkscs",
    "cn-big5": "big5hkscs",
    "koi8": "koi8-r",
    "koi": "koi8-r",
    "x-koi8-r": "koi8-r",
    "iso-8859-6-e": "iso-8859-6",
    "iso-8859-6-i": "iso-8859-6",
    "iso-8859-8-e": "iso-8859-8",
    "logical": "iso-8859-8",
    "visual": "iso-8859-8",
    "dos-720": "cp720",
    "dos-862": "cp862",
}


def codec(name: str | None) -> str | None:
    """The Python codec for a charset's name, None if there is none that makes text of bytes."""
    if not name:
        return None
    wanted = name.strip().lower()
    wanted = _CODECS.get(wanted, wanted)
    try:
        b"a".decode(wanted)
        return wanted
    except (LookupError, UnicodeError, ValueError):  # ValueError: a NUL in the name
        return wanted if re.fullmatch(r"utf-?(16|32)(-?[lb]e)?", wanted) else None
