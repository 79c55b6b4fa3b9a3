"""What smaller programs write: Python's csv, json and ElementTree, SQLite, Go, jq, awk, openpyxl, XlsxWriter, fastavro.

Needs sqlite3, go, jq and awk on the PATH.
"""

import csv
import datetime as dt
import json
import platform
import sqlite3
import subprocess
import xml.etree.ElementTree as ET
from decimal import Decimal
from pathlib import Path

import fastavro
import openpyxl
import xlsxwriter
from corpus import HERE, Group

g = Group("tools", "")
python = f"Python {platform.python_version()}"
header = ["id", "code", "note", "amount"]
kinds = {"id": "int", "code": "text", "note": "text", "amount": "double"}
rows = [["1", "007", 'said "hi"', "19.99"], ["2", "", "a, b; c\td", "-0.05"], ["3", "x", "it's Zoë", "100"]]


def dialect(case, file, encoding="utf-8", lines=rows, **options):
    path = g.place(case, file)
    with open(path, "w", newline="", encoding=encoding) as out:
        writer = csv.writer(out, **options)
        writer.writerow(header)
        writer.writerows(lines)
    with open(path, newline="", encoding=encoding) as back:
        found = list(csv.reader(back, **options))[1:]
    # An empty field is no value, unless it stands in quotes.
    none = "" if options.get("dialect") == "unix" else None
    g.expect(case, kinds, [[v or none for v in row] for row in found], f"csv.writer, csv.reader {options or ''}", by=python)


dialect("csv_excel", "orders.csv")
dialect("csv_unix", "orders.csv", dialect="unix")
dialect("csv_excel_tab", "orders.tsv", dialect="excel-tab")
dialect("csv_escaped", "orders.csv", escapechar="\\", doublequote=False)
dialect("csv_utf16be", "orders.csv", encoding="utf-16")
dialect("csv_single_quotes", "orders.csv", quotechar="'")

# JSON as Python's json writes it: nested, indented, exact.
path = g.place("json_nested", "report.json")
path.write_text(json.dumps({"page": 1, "items": [{"id": 1, "mean": 32.38327648331624, "by": {"a": [1, 2.5, None]}}, {"id": 2, "mean": 1e-12, "by": {"a": []}}]}, indent=1))
back = json.loads(path.read_text())
g.expect("json_nested", {"page": "int", "items": "json"}, [[back["page"], back["items"]]], "json.dumps, json.loads", by=python)
path = g.place("json_missing", "events.jsonl")
things = [{"id": "evt-1", "type": "a", "n": 12345678901234567890}, {"id": "evt-2", "ok": True}, {"id": "evt-3", "type": None, "n": -1, "ok": False}]
path.write_text("".join(json.dumps(t) + "\n" for t in things))
g.expect("json_missing", {"id": "text", "type": "text", "n": "int", "ok": "boolean"}, [[t.get(k) for k in ("id", "type", "n", "ok")] for t in map(json.loads, path.read_text().splitlines())], "json.dumps, json.loads", by=python)

# XML by ElementTree.
root = ET.Element("orders")
for id_, note, tags in ((1, "a < b & c", ["x", "y"]), (2, "Zoë", ["z"]), (3, "plain", ["u", "v"])):
    order = ET.SubElement(root, "order", id=str(id_))
    ET.SubElement(order, "note").text = note
    for tag in tags:
        ET.SubElement(order, "tag").text = tag
path = g.place("elementtree", "orders.xml")
ET.ElementTree(root).write(path, encoding="iso-8859-1", xml_declaration=True)
back = [[o.get("id"), o.findtext("note"), [t.text for t in o.findall("tag")]] for o in ET.parse(path).getroot()]
g.expect("elementtree", {"@id": "int", "note": "text", "tag": "json"}, back, "ElementTree", by=python)

