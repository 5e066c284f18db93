"""Markup made fit for the HTML parser: XML's empty tags are closed, and what is nested without end is made flat."""

from __future__ import annotations

import html
import re

# In XML <script/> is whole, in HTML it opens and swallows the rest of the file.
_SELF_CLOSED = re.compile(
    r"""<(a|b|i|p|div|span|title|script|style|textarea|iframe|noscript|object|em|strong|td|th|li)\b"""
    r"""((?:[^<>"'/]|"[^"]*"|'[^']*'|/(?!>))*+)/>""",
    re.I,
)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\] ?>", re.S)
_DEEPEST = 256  # elements inside each other; the parser looks through all of them at each tag that opens a block
_MANY = 20_000  # tags, fewer cost little however deep
_NESTING = re.compile(
    r"<(/?)(div|span|section|article|ul|ol|dl|li|dd|blockquote|center|font|form|fieldset|main|header|footer|nav|aside|"
    r"details|figure|address|b|i|u|em|strong|small|big|a|ins|del|table|tbody|tr|td|button|menu|dir)\b[^<>]*>",
    re.I,
)
_INLINE = frozenset("span font b i u em strong small big a ins del".split())
_MARKUP = re.compile(
    r"</?(?:p|br|div|b|i|u|a|em|strong|span|ul|ol|li|h[1-6]|table|tr|td|img|blockquote|pre|code)\b[^<>]*>"
)


def with_closed_tags(markup: str) -> str:
    """XHTML's <p/> as HTML has it: <p></p>, and its text in CDATA, which HTML would take for a remark."""
    if markup.lstrip()[:5] == "<?xml" or 'xmlns="http://www.w3.org/1999/xhtml"' in markup[:2000]:
        markup = without_cdata(markup)
        return _SELF_CLOSED.sub(r"<\1\2></\1>", markup)
    return markup


def without_cdata(markup: str) -> str:
    """With the text of its CDATA sections as text. "]] >" is what an inner section ends with where it stands in an
    outer one: a wiki's export."""
    return _CDATA.sub(lambda section: html.escape(section[1], quote=False), markup) if "<![CDATA[" in markup else markup


def shallow(markup: str) -> str:
    """The same page with at most _DEEPEST elements inside each other; deeper ones become line breaks.

    Linear in the page's length, where the parser would be quadratic.
    """
    if markup.count("<") < _MANY:
        return markup
    depth = 0

    def flatten(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag[1]:
            depth = max(0, depth - 1)
            too_deep = depth >= _DEEPEST
        else:
            too_deep = depth >= _DEEPEST
            depth += 1
        if not too_deep:
            return tag[0]
        return "" if tag[2].lower() in _INLINE else "<br>"

    flat = _NESTING.sub(flatten, markup)
    return flat


def without_markup(text: str) -> str:
    """What a browser would show of it."""
    from indexer.read.web import Page

    return "\n".join(unit.text for unit in Page(text).units())


def is_markup(text: str) -> bool:
    """Whether a text that came out of XML or JSON is HTML itself."""
    return "<" in text and _MARKUP.search(text) is not None
