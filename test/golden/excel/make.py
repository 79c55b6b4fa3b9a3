"""Writes the workbooks of this folder, and what their programs meant by them (expected.json, which is formatted with Biome).

    python make.py        needs openpyxl, xlsxwriter, pandas, polars, msoffcrypto-tool, and soffice of LibreOffice

Each row of what is expected is its number in the sheet, and the text of each column that has a value.
"""
import datetime as dt
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import polars as pl
import xlsxwriter
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

here = Path(__file__).parent
expected = {}


def rewrite(name, change):
    """Changes the XML of a workbook, to what other programs write that can't be run here."""
    path = here / name
    with zipfile.ZipFile(path) as zip:
        parts = {part: zip.read(part) for part in zip.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip:
        for part, data in parts.items():
            zip.writestr(part, change(part, data.decode()) if part.endswith((".xml", ".rels")) else data)


def with_openpyxl():
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Orders"
    sheet.append(["id", "name", None, "amount", "amount", "day", "at", "due", "paid", "_note"])
    sheet.append([1, "Müller", "x", 4.1, 1, dt.date(2026, 1, 5), dt.datetime(2026, 1, 5, 10, 30, 15), dt.time(7, 5), True, "007"])
    sheet.append([])
    sheet.append([None] * 30)
    sheet.append([2, " two\nlines ", None, 0.1 + 0.2, None, dt.date(1900, 1, 1), dt.datetime(2026, 1, 5), dt.timedelta(hours=36, minutes=1), False, "#N/A"])
    sheet["F5"].number_format = "yyyy-mm-dd"
    sheet["G5"].number_format = "yyyy-mm-dd hh:mm"
    sheet.append([12345678901234567890, CellRichText("a", TextBlock(InlineFont(b=True), " bold"), " end"), None, 1e-7, 1.5e21, None, None, None, None, "=D2*2"])
    sheet["D6"].number_format = '0.00 "days per hour"'
    sheet["E6"].number_format = "0.00E+00"
    sheet["M6"] = "far right"
    sheet.append([4, "=1/0", None, 0.05, 45000.5, 45000.75, 60])
    sheet["B7"].value = "#DIV/0!"
    sheet["B7"].data_type = "e"
    sheet["D7"].number_format = "0%"
    sheet["E7"].number_format = "#,##0.00 [$€-407];[Red]-#,##0.00"
    sheet["F7"].number_format = "[$-409]d-mmm-yy;@"
    sheet["G7"].number_format = "dd/mm/yyyy"
    sheet.row_dimensions[5].hidden = True
    sheet.column_dimensions["I"].hidden = True
    book.create_sheet("Codes").append(["code"])
    secret = book.create_sheet("Rates")
    secret.sheet_state = "hidden"
    secret.append(["rate"])
    secret.append([1.19])
    book.save(here / "openpyxl.xlsx")
    # Excel itself writes 17 digits; others write whole numbers that no double has.
    digits = {"4.1": "4.0999999999999996", "0.3": "0.30000000000000004", "1.234567890123457e+19": "12345678901234567890"}

    def change(_, xml):
        for short, long in digits.items():
            xml = xml.replace(f"<v>{short}</v>", f"<v>{long}</v>")
        return xml

    rewrite("openpyxl.xlsx", change)
    expected["openpyxl.xlsx"] = {
        "columns": ["id", "name", "amount", "amount_1", "day", "at", "due", "paid", "x_note", "column_C", "column_M"],
        "rows": [
            [2, {"id": "1", "name": "Müller", "column_C": "x", "amount": "4.1", "amount_1": "1", "day": "2026-01-05", "at": "2026-01-05 10:30:15", "due": "07:05:00", "paid": "true", "x_note": "007"}],
            [5, {"id": "2", "name": " two\nlines ", "amount": "0.30000000000000004", "day": "1900-01-01", "at": "2026-01-05 00:00:00", "due": "36:01:00", "paid": "false", "x_note": "#N/A"}],
            [6, {"id": "12345678901234567890", "name": "a bold end", "amount": "0.0000001", "amount_1": "1500000000000000000000", "x_note": "=D2*2", "column_M": "far right"}],
            [7, {"id": "4", "name": "#DIV/0!", "amount": "0.05", "amount_1": "45000.5", "day": "2023-03-15 18:00:00", "at": "1900-02-29"}],
        ],
        "notes": [
            "sheet 'Orders' was read, of others 'Codes', 'Rates' (hidden)",
            "1 row is hidden, and read",
            "1 column is hidden, and read: I",
            "2 cells hold an error such as #N/A",
            "1 formula has no computed value, and came as the formula: save the workbook in Excel or LibreOffice",
        ],
    }


def with_xlsxwriter():
    book = xlsxwriter.Workbook(here / "xlsxwriter-1904.xlsx", {"date_1904": True})
    sheet = book.add_worksheet("Data")
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    at = book.add_format({"num_format": "hh:mm:ss.000"})
    bold = book.add_format({"bold": True})
    sheet.merge_range("A1:C1", "Report of January")
    sheet.write_row("A3", ["region", "day", "count", "time", "sum"])
    sheet.merge_range("A4:A6", "North")
    for i in range(3):
        sheet.write_datetime(3 + i, 1, dt.datetime(1904, 1, 1) + dt.timedelta(days=i), day)
        sheet.write_number(3 + i, 2, i * 1.1)
    sheet.write_number("D4", 0.5 + 0.25 / 86400, at)
    sheet.write_formula("E4", "=C4+C5", None, 1.1)
    sheet.write_rich_string("A7", "So", bold, "uth")
    sheet.write_string("B7", "")
    sheet.write_string("C7", "ctrl \x01 and _x0041_")
    sheet.write("A9", "Total")
    book.close()
    rows = [
        [4, {"region": "North", "day": "1904-01-01", "count": "0", "time": "12:00:00.250", "sum": "1.1"}],
        [5, {"day": "1904-01-02", "count": "1.1"}],
        [6, {"day": "1904-01-03", "count": "2.2"}],
        [7, {"region": "South", "count": "ctrl \x01 and _x0041_"}],
    ]
    filled = [[n, {"region": "North", **row} if n < 7 else row] for n, row in rows]
    expected["xlsxwriter-1904.xlsx"] = {
        "options": {"header": 3, "range": "A1:E8"},
        "columns": ["region", "day", "count", "time", "sum"],
        "rows": rows,
        "notes": [
            "2 merged cells have a value in the first cell alone (merged: 'fill' repeats it)",
            "1 formula may not have been computed by the program that wrote the workbook: if values are 0, save it in Excel or LibreOffice",
        ],
        "filled": filled,
    }
    book = xlsxwriter.Workbook(here / "xlsxwriter-inline.xlsx", {"constant_memory": True})
    sheet = book.add_worksheet()
    for i, row in enumerate([["k", "v"], [1, "one & <two>"], [2, "drei"]]):
        sheet.write_row(i, 0, row)
    book.close()
    expected["xlsxwriter-inline.xlsx"] = {
        "columns": ["k", "v"],
        "rows": [[2, {"k": "1", "v": "one & <two>"}], [3, {"k": "2", "v": "drei"}]],
        "notes": [],
    }


def with_pandas():
    frame = pd.DataFrame(
        {
            "city": ["Rome", None, "Zürich"],
            "n": [1.0, float("nan"), 3.5],
            "at": pd.to_datetime(["2026-01-05 10:00:00.123", None, "2026-02-01"], format="mixed"),
            "ok": [True, False, None],
        }
    )
    frame.to_excel(here / "pandas.xlsx", sheet_name="Sheet1")
    expected["pandas.xlsx"] = {
        "columns": ["city", "n", "at", "ok", "column_A"],
        "rows": [
            [2, {"column_A": "0", "city": "Rome", "n": "1", "at": "2026-01-05 10:00:00.123", "ok": "true"}],
            [3, {"column_A": "1", "ok": "false"}],
            [4, {"column_A": "2", "city": "Zürich", "n": "3.5", "at": "2026-02-01 00:00:00"}],
        ],
        "notes": [],
    }


def with_polars():
    frame = pl.DataFrame(
        {"day": [dt.date(2026, 1, 5), dt.date(2024, 2, 29)], "price": [1234567.891, -0.5], "sku": ["a-1", "b-2"], "big": [2**53, 7]}
    )
    frame.write_excel(here / "polars.xlsx")
    expected["polars.xlsx"] = {
        "columns": ["day", "price", "sku", "big"],
        "rows": [
            [2, {"day": "2026-01-05", "price": "1234567.891", "sku": "a-1", "big": "9007199254740992"}],
            [3, {"day": "2024-02-29", "price": "-0.5", "sku": "b-2", "big": "7"}],
        ],
        "notes": [],
    }


def with_libreoffice():
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["a", "b", "sum", "text", "none"])
    sheet.append([1, 2.5, "=A2+B2", '="row "&A2', '=""'])
    sheet.append([3, 0.1, "=A3+B3*2", '=A3&"%"', "=NA()"])
    sheet.append([dt.date(2026, 3, 1), dt.datetime(2026, 3, 1, 23, 59, 59), "=B4-A4", "=A4=B4", None])
    book.save(here / "libreoffice.xlsx")
    out = here / "out"
    convert = ["soffice", "--headless", "--convert-to", "xlsx", "--outdir", str(out), str(here / "libreoffice.xlsx")]
    subprocess.run(convert, check=True, capture_output=True)
    for kind in ["xls", "ods"]:
        subprocess.run([*convert[:3], kind, *convert[4:]], check=True, capture_output=True)
        (out / f"libreoffice.{kind}").rename(here / f"libreoffice.{kind}")
    (out / "libreoffice.xlsx").rename(here / "libreoffice.xlsx")
    out.rmdir()
    expected["libreoffice.xlsx"] = {
        "columns": ["a", "b", "sum", "text", "none"],
        "rows": [
            [2, {"a": "1", "b": "2.5", "sum": "3.5", "text": "row 1"}],
            [3, {"a": "3", "b": "0.1", "sum": "3.2", "text": "3%", "none": "#N/A"}],
            [4, {"a": "2026-03-01", "b": "2026-03-01 23:59:59", "sum": "0.99998842592322", "text": "false"}],
        ],
        "notes": ["1 cell holds an error such as #N/A"],
    }
    subprocess.run([sys.executable, "-m", "msoffcrypto", "-e", "-p", "secret", str(here / "pandas.xlsx"), str(here / "encrypted.xlsx")], check=True)


