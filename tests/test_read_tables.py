"""Tables: where the header is, what a number looks like, merged and empty cells, dialects of CSV."""

from __future__ import annotations

import io

import making
import pytest
import xlwt

from indexer.read import numbers, read
from labse_search.records import Extraction, Note


def texts(extraction: Extraction) -> list[str]:
    return [unit.text.replace("\n", "|") for unit in extraction.units]


def headings(extraction: Extraction) -> list[str]:
    """The units that only name columns."""
    return [unit.text.replace("\n", "|") for unit in extraction.units if unit.headings == ((0, len(unit.text)),)]


@pytest.mark.parametrize(
    ("rows", "last", "header"),
    [
        ([["Land", 2021.0, 2022.0], ["Fehmarn", 512.0, 522.0]], "Land: Fehmarn|2021: 512|2022: 522", "Land|2021|2022"),
        (
            [["Inventory of the museum"], ["Thing", "Room"], ["Anchor", "Hall 9"], ["Bell", "Hall 2"]],
            "Thing: Bell|Room: Hall 2", "Thing|Room",
        ),
        (
            [["Account", "DE12"], ["Balance", "100,00"], ["Date", "Payee", "Sum"], ["2023-01-02", "Works", 7.0],
             ["2023-01-03", "Port", 8.0], ["2023-01-04", "Town", 9.0]],
            "Date: 2023-01-04|Payee: Town|Sum: 9", "Date|Payee|Sum",
        ),
        ([["No.", "Year", "Paid?"], [1.0, 2020.0, "yes"], [2.0, 2021.0, "no"]], "No.: 2|Year: "
            "2021|Paid?: no", "No.|Year|Paid?"),
        ([["Ann", "Kiel", 34.0], ["Bo", "Lund", 35.0]], "Bo|Lund|35", None),
        (
            [["Name", "Phone", "Phone"], ["Ann", "+49 1", "+49 2"], ["Bo", "+46 3", "+46 4"]],
            "Name: Bo|Phone: +46 3|Phone: +46 4", "Name|Phone|Phone",
        ),
        (
            [["Our friends"], ["Name", "Town", "Town"], ["Ann", "Kiel", "Lund"], ["Bo", "Lund", "Kiel"]],
            "Name: Bo|Town: Lund|Town: Kiel", "Name|Town|Town",
        ),
        ([["Anchor", "yes", "yes"], ["Bell", "no", "yes"], ["Chart", "yes", "no"]], "Chart|yes|no", None),
        ([["Ann", "Kiel", "Kiel"], ["Bo", "Kiel", "Lund"]], "Bo|Kiel|Lund", None),
        ([["-", "-", "-"], ["Bo", "Kiel", "Lund"]], "Bo|Kiel|Lund", None),
    ],
    ids=["years", "title above", "an account's lines above", "abbreviations", "no header", "two names alike",
         "two names alike below a title", "values that come again", "a value that stands twice", "no names"],
)  # fmt: skip
def test_the_row_that_names_the_columns_is_found(
    rows: list[list[str | float | None]], last: str, header: str | None
) -> None:
    extraction = read("a.xlsx", making.xlsx({"S": rows}))
    assert texts(extraction)[-1] == last
    assert headings(extraction) == ([header] if header else [])
    assert len(extraction.units) == len(rows)


def test_two_tables_on_a_sheet_have_headers_of_their_own() -> None:
    content = b"Name;Sum\nAnn;1\nBo;2\n\nTown;Length\nKiel;30\nLund;40\n"
    assert texts(read("a.csv", content))[-1] == "Town: Lund|Length: 40"