# SQLite's command line.
sqlite = f"SQLite {subprocess.run(['sqlite3', '--version'], capture_output=True, text=True).stdout.split()[0]}"
script = """CREATE TABLE t(id INTEGER, code TEXT, note TEXT, amount REAL);
INSERT INTO t VALUES (1,'007','said "hi"',19.99),(2,NULL,'two' || char(10) || 'lines',-0.05),(3,'x','Zoë, a',1e300);
"""
for case, file, mode in (("sqlite_csv", "orders.csv", ".headers on\n.mode csv"), ("sqlite_json", "orders.json", ".mode json"), ("sqlite_ascii_pipes", "orders.txt", ".headers on\n.mode list")):
    path = g.place(case, file)
    where = " WHERE id <> 2" if case == "sqlite_ascii_pipes" else ""
    out = subprocess.run(["sqlite3", ":memory:"], input=script + mode + f"\nSELECT * FROM t{where};\n", capture_output=True, text=True, check=True).stdout
    path.write_text(out, newline="")
    db = sqlite3.connect(":memory:")
    db.executescript(script)
    g.expect(case, kinds, [list(r) for r in db.execute(f"SELECT * FROM t{where}")], f"{mode.splitlines()[-1]}; the rows of the table", by=sqlite)

# Go
go = subprocess.run(["go", "version"], capture_output=True, text=True).stdout.split()[2].replace("go", "Go ")
for case in ("go_csv", "go_json", "go_xml"):
    g.place(case)
out = subprocess.run(["go", "run", "main.go", str(g.folder)], cwd=HERE / "make/go", capture_output=True, text=True, check=True).stdout
back = json.loads(out)


def moment(text):
    return text and dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


g.expect("go_csv", {"id": "int", "note": "text", "amount": "double", "at": "timestamptz", "paid": "boolean"},
         [[r["id"], r["note"], r["amount"], moment(r["at"]), r["paid"]] for r in back], "encoding/csv", by=go)
g.expect("go_json", {"id": "int", "note": "text", "amount": "double", "at": "timestamptz", "paid": "boolean", "tags": "json", "closed": "timestamptz"},
         [[r["id"], r["note"], r["amount"], moment(r["at"]), r["paid"], r["tags"], moment(r["closed"])] for r in back], "encoding/json", by=go)
g.expect("go_xml", {"@id": "int", "note": "text", "amount": "double", "at": "timestamptz", "paid": "boolean"},
         [[r["id"], r["note"], r["amount"], moment(r["at"]), r["paid"]] for r in back], "encoding/xml", by=go)

# jq: rows as CSV and TSV, and objects one after another, over several lines each.
jq = subprocess.run(["jq", "--version"], capture_output=True, text=True).stdout.strip().replace("-", " ")
source = json.dumps([{"id": 1, "note": 'said "hi"', "n": 1.5, "ok": True}, {"id": 2, "note": None, "n": 1000000, "ok": False}, {"id": 3, "note": "a\tb\\c", "n": -2.25, "ok": None}])
for case, file, program in (("jq_csv", "rows.csv", '["id","note","n","ok"], (.[] | [.id,.note,.n,.ok]) | @csv'), ("jq_objects", "rows.json", ".[]"), ("jq_compact", "rows.ndjson", ".[] | tojson")):
    path = g.place(case, file)
    path.write_text(subprocess.run(["jq", "-r", program], input=source, capture_output=True, text=True, check=True).stdout)
    g.expect(case, {"id": "int", "note": "text", "n": "double", "ok": "boolean"}, [list(r.values()) for r in json.loads(source)], "the values that jq was given", by=jq)

# awk: columns of fixed width, with a header.
awk = "awk"
path = g.place("awk_tabs", "sizes.tsv")
path.write_text(subprocess.run(["awk", 'BEGIN { OFS = "\\t"; print "id", "name", "size"; for (i = 1; i < 4; i++) print i, "n" i, i / 8 }'], capture_output=True, text=True, check=True).stdout)
g.expect("awk_tabs", {"id": "int", "name": "text", "size": "double"}, [[i, f"n{i}", i / 8] for i in range(1, 4)], "print; the values that awk computes", by=awk)

# openpyxl and XlsxWriter
book = openpyxl.Workbook()
sheet = book.active
sheet.append(["id", "when", "at", "share", "ok", "note", "long"])
sheet.append([1, dt.date(2026, 1, 5), dt.datetime(2026, 1, 5, 10, 30), 4.1, True, " padded ", 123456789012])
sheet.append([])
sheet.append([2, None, dt.datetime(1999, 12, 31, 23, 59, 59), 0.05, False, "007", None])
path = g.place("openpyxl", "plan.xlsx")
book.save(path)