def with_other_dialects():
    """The strict dialect, prefixed names, cells without references, and ISO dates, as some libraries write them."""
    def change(part, xml):
        xml = xml.replace("http://schemas.openxmlformats.org/officeDocument/2006/relationships", "http://purl.oclc.org/ooxml/officeDocument/relationships")
        if not part.startswith("xl/worksheets/sheet"):
            return xml
        xml = re.sub(r' r="[A-Z]*\d+"', "", xml)
        xml = xml.replace("<c><v>7</v></c>", '<c t="d"><v>2026-01-05T10:30:00</v></c><c t="d"><v>2026-01-06T00:00:00</v></c>')
        return re.sub(r"<(/?)(\w)", r"<\1x:\2", xml).replace("xmlns=", "xmlns:x=").replace("<x:?xml", "<?xml")

    book = xlsxwriter.Workbook(here / "dialect.xlsx")
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["a", "at", "day"])
    sheet.write_row(1, 0, ["text", 7])
    book.close()
    rewrite("dialect.xlsx", change)
    expected["dialect.xlsx"] = {
        "columns": ["a", "at", "day"],
        "rows": [[2, {"a": "text", "at": "2026-01-05 10:30:00", "day": "2026-01-06"}]],
        "notes": [],
    }


with_openpyxl()
with_xlsxwriter()
with_pandas()
with_polars()
with_libreoffice()
with_other_dialects()
(here / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
