"""Makes the documents of examples/ that are not plain text: `python tests/make_examples.py [--pdf]`.

In: tests/data/examples/PATH.txt, one text for each document, in a small notation: blank lines part paragraphs, `# `
begins a heading (a slide, a chapter, a sheet), `| a | b` is a row, `=== page` a new page. Folders named *.zip are
packed as they are. Out: examples/PATH, the same bytes every time. Documents that are plain UTF-8 text (md, html, csv,
jsonl, srt, some txt) stand in examples/ and are their own source. PDFs are printed by Chromium, so their bytes depend
on its version: they are only made again with `--pdf`.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
SOURCES = Path(__file__).resolve().parent / "data" / "examples"
CHROMIUM = "/usr/bin/chromium"
RIGHT_TO_LEFT = {"ar", "fa", "he"}

# Every document and its language; "mul" where one file holds several.
LANGUAGES = {
    "README.md": "en",
    "archive/attic.zip": "mul",
    "bread/Le levain de la rue du Four.odt": "fr",
    "bread/Simit fırını.txt": "tr",
    "bread/Піч і паска.md": "uk",
    "bread/रोटी और अचार.md": "hi",
    "bread/食パンと季節.txt": "ja",
    "health/Göz ve diş taraması.docx": "tr",
    "health/Il quaderno dell'ostetrica.pdf": "it",
    "health/farmacie-di-turno.csv": "it",
    "health/vaccination.eml": "fr",
    "health/Домашняя аптечка.rtf": "ru",
    "health/ضربة الشمس.pdf": "ar",
    "health/蚊子与登革热.txt": "zh",
    "market/Preço do peixe.xlsx": "pt",
    "market/Soko la samaki.txt": "sw",
    "market/mercado-de-los-jueves.html": "es",
    "market/noticeboard.jsonl": "mul",
    "market/תקנון השוק העירוני.pdf": "he",
    "market/زعفران و ادویه.docx": "fa",
    "market/김장 시장.csv": "ko",
    "repairs/Buty i zamki.txt": "pl",
    "repairs/Casco de madeira.rtf": "pt",
    "repairs/Dachrinne und Schornstein.docx": "de",
    "repairs/bicycle-workshop.pptx": "en",
    "repairs/ซ่อมพัดลมและหลังคา.html": "th",
    "repairs/包丁と障子.md": "ja",
    "water/Wasserhärte und Kalk.txt": "de",
    "water/boil-water-notice.md": "en",
    "water/Паводок 1987 года.txt": "ru",
    "water/مواعيد ضخ المياه.html": "ar",
    "weather/Zima na rzece.epub": "pl",
    "weather/misthoorn.srt": "nl",
    "weather/Ημερολόγιο ανέμων.txt": "el",
    "weather/वर्षा और छत का पानी.docx": "hi",
    "weather/台风来临之前.pptx": "zh",
}
# Plain text as older machines wrote it. UTF-16 begins with its byte order mark.
ENCODINGS = {
    "bread/食パンと季節.txt": "shift_jis",
    "health/蚊子与登革热.txt": "gb18030",
    "water/Паводок 1987 года.txt": "windows-1251",
    "weather/Ημερολόγιο ανέμων.txt": "utf-16",
}


@dataclass(frozen=True)
class Block:
    """One line of a source: what it is (heading, paragraph, row, page) and its text."""

    kind: str
    text: str = ""

    @property
    def cells(self) -> list[str]:
        return [cell.strip() for cell in self.text.split("|")]


@dataclass(frozen=True)
class Part:
    """A heading and what stands under it: a slide, a chapter, a sheet."""

    title: str
    blocks: list[Block]


def source_text(document: str) -> str:
    """What the document says, before it was put into its format; an archive's members one after another."""
    folder = SOURCES / document
    if folder.is_dir():
        return "\n\n".join(path.read_text(encoding="utf-8") for path in _files(folder))
    written = SOURCES / f"{document}.txt"
    return (written if written.exists() else EXAMPLES / document).read_text(encoding="utf-8")


def made_documents() -> list[str]:
    """Paths under examples/ of the documents that are made here."""
    archives = [path for path in SOURCES.glob("*/*.zip") if path.is_dir()]
    inside = {file for archive in archives for file in _files(archive)}
    texts = [path.with_suffix("") for path in _files(SOURCES) if path not in inside]
    return sorted(path.relative_to(SOURCES).as_posix() for path in [*archives, *texts])


