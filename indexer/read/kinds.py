"""The kinds of files there are readers for, by extension and by media type."""

from __future__ import annotations

_EXTENSIONS = {
    "text": "txt text log org adoc asciidoc textile wiki conf cfg ini toml yaml yml env diff "
    "patch py pyi ipy js mjs cjs jsx ts tsx java kt kts scala groovy c h cc cpp cxx hpp hh cs go rs swift m mm php rb "
    "pl pm lua r jl hs ml mli fs clj cljs ex exs erl elm dart zig nim d pas f f90 ada asm s v vhd sql sh bash zsh fish "
    "bat cmd ps1 vue svelte css scss sass less graphql proto tf cmake mk gradle dockerfile",
    "markdown": "md markdown mdown mkd mdx qmd rmd",
    "rest": "rst rest",
    "html": "html htm xhtml xht shtml",
    "xml": "xml dbk docbook tei fb2 svg rss atom rdf opml enex xliff xlf sdlxliff mxliff tmx gpx kml mm drawio abw",
    "pdf": "pdf",
    "docx": "docx docm dotx dotm",
    "pptx": "pptx pptm ppsx ppsm potx potm",
    "spreadsheet": "xlsx xlsm xltx xltm xlsb xls ods ots sxc",
    "delimited": "csv tsv tab",
    "opendocument": "odt ott odm odp otp odg otg sxw stw sxi sxd",
    "flat": "fodt fods fodp",
    "rtf": "rtf",
    "epub": "epub",
    "json": "json geojson webmanifest arb canvas excalidraw",
    "jsonl": "jsonl ndjson",
    "notebook": "ipynb",
    "subtitles": "srt vtt ass ssa sub sbv lrc smi sami ttml dfxp",
    "mail": "eml",
    "mhtml": "mht mhtml",
    "mbox": "mbox mbx",
    "emlx": "emlx",
    "msg": "msg",
    "pst": "pst ost",
    "tnef": "tnef",
    "latex": "tex latex ltx sty cls",
    "bibtex": "bib",
    "calendar": "ics ical ifb",
    "contacts": "vcf vcard",
    "properties": "properties",
    "strings": "strings",
    "gettext": "po pot",
    "warc": "warc",
    "legacy": "doc dot ppt pps",
    "packed": "gz tgz bz2 tbz tbz2 xz txz",
    "tar": "tar",
    "signed": "p7m",
    "zip": "zip kmz xmind hwpx xps oxps wacz",
}
_TYPES = {
    "text": "text/plain message/delivery-status message/disposition-notification text/rfc822-headers",
    "html": "text/html application/xhtml+xml",
    "xml": "text/xml application/xml",
    "markdown": "text/markdown text/x-markdown",
    "rtf": "text/rtf application/rtf",
    "delimited": "text/csv text/tab-separated-values",
    "json": "application/json application/ld+json",
    "jsonl": "application/x-ndjson application/jsonl",
    "calendar": "text/calendar",
    "contacts": "text/vcard text/x-vcard text/directory",
    "subtitles": "text/vtt application/x-subrip",
    "mail": "message/rfc822 message/global",
    "signed": "application/pkcs7-mime application/x-pkcs7-mime",
    "tnef": "application/ms-tnef application/vnd.ms-tnef",
    "latex": "text/x-tex application/x-tex application/x-latex",
    "bibtex": "text/x-bibtex application/x-bibtex",
    "gettext": "text/x-gettext-translation",
}
BY_EXTENSION = {extension: kind for kind, names in _EXTENSIONS.items() for extension in names.split()}
BY_TYPE = {name: kind for kind, names in _TYPES.items() for name in names.split()}
SUPPORTED = frozenset(BY_EXTENSION)
# What is not text: if the bytes do not say so, the name is wrong.
BINARY = frozenset(
    (
        "pdf",
        "docx",
        "pptx",
        "spreadsheet",
        "opendocument",
        "epub",
        "rtf",
        "msg",
        "pst",
        "tnef",
        "legacy",
        "packed",
        "tar",
        "zip",
        "signed",
    )
)
ZIPPED = frozenset(("docx", "pptx", "spreadsheet", "opendocument", "epub"))

_DAY, _MONTH = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
# The line above each mail in a mailbox: "From ann@example.org Tue Nov 14 10:00:00 2023". A sentence that begins with
# "From" has no address or "-" and no day and month behind its first word, or no year. Programs also write days in other
# languages, dates in figures, and nobody's address: of such a line only the heads of a mail below it tell.
_HEADS = (
    r"(?=(?:>?From [^\r\n]*\r?\n)?(?i:Return-Path|Received|From|Date|Subject|To|Cc|Sender|Reply-To|Message-ID"
    r"|Delivered-To|MIME-Version|Content-Type|Status|X-[\w-]{1,60}):[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n){0,50}"
    r"[!-9;-~]{1,76}:)"
)
ENVELOPE = (
    r"From (?:(?=[^\r\n]{0,300}(?:19|20)\d\d)(?:"
    rf"(?:-|[^\r\n]{{0,200}}@\S*) +(?:{_DAY}|{_MONTH}|\d{{1,2}} +{_MONTH}|\d{{4}}-\d\d-\d\d|\d{{1,2}}:\d\d)"
    rf"|\S+(?: at \S+)? +{_DAY},? +(?:{_MONTH}|\d{{1,2}} +{_MONTH})"
    rf")[^\r\n]{{0,200}}\r?\n|[^\r\n]{{0,200}}\d\d[^\r\n]{{0,60}}\r?\n{_HEADS})"
)
