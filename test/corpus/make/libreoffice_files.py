"""What LibreOffice Calc writes, read again by LibreOffice itself. Needs soffice on the PATH."""

import datetime as dt
import subprocess
import tempfile
from pathlib import Path

import openpyxl
from corpus import Group

version = subprocess.run(["soffice", "--version"], capture_output=True, text=True).stdout.split()[1]
g = Group("libreoffice", f"LibreOffice {version}")
kinds = {"Nr": "int", "Kunde": "text", "Bemerkung": "text", "Betrag": "double", "Bezahlt am": "date", "Gebucht": "timestamp"}
rows = [
    [1, "Müller", 'sagte "ja"; und ging', 1234.5, dt.date(2024, 2, 29), dt.datetime(2025, 1, 1, 10, 0, 0)],
    [2, "Zoë", "zwei\nZeilen", -0.05, dt.date(1999, 12, 31), dt.datetime(2025, 3, 30, 2, 30, 0)],
    [3, "007", None, 19.99, None, dt.datetime(2025, 12, 31, 23, 59, 59)],
]
work = Path(tempfile.mkdtemp())
book = openpyxl.Workbook()
sheet = book.active
sheet.title = "Umsatz"
sheet.append(list(kinds))
for row in rows:
    sheet.append(row)
    sheet.cell(sheet.max_row, 5).number_format = "yyyy-mm-dd"
    sheet.cell(sheet.max_row, 6).number_format = "yyyy-mm-dd hh:mm:ss"
book.save(work / "umsatz.xlsx")
for row in sheet.iter_rows(min_row=2):
    row[3].number_format = "[$-407]#,##0.00"
    row[4].number_format = "[$-407]dd.mm.yyyy"
book.save(work / "deutsch.xlsx")


def convert(source, to, into):
    """Converts with LibreOffice's own filter, such as `csv:Text - txt - csv (StarCalc):59,34,76`."""
    subprocess.run(["soffice", "--headless", f"-env:UserInstallation=file://{work}/profile", "--convert-to", to, "--outdir", str(into), str(source)],
                   check=True, capture_output=True)


def cells(path):
    """The cells as LibreOffice reads them, by way of its own formats: shown as stored, ISO dates."""
    out = work / "read"
    convert(path, "xlsx:Calc MS Excel 2007 XML", out)
    values = list(openpyxl.load_workbook(out / (path.name.split(".")[0] + ".xlsx"), data_only=True).worksheets[0].iter_rows(values_only=True))
    return values


def tidy(row):
    return [None if v is None else v.date() if k == "date" and isinstance(v, dt.datetime) else str(v) if k == "text" else v for v, k in zip(row, kinds.values())]


def text(case, options, source="umsatz.xlsx", by="the workbook that it was exported from, as LibreOffice reads it"):
    folder = g.place(case)
    convert(work / source, f"csv:Text - txt - csv (StarCalc):{options}", folder)
    g.expect(case, kinds, [tidy(r) for r in cells(work / source)[1:]], by)


# Tokens: delimiter, quote, character set, first line, columns, language, quote all text, as shown or as stored.
text("csv", "44,34,76,1,,0,false,true")
text("semicolons", "59,34,76,1,,0,false,true")
text("windows1252", "59,34,1,1,,0,false,true")
text("utf16", "9,34,65535,1,,0,false,true")
text("quoted", "44,34,76,1,,0,true,true")
text("german", "59,34,76,1,,1031,false,true", source="deutsch.xlsx")
text("bom", "44,34,76,1,,0,false,true,false,false,false,0,true")
path = g.place("xlsx")
convert(work / "umsatz.xlsx", "xlsx:Calc MS Excel 2007 XML", path)
g.expect("xlsx", kinds, [tidy(r) for r in cells(path / "umsatz.xlsx")[1:]], "xlsx, read again by LibreOffice")
g.close()