def make(document: str) -> bytes:
    """The bytes of one document, in the format that its name ends with."""
    if (SOURCES / document).is_dir():
        return _archive_of_folder(SOURCES / document)
    text = source_text(document)
    if document.endswith(".txt"):
        return text.encode(ENCODINGS[document])
    writers: dict[str, Callable[[str, str], bytes]] = {
        ".docx": write_docx,
        ".eml": write_eml,
        ".epub": write_epub,
        ".odt": write_odt,
        ".pdf": write_pdf,
        ".pptx": write_pptx,
        ".rtf": write_rtf,
        ".xlsx": write_xlsx,
    }
    return writers[Path(document).suffix](text, LANGUAGES[document])


def parse(text: str) -> list[Block]:
    """The blocks of a source, in order."""
    return [_block(line) for line in text.splitlines() if line.strip()]


def _block(line: str) -> Block:
    if line.startswith("==="):
        return Block("page")
    kind = {"# ": "heading", "| ": "row"}.get(line[:2])
    return Block(kind, line[2:]) if kind else Block("paragraph", line)


def parts(text: str) -> list[Part]:
    """The blocks gathered under their headings; every source begins with one."""
    found: list[Part] = []
    for block in parse(text):
        if block.kind == "heading":
            found.append(Part(block.text, []))
        else:
            found[-1].blocks.append(block)
    return found


OFFICE = "application/vnd.openxmlformats-officedocument"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"


def write_docx(text: str, language: str) -> bytes:
    bidi = "<w:bidi/>" if language in RIGHT_TO_LEFT else ""
    run = "<w:rPr><w:rtl/></w:rPr>" if bidi else ""
    styled = {"heading": '<w:pStyle w:val="Heading1"/>'}
    body = "".join(
        f"<w:p><w:pPr>{styled.get(block.kind, '')}{bidi}</w:pPr>"
        f"<w:r>{run}<w:t>{escape(block.text, quote=False)}</w:t></w:r></w:p>"
        for block in parse(text)
    )
    styles = (
        f'<w:styles xmlns:w="{W}"><w:docDefaults><w:rPrDefault><w:rPr><w:lang w:val="{language}" w:bidi="{language}"/>'
        '</w:rPr></w:rPrDefault></w:docDefaults><w:style w:type="paragraph" w:styleId="Heading1">'
        '<w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:rPr><w:b/><w:sz w:val="32"/></w:rPr>'
        "</w:style></w:styles>"
    )
    return _office_file(
        parts(text)[0].title,
        "word/document.xml",
        {
            "word/document.xml": (
                f"{OFFICE}.wordprocessingml.document.main+xml",
                f'<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>',
                {"styles": "styles.xml"},
            ),
            "word/styles.xml": (f"{OFFICE}.wordprocessingml.styles+xml", styles, {}),
        },
    )


def write_xlsx(text: str, language: str) -> bytes:
    sheets = parts(text)
    names = "".join(
        f'<sheet name="{escape(sheet.title)}" sheetId="{n}" r:id="r{n}"/>' for n, sheet in enumerate(sheets, 1)
    )
    files: OfficeParts = {
        "xl/workbook.xml": (
            f"{OFFICE}.spreadsheetml.sheet.main+xml",
            f'<workbook xmlns="{S}" xmlns:r="{RELATIONS}"><sheets>{names}</sheets></workbook>',
            {"worksheet": [f"worksheets/sheet{n}.xml" for n in range(1, len(sheets) + 1)]},
        )
    }
    for n, sheet in enumerate(sheets, 1):
        rows = "".join(_sheet_row(i, block.cells) for i, block in enumerate(sheet.blocks, 1))
        xml = f'<worksheet xmlns="{S}"><sheetData>{rows}</sheetData></worksheet>'
        files[f"xl/worksheets/sheet{n}.xml"] = (f"{OFFICE}.spreadsheetml.worksheet+xml", xml, {})
    return _office_file(sheets[0].title, "xl/workbook.xml", files)


def _sheet_row(number: int, cells: list[str]) -> str:
    def cell(column: int, value: str) -> str:
        at = f'r="{chr(ord("A") + column)}{number}"'
        if re.fullmatch(r"\d+,\d\d", value):
            return f"<c {at}><v>{value.replace(',', '.')}</v></c>"
        return f'<c {at} t="inlineStr"><is><t>{escape(value, quote=False)}</t></is></c>'

    return f'<row r="{number}">{"".join(cell(column, value) for column, value in enumerate(cells))}</row>'