def cells(path, sheet=0):
    out = []
    for row in list(openpyxl.load_workbook(path, data_only=True).worksheets[sheet].iter_rows(values_only=True))[1:]:
        if any(v is not None for v in row):
            out.append([v.date() if isinstance(v, dt.datetime) and i == 1 else v for i, v in enumerate(row)])
    return out


g.expect("openpyxl", {"id": "int", "when": "date", "at": "timestamp", "share": "double", "ok": "boolean", "note": "text", "long": "int"}, cells(path), "load_workbook", by=f"openpyxl {openpyxl.__version__}")
path = g.place("xlsxwriter", "budget.xlsx")
with xlsxwriter.Workbook(str(path), {"default_date_format": "dd/mm/yy", "constant_memory": True}) as book:
    sheet = book.add_worksheet("Budget")
    sheet.write_row(0, 0, ["item", "on", "cost", "total"])
    money = book.add_format({"num_format": "#,##0.00 €"})
    for i, (item, on, cost) in enumerate([("rent", dt.date(2026, 1, 31), 1234.5), ("gas", dt.date(2026, 2, 28), 0.1 + 0.2), ("fun", dt.date(2024, 2, 29), -7)], 1):
        sheet.write_row(i, 0, [item, on])
        sheet.write_number(i, 2, cost, money)
        sheet.write_formula(i, 3, f"=C{i + 1}*2", None, cost * 2)
g.expect("xlsxwriter", {"item": "text", "on": "date", "cost": "double", "total": "double"}, cells(path), "load_workbook(data_only=True)", by=f"XlsxWriter {xlsxwriter.__version__}")

# fastavro
schema = fastavro.parse_schema({"type": "record", "name": "Sale", "fields": [
    {"name": "id", "type": "long"},
    {"name": "name", "type": ["null", "string"]},
    {"name": "price", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}]},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
    {"name": "tags", "type": {"type": "array", "items": "string"}},
    {"name": "more", "type": {"type": "map", "values": "double"}},
    {"name": "either", "type": ["null", "long", "string"]},
    {"name": "raw", "type": {"type": "fixed", "name": "Four", "size": 4}},
    {"name": "f", "type": "float"},
    {"name": "ok", "type": "boolean"},
]})
utc = dt.timezone.utc
sales = [
    {"id": 9007199254740993, "name": "Ada", "price": Decimal("12.50"), "day": dt.date(2024, 2, 29), "at": dt.datetime(2025, 1, 1, 10, 0, 0, 123456, utc), "ms": dt.datetime(2025, 1, 1, 10, 0, 0, 5000, utc), "kind": "A", "tags": ["x"], "more": {"k": 0.1}, "either": 7, "raw": b"\x00\x01\x02\xff", "f": 0.5, "ok": True},
    {"id": -1, "name": None, "price": None, "day": dt.date(1969, 7, 20), "at": dt.datetime(1969, 7, 20, 20, 17, 40, 0, utc), "ms": dt.datetime(2025, 1, 1, tzinfo=utc), "kind": "B", "tags": [], "more": {}, "either": "seven", "raw": b"abcd", "f": -2.25, "ok": False},
]
avro_kinds = {"id": "int", "name": "text", "price": "decimal", "day": "date", "at": "timestamptz", "ms": "timestamptz", "kind": "text", "tags": "json", "more": "json", "either": "text", "raw": "binary", "f": "double", "ok": "boolean"}
for codec in ("null", "deflate"):
    path = g.place(f"fastavro_{codec}", "sales.avro")
    with open(path, "wb") as out:
        fastavro.writer(out, schema, sales, codec=codec, sync_marker=b"0123456789abcdef")
    with open(path, "rb") as back:
        g.expect(f"fastavro_{codec}", avro_kinds, [list(r.values()) for r in fastavro.reader(back)], "fastavro.reader", by=f"fastavro {fastavro.__version__}")
g.close()