SHEET = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def styled(cells: str, formats: str = "", more: str = "", strings: str = "") -> bytes:
    """A workbook of one sheet; `cells`: the rows; `formats`: numFmt elements from 164; style n+1 uses the n-th."""
    count = formats.count("<numFmt ")
    used = "".join(f'<xf numFmtId="{164 + n}"/>' for n in range(count))
    members = {
        "xl/workbook.xml": f'<workbook {SHEET} xmlns:r="{making.RELATION}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="rId1"/>'
        "</sheets></workbook>",
        "_rels/.rels": making.relations([("officeDocument", "xl/workbook.xml")]),
        "xl/_rels/workbook.xml.rels": making.relations(
            [("worksheet", "worksheets/s.xml"), ("styles", "styles.xml"), ("sharedStrings", "sharedStrings.xml")]
        ),
        "xl/styles.xml": f'<styleSheet {SHEET}><numFmts>{formats}</numFmts><cellXfs><xf numFmtId="0"/>{used}'
        '<xf numFmtId="9"/></cellXfs></styleSheet>',
        "xl/sharedStrings.xml": f"<sst {SHEET}>{strings}</sst>",
        "xl/worksheets/s.xml": f"<worksheet {SHEET}>{more}<sheetData>{cells}</sheetData></worksheet>",
    }
    return making.zipped(members)


def test_numbers_are_read_as_they_are_shown() -> None:
    formats = '<numFmt numFmtId="164" formatCode="0.0%"/><numFmt numFmtId="165" formatCode="dd.mm.yyyy"/>'
    formats += '<numFmt numFmtId="166" formatCode="#,##0.00&quot; €&quot;"/>'
    row = '<c r="A1" s="1"><v>0.075</v></c><c r="B1" s="2"><v>45000</v></c><c r="C1" s="3"><v>17.5</v></c>'
    row += '<c r="D1" s="4"><v>0.58</v></c><c r="E1"><v>0.30000000000000004</v></c>'
    assert texts(read("a.xlsx", styled(f'<row r="1">{row}</row>', formats))) == ["7.5%|15.03.2023|17.5 €|58%|0.3"]


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.075, "0.00%", "7.50%"),
        (0.285, "0%", "29%"),
        (0.125, "0%", "13%"),
        (1.005, "0%", "101%"),
        (-0.125, "0%", "-13%"),
        (-0.001, "0%", "0%"),
        (0.1 + 0.2, "0%", "30%"),
        (1e20, "0%", "10000000000000000000000%"),
        (0.5, "0.000000000000%", "50.000000000000%"),
        (45000.0, "yyyy-mm-dd", "2023-03-15"),
        (45000.75, "dd/mm/yyyy hh:mm", "15/03/2023 18:00"),
        (0.5, "[h]:mm", "12:00"),
        (1.5, "[h]:mm", "36:00"),
        (45000.0, "d. mmmm yyyy", "2023-03-15"),
        (5.0, "General", "5"),
        (5.0, '0" kg"', "5 kg"),
        (1234.5, "[$£-809]#,##0.00", "£ 1234.5"),
        (0.75, "h:mm AM/PM", "6:00 PM"),
        (3.0, '"Level "0', "Level 3"),
        (45000.0, "dd.mm [", "15.03 ["),  # a bracket that nothing closes
        (1234.0, "00000", "01234"),
        (12345.0, "000-000", "012-345"),
        (12000.0, '#,##0,"k"', "12 k"),
        (7.0, "0.00", "7"),
    ],
)
def test_number_formats(value: float, code: str, shown: str) -> None:
    assert numbers.shown(value, numbers.parse(code)) == shown


@pytest.mark.parametrize(
    ("content", "first"),
    [
        ("Name,Coffee mill\nPlace,behind the barn\nPrice,14\n", "Name\nCoffee mill"),
        ("Town,Sum\nKiel,3\nLund,4\n", "Town\nSum"),  # the names of columns, as a heading
    ],
)
def test_a_form_of_names_and_values_has_no_row_that_names_columns(content: str, first: str) -> None:
    units = read("a.csv", content.encode()).units
    assert (units[0].text, bool(units[0].headings)) == (first, "Town" in content)
    assert units[2].text == ("Price\n14" if "Price" in content else "Town: Lund\nSum: 4")