def write_pptx(text: str, language: str) -> bytes:
    slides = parts(text)
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="r{n + 1}"/>' for n in range(1, len(slides) + 1))
    tree = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    names = f'xmlns:p="{P}" xmlns:a="{A}" xmlns:r="{RELATIONS}"'
    colours = 'bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" hlink="hlink" folHlink="folHlink" ' + " ".join(
        f'accent{n}="accent{n}"' for n in range(1, 7)
    )
    kind = f"{OFFICE}.presentationml"
    files: OfficeParts = {
        "ppt/presentation.xml": (
            f"{kind}.presentation.main+xml",
            f'<p:presentation {names}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="r1"/></p:sldMasterIdLst>'
            f'<p:sldIdLst>{ids}</p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/>'
            "</p:presentation>",
            {
                "slideMaster": "slideMasters/slideMaster1.xml",
                "slide": [f"slides/slide{n}.xml" for n in range(1, len(slides) + 1)],
            },
        ),
        "ppt/slideMasters/slideMaster1.xml": (
            f"{kind}.slideMaster+xml",
            f"<p:sldMaster {names}><p:cSld><p:spTree>{tree}</p:spTree></p:cSld><p:clrMap {colours}/>"
            '<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="r1"/></p:sldLayoutIdLst></p:sldMaster>',
            {"slideLayout": "../slideLayouts/slideLayout1.xml", "theme": "../theme/theme1.xml"},
        ),
        "ppt/slideLayouts/slideLayout1.xml": (
            f"{kind}.slideLayout+xml",
            f"<p:sldLayout {names}><p:cSld><p:spTree>{tree}</p:spTree></p:cSld></p:sldLayout>",
            {"slideMaster": "../slideMasters/slideMaster1.xml"},
        ),
        "ppt/theme/theme1.xml": (f"{OFFICE}.theme+xml", _theme(), {}),
    }
    for n, slide in enumerate(slides, 1):
        shapes = _shape(2, "title", [slide.title], 300000, language)
        shapes += _shape(3, "body", [block.text for block in slide.blocks], 1800000, language)
        files[f"ppt/slides/slide{n}.xml"] = (
            f"{kind}.slide+xml",
            f"<p:sld {names}><p:cSld><p:spTree>{tree}{shapes}</p:spTree></p:cSld></p:sld>",
            {"slideLayout": "../slideLayouts/slideLayout1.xml"},
        )
    return _office_file(slides[0].title, "ppt/presentation.xml", files)


def _shape(number: int, kind: str, paragraphs: list[str], top: int, language: str) -> str:
    runs = "".join(
        f'<a:p><a:r><a:rPr lang="{language}"/><a:t>{escape(text, quote=False)}</a:t></a:r></a:p>' for text in paragraphs
    )
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="{kind}"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/></p:nvPr>'
        "</p:nvSpPr>"
        f'<p:spPr><a:xfrm><a:off x="500000" y="{top}"/><a:ext cx="8100000" cy="1300000"/></a:xfrm></p:spPr>'
        f"<p:txBody><a:bodyPr/>{runs}</p:txBody></p:sp>"
    )


def _theme() -> str:
    shades = ["dk1", "lt1", "dk2", "lt2", *(f"accent{n}" for n in range(1, 7)), "hlink", "folHlink"]
    colours = "".join(
        f'<a:{name}><a:srgbClr val="{"FFFFFF" if name[:2] == "lt" else "204060"}"/></a:{name}>' for name in shades
    )
    font = '<a:latin typeface="Noto Sans"/><a:ea typeface=""/><a:cs typeface=""/>'
    fill = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
    lines = "".join(f'<a:ln w="{width}">{fill}</a:ln>' for width in (6350, 12700, 19050))
    effects = "<a:effectStyle><a:effectLst/></a:effectStyle>" * 3
    return (
        f'<a:theme xmlns:a="{A}" name="plain"><a:themeElements><a:clrScheme name="plain">{colours}</a:clrScheme>'
        f'<a:fontScheme name="plain"><a:majorFont>{font}</a:majorFont><a:minorFont>{font}</a:minorFont></a:fontScheme>'
        f'<a:fmtScheme name="plain"><a:fillStyleLst>{fill * 3}</a:fillStyleLst><a:lnStyleLst>{lines}</a:lnStyleLst>'
        f"<a:effectStyleLst>{effects}</a:effectStyleLst><a:bgFillStyleLst>{fill * 3}</a:bgFillStyleLst></a:fmtScheme>"
        "</a:themeElements></a:theme>"
    )


