"""Small real files of every format, made from nothing but the standard library, for the tests of the readers."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
OFFICE = "http://schemas.openxmlformats.org"
RELATION = f"{OFFICE}/officeDocument/2006/relationships"
W = f'xmlns:w="{OFFICE}/wordprocessingml/2006/main"'
A = f'xmlns:a="{OFFICE}/drawingml/2006/main" xmlns:p="{OFFICE}/presentationml/2006/main" xmlns:r="{RELATION}"'


def zipped(members: Mapping[str, str | bytes], *, stored_first: bool = False) -> bytes:
    """A ZIP. `stored_first`: the first member is not compressed, as EPUB and ODF demand of their mimetype."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, content) in enumerate(members.items()):
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            stored = stored_first and number == 0
            archive.writestr(info, content, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def relations(entries: Sequence[tuple[str, str]]) -> str:
    """A .rels part of (kind, target); ids are rId1, rId2, …"""
    rows = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATION}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(entries, 1)
    )
    return f'{XML}<Relationships xmlns="{OFFICE}/package/2006/relationships">{rows}</Relationships>'


def paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def docx(body: str, parts: Mapping[str, str] | None = None, styles: str = "") -> bytes:
    """`parts`: kind ("footnotes", "header", …) → the XML inside its root element."""
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": f"{XML}<Types/>",
        "_rels/.rels": relations([("officeDocument", "word/document.xml")]),
        "word/document.xml": f"{XML}<w:document {W}><w:body>{body}</w:body></w:document>",
    }
    entries = []
    for kind, inside in (parts or {}).items():
        members[f"word/{kind}1.xml"] = f"{XML}<w:{kind} {W}>{inside}</w:{kind}>"
        entries.append((kind, f"{kind}1.xml"))
    if styles:
        members["word/styles.xml"] = f"{XML}<w:styles {W}>{styles}</w:styles>"
        entries.append(("styles", "styles.xml"))
    members["word/_rels/document.xml.rels"] = relations(entries)
    return zipped(members)


def shape(text: str, kind: str = "") -> str:
    placeholder = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    lines = "".join(f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in text.split("\n"))
    return f"<p:sp>{placeholder}<p:txBody>{lines}</p:txBody></p:sp>"


def pptx(slides: Sequence[str], order: Sequence[int], notes: Mapping[int, str] | None = None) -> bytes:
    """`slides`: the shapes of slide1.xml, slide2.xml, …; `order`: in which they are shown; `notes`: file → text."""
    shown = "".join(f'<p:sldId id="{255 + n}" r:id="rId{n}"/>' for n in order)
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": f"{XML}<Types/>",
        "_rels/.rels": relations([("officeDocument", "ppt/presentation.xml")]),
        "ppt/presentation.xml": f"{XML}<p:presentation {A}><p:sldIdLst>{shown}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            [("slide", f"slides/slide{n + 1}.xml") for n in range(len(slides))]
        ),
    }
    for n, shapes in enumerate(slides, 1):
        members[f"ppt/slides/slide{n}.xml"] = f"{XML}<p:sld {A}><p:spTree>{shapes}</p:spTree></p:sld>"
        if notes and n in notes:
            members[f"ppt/slides/_rels/slide{n}.xml.rels"] = relations([("notesSlide", f"../notesSlides/n{n}.xml")])
            members[f"ppt/notesSlides/n{n}.xml"] = f"{XML}<p:notes {A}>{shape(notes[n])}</p:notes>"
    return zipped(members)


def xlsx(sheets: Mapping[str, Sequence[Sequence[str | float | None]]], first_row: int = 1) -> bytes:
    main = f'xmlns="{OFFICE}/spreadsheetml/2006/main" xmlns:r="{RELATION}"'
    entries = "".join(f'<sheet name="{escape(n)}" sheetId="{i}" r:id="rId{i}"/>' for i, n in enumerate(sheets, 1))
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": f'{XML}<Types xmlns="{OFFICE}/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f"{XML}<workbook {main}><sheets>{entries}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relations(
            [("worksheet", f"worksheets/s{i + 1}.xml") for i in range(len(sheets))]
        ),
    }
    for i, rows in enumerate(sheets.values(), 1):
        lines = []
        for number, row in enumerate(rows, first_row):
            cells = "".join(
                f'<c r="{chr(65 + column)}{number}"><v>{value}</v></c>'
                if isinstance(value, int | float)
                else f'<c r="{chr(65 + column)}{number}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
                for column, value in enumerate(row)
                if value is not None
            )
            lines.append(f'<row r="{number}">{cells}</row>')
        members[f"xl/worksheets/s{i}.xml"] = (
            f"{XML}<worksheet {main}><sheetData>{''.join(lines)}</sheetData></worksheet>"
        )
    return zipped(members)


ODF = (
    " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{path}:1.0"'
        for name, path in {
            "office": "office",
            "text": "text",
            "table": "table",
            "draw": "drawing",
            "presentation": "presentation",
            "style": "style",
            "svg": "svg-compatible",
            "meta": "meta",
        }.items()
    )
    + ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink"'
)


def opendocument(body: str, kind: str = "text", extra: Mapping[str, str] | None = None) -> bytes:
    """ODT, ODP ("presentation") or ODS ("spreadsheet")."""
    manifest = f"{XML}<manifest:manifest xmlns:manifest='urn:oasis:names:tc:opendocument:xmlns:manifest:1.0'/>"
    members: dict[str, str | bytes] = {
        "mimetype": f"application/vnd.oasis.opendocument.{kind}",
        "META-INF/manifest.xml": manifest,
        "content.xml": f"{XML}<office:document-content {ODF}><office:body><office:{kind}>{body}</office:{kind}>"
        "</office:body></office:document-content>",
    }
    return zipped({**members, **(extra or {})}, stored_first=True)