def test_a_merged_cell_says_its_value_in_each_of_its_rows() -> None:
    rows = "".join(
        f'<row r="{n}">{first}<c r="B{n}" t="inlineStr"><is><t>{town}</t></is></c></row>'
        for n, first, town in (
            (1, '<c r="A1" t="inlineStr"><is><t>Region</t></is></c>', "Town"),
            (2, '<c r="A2" t="inlineStr"><is><t>South</t></is></c>', "Ulm"),
            (3, "", "Biberach"),
        )
    )
    content = styled(rows)
    merged = styled(rows, more='<mergeCells><mergeCell ref="A2:A3"/></mergeCells>')
    assert texts(read("a.xlsx", content))[-1] == "Town: Biberach"
    assert texts(read("a.xlsx", merged))[-1] == "Region: South|Town: Biberach"


def test_a_far_cell_costs_little_and_formulas_without_result_are_named() -> None:
    rows = '<row r="1"><c r="A1"><f>SUM(B1:B9)</f></c><c r="B1"><v>3</v></c></row>'
    rows += '<row r="1048576"><c r="XFD1048576"><v>7</v></c></row>'
    extraction = read("a.xlsx", styled(rows))
    assert [(unit.text, unit.place["row"]) for unit in extraction.units] == [("3", 1), ("7", 1048576)]
    assert extraction.notes == (Note("formulas_without_value", "S: 1 (A1)"),)


def test_hidden_rows_are_marked_and_readings_left_out() -> None:
    strings = "<si><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh></si>"
    rows = '<row r="1" hidden="1"><c r="A1" t="s"><v>0</v></c></row>'
    extraction = read("a.xlsx", styled(rows, strings=strings))
    assert [(unit.text, dict(unit.place)) for unit in extraction.units] == [
        ("東京", {"sheet": "S", "part": "hidden", "row": 1})
    ]


def test_opendocument_sheets_are_read_as_shown() -> None:
    def cell(value: str, attributes: str = "") -> str:
        return f"<table:table-cell {attributes}><text:p>{value}</text:p></table:table-cell>"

    spans = 'table:number-rows-spanned="2"'
    rows = (
        f"<table:table-row>{cell('Region')}{cell('Share')}</table:table-row>"
        f"<table:table-row>{cell('South', spans)}{cell('7,5 %')}</table:table-row>"
        f"<table:table-row><table:covered-table-cell/>{cell('58 %')}</table:table-row>"
        '<table:table-row table:number-rows-repeated="1048570"><table:table-cell table:number-columns-repeated="1024"/>'
        "</table:table-row>"
    )
    content = making.opendocument(f'<table:table table:name="T">{rows}</table:table>', "spreadsheet")
    assert texts(read("a.ods", content)) == ["Region|Share", "Region: South|Share: 7,5 %", "Region: South|Share: 58 %"]


CHART = (
    "<office:chart><text:p>Sales by region</text:p><table:table table:name='local-table'>"
    "<table:table-header-rows><table:table-row><table:table-cell><text:p>Region</text:p></table:table-cell>"
    "<table:table-cell><text:p>Sold</text:p></table:table-cell></table:table-row></table:table-header-rows>"
    "<table:table-row><table:table-cell><text:p>North</text:p><draw:g><svg:desc>S.A1</svg:desc></draw:g>"
    "</table:table-cell><table:table-cell><text:p>17</text:p></table:table-cell></table:table-row></table:table>"
    "</office:chart>"
)