# Path inside the file → content type, XML, relations (kind → target or targets, numbered r1, r2, ... in order).
OfficeParts = dict[str, tuple[str, str, dict[str, str | list[str]]]]


def _office_file(title: str, main: str, files: OfficeParts) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    packages = "http://schemas.openxmlformats.org/package/2006"
    types = "".join(f'<Override PartName="/{path}" ContentType="{kind}"/>' for path, (kind, _, _) in files.items())
    members = {
        "[Content_Types].xml": f'{head}<Types xmlns="{packages}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Override PartName="/docProps/core.xml" '
        'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>'
        f"{types}</Types>",
        "_rels/.rels": f'{head}<Relationships xmlns="{packages}/relationships">'
        f'<Relationship Id="r1" Type="{RELATIONS}/officeDocument" Target="{main}"/>'
        f'<Relationship Id="r2" Type="{packages}/relationships/metadata/core-properties" Target="docProps/core.xml"/>'
        "</Relationships>",
        "docProps/core.xml": f'{head}<cp:coreProperties xmlns:cp="{packages}/metadata/core-properties" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{escape(title)}</dc:title></cp:coreProperties>',
    }
    for path, (_, xml, relations) in files.items():
        members[path] = head + xml
        targets = [
            (kind, target)
            for kind, value in relations.items()
            for target in ([value] if isinstance(value, str) else value)
        ]
        if targets:
            lines = "".join(
                f'<Relationship Id="r{n}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
                for n, (kind, target) in enumerate(targets, 1)
            )
            folder, name = path.rsplit("/", 1)
            members[f"{folder}/_rels/{name}.rels"] = (
                f'{head}<Relationships xmlns="{packages}/relationships">{lines}</Relationships>'
            )
    return _archive({path: xml.encode() for path, xml in members.items()})