def epub(chapters: Mapping[str, str], title: str = "The book", extra: Mapping[str, str] | None = None) -> bytes:
    """`chapters`: file name → XHTML, in the order of the spine."""
    items = "".join(
        f'<item id="c{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    members: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": f"{XML}<container xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfiles>"
        "<rootfile full-path='OEBPS/book.opf'/></rootfiles></container>",
        "OEBPS/book.opf": f"{XML}<package xmlns='http://www.idpf.org/2007/opf' xmlns:dc='http://purl.org/dc/elements/1.1/'>"
        f"<metadata><dc:title>{escape(title)}</dc:title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>",
        **{f"OEBPS/{name}": markup for name, markup in chapters.items()},
    }
    return zipped({**members, **(extra or {})}, stored_first=True)


Line = tuple[float, float, str]  # x and y in points, and the characters from left to right as they are painted


def pdf(
    pages: Sequence[Sequence[Line]],
    *,
    user_password: str | None = None,
    owner_password: str | None = None,
    missing_pages: Sequence[int] = (),
    title: str = "",
    catalog: str = "",
    page: str = "",
    beside: Mapping[int, tuple[str, bytes | None]] | None = None,
) -> bytes:
    """A PDF whose font has no shapes but a Unicode table, which is all that reading needs; 0.6 em a character.

    `catalog`, `page`: more keys of the catalog and of each page; `beside`: more objects, from 100.
    """
    used = sorted({character for page in pages for _, _, text in page for character in text})
    table = "".join(f"<{ord(c):04x}> <{c.encode('utf-16-be').hex()}>\n" for c in used)
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def "
        f"1 begincodespacerange <0000> <ffff> endcodespacerange {len(used)} beginbfchar\n{table}"
        "endbfchar endcmap end end"
    )
    kids = " ".join(f"{8 + 2 * n} 0 R" for n in range(len(pages)))
    objects: dict[int, tuple[str, bytes | None]] = {
        1: (f"<< /Type /Catalog /Pages 2 0 R {catalog} >>", None),
        2: (f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>", None),
        3: ("<< /Type /Font /Subtype /Type0 /BaseFont /Any /Encoding /Identity-H /DescendantFonts [4 0 R] "
            "/ToUnicode 6 0 R >>", None),
        4: ("<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Any /DW 600 /FontDescriptor 5 0 R "
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>", None),
        5: ("<< /Type /FontDescriptor /FontName /Any /Flags 4 /FontBBox [0 -200 600 800] /ItalicAngle 0 /Ascent 800 "
            "/Descent -200 /CapHeight 700 /StemV 80 >>", None),
        6: ("", cmap.encode()),
    }  # fmt: skip
    for n, lines in enumerate(pages):
        drawn = "".join(
            f"BT /F 12 Tf 1 0 0 1 {x} {y} Tm <{''.join(f'{ord(c):04x}' for c in text)}> Tj ET\n" for x, y, text in lines
        )
        if n + 1 not in missing_pages:
            objects[8 + 2 * n] = (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {page} /Contents {9 + 2 * n} 0 R "
                "/Resources << /Font << /F 3 0 R >> >> >>", None)  # fmt: skip
            objects[9 + 2 * n] = ("", drawn.encode())
    objects |= beside or {}
    if title:
        objects[7] = (f"<< /Title <feff{title.encode('utf-16-be').hex()}> >>", None)
    return _pdf_file(objects, user_password, owner_password, has_info=bool(title))


def _pdf_file(
    objects: dict[int, tuple[str, bytes | None]], user: str | None, owner: str | None, *, has_info: bool
) -> bytes:
    encrypted = user is not None or owner is not None
    identity = b"0123456789abcdef"
    owner_entry, user_entry, key = _pdf_keys(user or "", owner or user or "", identity)
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = {}
    for number, (dictionary, stream) in sorted(objects.items()):
        places[number] = len(out)
        if stream is None:
            out += f"{number} 0 obj\n{dictionary}\nendobj\n".encode("latin-1")
            continue
        if encrypted:
            salted = hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()
            stream = _rc4(salted[:10], stream)
        out += f"{number} 0 obj\n<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream\nendobj\n"
    trailer = f"/Root 1 0 R /Size {max(objects) + 1}" + (" /Info 7 0 R" if has_info else "")
    if encrypted:
        trailer += (
            f" /ID [<{identity.hex()}> <{identity.hex()}>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 "
            f"/O <{owner_entry.hex()}> /U <{user_entry.hex()}> >>"
        )
    start = len(out)
    out += f"xref\n0 {max(objects) + 1}\n0000000000 65535 f \n".encode()
    for number in range(1, max(objects) + 1):
        out += f"{places.get(number, 0):010} 00000 {'n' if number in places else 'f'} \n".encode()
    return bytes(out + f"trailer\n<< {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode())


_PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


def _pdf_keys(user: str, owner: str, identity: bytes) -> tuple[bytes, bytes, bytes]:
    """/O, /U and the file's key of the standard security handler, revision 2 (PDF 1.4, section 3.5.2)."""
    padded = (user.encode() + _PAD)[:32]
    owner_entry = _rc4(hashlib.md5((owner.encode() + _PAD)[:32]).digest()[:5], padded)
    permissions = (-4).to_bytes(4, "little", signed=True)
    key = hashlib.md5(padded + owner_entry + permissions + identity).digest()[:5]
    return owner_entry, _rc4(key, _PAD), key


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