@pytest.mark.parametrize("is_flat", [False, True])
def test_boxes_and_charts_over_the_cells_of_opendocument_are_read(is_flat: bool) -> None:
    inside = f"<office:document {making.ODF}><office:body>{CHART}</office:body></office:document>"
    chart = f"<draw:object>{inside}</draw:object>" if is_flat else '<draw:object xlink:href="./Object 1"/>'
    box = "<draw:frame><draw:text-box><text:p>{}</text:p><text:p>two</text:p></draw:text-box></draw:frame>"
    cell = "<table:table-cell><text:p>{}</text:p>{}</table:table-cell>"
    body = (
        f'<table:table table:name="S"><table:shapes>{box.format("A box")}<draw:frame>{chart}</draw:frame>'
        f"</table:shapes><table:table-row>{cell.format('Cell', box.format('At a cell'))}{cell.format('beside', '')}"
        f"</table:table-row></table:table><table:table table:name='T'><table:table-row>{cell.format('Last', '')}"
        "</table:table-row></table:table>"
    )
    content = making.opendocument(body, "spreadsheet", {"Object 1/content.xml": inside})
    if is_flat:
        content = inside.replace(CHART, f"<office:spreadsheet>{body}</office:spreadsheet>", 1).encode()
    extraction = read("a.fods" if is_flat else "a.ods", content)
    assert [(unit.text, unit.place) for unit in extraction.units] == [
        ("Cell\nbeside", {"sheet": "S", "row": 1}),
        ("A box\n\ntwo", {"sheet": "S", "part": "text box"}),
        ("Sales by region\n\nRegion | Sold\n\nNorth | 17", {"sheet": "S", "part": "chart"}),
        ("At a cell\n\ntwo", {"sheet": "S", "part": "text box"}),
        ("Last", {"sheet": "T", "row": 1}),
    ]
    assert extraction.holds == {"sheets": 2, "objects": 1}


def test_an_embedded_chart_that_is_damaged_is_named() -> None:
    content = making.opendocument("<text:p>Words</text:p>", extra={"Object 1/content.xml": "<office:chart"})
    extraction = read("a.odt", content)
    assert extraction.text == "Words"
    assert [note.code for note in extraction.notes] == ["member_skipped"]


def test_a_flat_text_with_a_sheet_in_it_is_a_text() -> None:
    sheet = '<office:spreadsheet><table:table table:name="S"><table:table-row><table:table-cell><text:p>Cell</text:p>'
    sheet += "</table:table-cell></table:table-row></table:table></office:spreadsheet>"
    content = (
        f"<?xml version='1.0'?><office:document {making.ODF}><office:body><office:text><text:p>Words<draw:object>"
        f"<office:document><office:body>{sheet}</office:body></office:document></draw:object></text:p></office:text>"
        "</office:body></office:document>"
    )
    assert sorted(read("a.fodt", content.encode()).text.split()) == ["Cell", "Words"]


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.csv", 'name,said,city\nAnn,"He said \\"Moin, Moin\\" and left",Emden\nBo,x,Leer\n',
         ["name: Ann|said: He said \"Moin, Moin\" and left|city: Emden", "name: Bo|said: x|city: Leer"]),
        ("a.tsv", 'Thing\tSize\tPlace\n"Tube A\t1\tHall 1\nTube B\t2"\tHall 4\n',
         ['Thing: "Tube A|Size: 1|Place: Hall 1', 'Thing: Tube B|Size: 2"|Place: Hall 4']),
        ("a.csv", 'Thing;Price\nOven;17,50\nTube;3,20\n', ["Thing: Oven|Price: 17,50", "Thing: Tube|Price: 3,20"]),
        ("a.csv", 'a,b\n"one\ntwo",3\n', ["a: one|two|b: 3"]),
        ("a.csv", "sep=|\na|b\n1|2\n", ["a: 1|b: 2"]),
        ("a.csv", 'a,b\n"say ""hi""",2\n', ['a: say "hi"|b: 2']),
    ],
    ids=["backslash", "lone quote", "decimal comma", "line break in a cell", "sep", "doubled quotes"],
)  # fmt: skip
def test_dialects_of_csv(name: str, content: str, wanted: list[str]) -> None:
    assert texts(read(name, content.encode()))[1:] == wanted


def test_xls_cells_and_merged_cells() -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Räume")
    for column, name in enumerate(("Region", "Town", "Sum")):
        sheet.write(0, column, name)
    sheet.write_merge(1, 2, 0, 0, "South")
    for row, town in enumerate(("Ulm", "Biberach"), 1):
        sheet.write(row, 1, town)
        sheet.write(row, 2, 10.5 * row)
    content = io.BytesIO()
    book.save(content)
    extraction = read("a.xls", content.getvalue())
    assert texts(extraction) == [
        "Region|Town|Sum",
        "Region: South|Town: Ulm|Sum: 10.5",
        "Region: South|Town: Biberach|Sum: 21",
    ]
    assert extraction.units[1].place == {"sheet": "Räume", "row": 2}