def write_odt(text: str, language: str) -> bytes:
    space = "urn:oasis:names:tc:opendocument:xmlns"
    body = "".join(
        f'<text:h text:outline-level="1">{escape(block.text, quote=False)}</text:h>'
        if block.kind == "heading"
        else f"<text:p>{escape(block.text, quote=False)}</text:p>"
        for block in parse(text)
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    kind = "application/vnd.oasis.opendocument.text"
    content = (
        f'{head}<office:document-content xmlns:office="{space}:office:1.0" xmlns:text="{space}:text:1.0" '
        f'office:version="1.3"><office:body><office:text>{body}</office:text></office:body></office:document-content>'
    )
    meta = (
        f'{head}<office:document-meta xmlns:office="{space}:office:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'office:version="1.3"><office:meta><dc:title>{escape(parts(text)[0].title)}</dc:title>'
        f"<dc:language>{language}</dc:language></office:meta></office:document-meta>"
    )
    manifest = (
        f'{head}<manifest:manifest xmlns:manifest="{space}:manifest:1.0" manifest:version="1.3">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
        '<manifest:file-entry manifest:full-path="meta.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    members = {"mimetype": kind, "content.xml": content, "meta.xml": meta, "META-INF/manifest.xml": manifest}
    return _archive({path: member.encode() for path, member in members.items()})


def write_epub(text: str, language: str) -> bytes:
    title = "Zima na rzece"
    chapters = parts(text)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    page = (
        f'{head}<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="{language}">'
    )
    contents = "".join(f'<li><a href="{n}.xhtml">{escape(part.title)}</a></li>' for n, part in enumerate(chapters, 1))
    items = "".join(
        f'<item id="c{n}" href="{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(1, len(chapters) + 1)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(1, len(chapters) + 1))
    members = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": f'{head}<container version="1.0" '
        'xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles>'
        "</container>",
        "OEBPS/content.opf": f'{head}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" '
        'unique-identifier="id">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">zima-na-rzece</dc:identifier>'
        f"<dc:title>{title}</dc:title><dc:language>{language}</dc:language>"
        '<meta property="dcterms:modified">2025-01-01T00:00:00Z</meta></metadata><manifest>'
        f'<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>{items}</manifest>'
        f"<spine>{spine}</spine></package>",
        "OEBPS/nav.xhtml": f"{page}<head><title>{title}</title></head><body>"
        f'<nav epub:type="toc"><ol>{contents}</ol></nav></body></html>',
    }
    for n, part in enumerate(chapters, 1):
        body = "".join(f"<p>{escape(block.text, quote=False)}</p>" for block in part.blocks)
        members[f"OEBPS/{n}.xhtml"] = (
            f"{page}<head><title>{escape(part.title)}</title></head><body><h1>{escape(part.title)}</h1>{body}</body></html>"
        )
    return _archive({path: member.encode() for path, member in members.items()})


def write_rtf(text: str, language: str) -> bytes:
    def escaped(line: str) -> str:
        units = (int.from_bytes(pair, "little", signed=True) for pair in _utf16_units(line))
        return "".join(chr(unit) if 32 <= unit < 127 and chr(unit) not in "\\{}" else f"\\u{unit}?" for unit in units)

    lines = [
        f"{{\\b\\fs32 {escaped(block.text)}}}\\par" if block.kind == "heading" else f"{escaped(block.text)}\\par"
        for block in parse(text)
    ]
    head = "{\\rtf1\\ansi\\ansicpg1252\\deff0\\uc1{\\fonttbl{\\f0 Noto Serif;}}\\fs22"
    return "\r\n".join([head, *lines, "}"]).encode("ascii")


def _utf16_units(line: str) -> list[bytes]:
    data = line.encode("utf-16-le")
    return [data[at : at + 2] for at in range(0, len(data), 2)]


def write_eml(text: str, language: str) -> bytes:
    head, body = text.split("\n\n", 1)
    message = EmailMessage(policy=SMTP)
    for line in head.splitlines():
        name, value = line.split(": ", 1)
        message[name] = value
    message["Message-ID"] = "<1@quai-nord.example>"
    message.set_content(body, charset="utf-8", cte="quoted-printable")
    message["Content-Language"] = language
    return message.as_bytes()


def write_pdf(text: str, language: str) -> bytes:
    """Printed by Chromium, with its dates made constant (same length, so that the offsets in the file stay true)."""
    tags = {"heading": "h1", "paragraph": "p"}
    body = "".join(
        "<hr>" if block.kind == "page" else f"<{tags[block.kind]}>{escape(block.text)}</{tags[block.kind]}>"
        for block in parse(text)
    )
    direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
    page = (
        f'<!DOCTYPE html><html lang="{language}" dir="{direction}"><meta charset="utf-8">'
        f"<title>{escape(parts(text)[0].title)}</title>"
        "<style>@page{size:A5;margin:18mm}hr{break-after:page;border:0}"
        "body{font:12pt/1.5 'Noto Sans','Noto Sans Hebrew','Noto Naskh Arabic',sans-serif}</style>"
        f"<body>{body}</body></html>"
    )
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "page.html"), Path(folder, "page.pdf")
        source.write_text(page, encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        options += ["--no-pdf-header-footer", f"--user-data-dir={folder}/profile", f"--print-to-pdf={target}"]
        subprocess.run([CHROMIUM, *options, source.as_uri()], check=True, capture_output=True, timeout=120)
        printed = target.read_bytes()
    return re.sub(rb"(/(?:Creation|Mod)Date \(D:)\d{14}", rb"\g<1>20250101000000", printed)


def _archive_of_folder(folder: Path) -> bytes:
    """A folder as a ZIP; folders in it whose names end with .zip become archives in the archive."""
    members: dict[str, bytes] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.suffix == ".zip":
            members[path.name] = _archive_of_folder(path)
        elif path.is_dir():
            members |= {file.relative_to(folder).as_posix(): file.read_bytes() for file in _files(path)}
        else:
            members[path.name] = path.read_bytes()
    return _archive(members)


def _archive(members: dict[str, bytes]) -> bytes:
    """A ZIP with constant dates; `mimetype` is stored as it is, as ODT and EPUB want it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path, data in members.items():
            info = zipfile.ZipInfo(path, date_time=(2025, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_STORED if path == "mimetype" else zipfile.ZIP_DEFLATED
            info.create_system = 3  # the same on every system
            archive.writestr(info, data)
    return target.getvalue()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the documents of examples/ that are not plain text.")
    parser.add_argument("--pdf", action="store_true", help="print the PDFs again too (needs Chromium)")
    with_pdf = parser.parse_args().pdf
    for document in made_documents():
        target = EXAMPLES / document
        if target.suffix == ".pdf" and target.exists() and not with_pdf:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(make(document))
        print(f"{target.stat().st_size:8,}  {document}")


if __name__ == "__main__":
    main()
