"""What pandas writes, and reads again. Needs pandas, openpyxl, pyarrow, lxml."""

import datetime as dt
from decimal import Decimal

import pandas as pd
from corpus import Group

g = Group("pandas", f"pandas {pd.__version__}")


def rows_of(frame):
    def plain(v):
        if isinstance(v, (list, dict)) or type(v).__name__ == "ndarray":
            return v
        return None if pd.isna(v) else v

    return [[plain(v) for v in row] for row in frame.astype(object).itertuples(index=False)]


orders = pd.DataFrame(
    {
        "order_id": [1, 2, 3, 4],
        "customer": ["007", "012", None, "100"],
        "note": ['said "hi"', "two\nlines", "a, b; c", "Zoë Ñandú 🚚"],
        "amount": [19.99, 0.1, None, 1234567.891],
        "count": pd.array([1, None, 3, 4], dtype="Int64"),
        "gaps": [1.0, None, 3.0, 4.0],
        "paid": [True, False, True, False],
        "day": ["2024-02-29", "2025-01-01", "2025-12-31", "1969-07-20"],
        "at": ["2024-02-29 23:59:59", "2025-01-01 00:00:00", "2025-06-01 12:30:00", "2025-06-01 12:30:01"],
    }
)
kinds = {"order_id": "int", "customer": "text", "note": "text", "amount": "double", "count": "int",
         "gaps": "double", "paid": "boolean", "day": "date", "at": "timestamp"}
text = {"customer": str, "note": str}


def read(path, **options):
    frame = pd.read_csv(path, dtype={**text, "count": "Int64"}, parse_dates=["at"], **options)
    return frame.assign(day=pd.to_datetime(frame["day"]).dt.date)


def csv(case, file, write, how, **options):
    path = g.place(case, file)
    orders.to_csv(path, **write)
    back = read(path, **options)
    if write.get("quoting"):
        # Of "" it can't be told that it was no value: what stands in quotes is a text.
        back["customer"] = back["customer"].fillna("")
    g.expect(case, kinds, rows_of(back), how)


csv("plain", "orders.csv", {"index": False}, "read_csv")
csv("semicolon_comma", "umsatz.csv", {"index": False, "sep": ";", "decimal": ","}, "read_csv(sep=';', decimal=',')", sep=";", decimal=",")
csv("tabs", "orders.tsv", {"index": False, "sep": "\t"}, "read_csv(sep='\\t')", sep="\t")
csv("pipes", "orders.txt", {"index": False, "sep": "|", "lineterminator": "\r\n"}, "read_csv(sep='|')", sep="|")
csv("quoted", "orders.csv", {"index": False, "quoting": 1, "encoding": "utf-8-sig"}, "read_csv")
csv("utf16", "orders.csv", {"index": False, "encoding": "utf-16"}, "read_csv(encoding='utf-16')", encoding="utf-16")
csv("zipped", "orders.csv.zip", {"index": False}, "read_csv")
csv("gzipped", "orders.csv.gz", {"index": False, "compression": {"method": "gzip", "mtime": 1}}, "read_csv")
csv("nulls_said", "orders.csv", {"index": False, "na_rep": "NULL"}, "read_csv")

path = g.place("index", "orders.csv")
orders.to_csv(path)
back = read(path)
g.expect("index", {"": "int", **kinds}, rows_of(back), "read_csv")

latin = orders.head(3).assign(note=["Müller", "é à ç", "Straße £5"])
path = g.place("windows", "kunden.csv")
latin.to_csv(path, index=False, encoding="cp1252")
g.expect("windows", kinds, rows_of(read(path, encoding="cp1252")), "read_csv(encoding='cp1252')")

# JSON, as records, lines, and with values inside.
things = pd.DataFrame(
    {
        "id": [1, 2, 3],
        "name": ["Ada", None, 'Gr"ace'],
        "score": [0.1, 1e-7, None],
        "tags": [["a", "b"], [], None],
        "at": pd.to_datetime(["2025-01-01T00:00:00.123", "2025-01-02T10:00:00.000", None]),
        "place": [{"lat": 52.5, "city": "Berlin"}, {"lat": -1.25, "city": None}, None],
    }
)
shape = {"id": "int", "name": "text", "score": "double", "tags": "json", "at": "timestamp", "place": "json"}
for case, file, write in (
    ("records", "things.json", {"orient": "records", "date_format": "iso"}),
    ("lines", "things.jsonl", {"orient": "records", "lines": True, "date_format": "iso"}),
    ("lines_gz", "things.json.gz", {"orient": "records", "lines": True, "date_format": "iso", "compression": {"method": "gzip", "mtime": 1}}),
    ("indented", "things.json", {"orient": "records", "date_format": "iso", "indent": 2}),
):
    path = g.place(case, file)
    things.to_json(path, **write)
    back = pd.read_json(path, orient="records", lines=write.get("lines", False), convert_dates=["at"], precise_float=True)
    back["at"] = pd.to_datetime(back["at"]).dt.tz_localize(None)
    g.expect(case, shape, rows_of(back), "read_json")

path = g.place("epoch", "events.jsonl")
events = things[["id", "name"]].assign(at=pd.to_datetime(["2025-01-01T00:00:00.123", "2025-01-02T10:00:00.000", "2025-01-02T10:00:01.000"]))
events.to_json(path, orient="records", lines=True, date_format="epoch", date_unit="ms")
back = pd.read_json(path, lines=True, convert_dates=False)
g.expect("epoch", {"id": "int", "name": "text", "at": "int"}, rows_of(back), "read_json(convert_dates=False)")

# XML
path = g.place("xml", "orders.xml")
simple = orders.drop(columns=["note"]).assign(note=["a < b & c", " padded ", None, "Zoë"])
simple.to_xml(path, index=False)
back = pd.read_xml(path, dtype={"customer": str, "count": "Int64"}, parse_dates=["at"])
back["day"] = pd.to_datetime(back["day"]).dt.date
# An element without content is an empty text where the others of its name are texts.
back[["customer", "note"]] = back[["customer", "note"]].fillna("")
g.expect("xml", {k: kinds[k] for k in simple.columns}, rows_of(back), "read_xml")
path = g.place("xml_attributes", "things.xml")
things[["id", "name", "score"]].to_xml(path, index=False, attr_cols=["id", "name", "score"])
back = pd.read_xml(path)
g.expect("xml_attributes", {"@id": "int", "@name": "text", "@score": "double"}, rows_of(back), "read_xml")

# Parquet
typed = orders.assign(
    day=[dt.date(2024, 2, 29), dt.date(2025, 1, 1), None, dt.date(1969, 7, 20)],
    at=pd.to_datetime(orders["at"]),
    moment=pd.to_datetime(orders["at"]).dt.tz_localize("Europe/Berlin"),
    kind=pd.Categorical(["a", "b", None, "a"]),
    price=[Decimal("1.10"), Decimal("-0.01"), None, Decimal("99999999.99")],
    tags=[["x", "y"], [], None, ["z"]],
)
path = g.place("parquet", "orders.parquet")
typed.to_parquet(path, index=False)
g.expect("parquet", {**kinds, "moment": "timestamptz", "kind": "text", "price": "decimal", "tags": "json"},
         rows_of(pd.read_parquet(path)), "read_parquet")
path = g.place("parquet_index", "daily.parquet")
pd.DataFrame({"v": [1.5, None]}, index=pd.Index(["b", "a"], name="key")).to_parquet(path, compression="gzip")
g.expect("parquet_index", {"v": "double", "key": "text"}, rows_of(pd.read_parquet(path).reset_index()[["v", "key"]]), "read_parquet")

# Excel
path = g.place("excel", "orders.xlsx")
orders.assign(day=pd.to_datetime(orders["day"]).dt.date, at=pd.to_datetime(orders["at"])).iloc[:3].to_excel(path, index=False)
back = pd.read_excel(path, dtype={"customer": str})
back["day"] = pd.to_datetime(back["day"]).dt.date
g.expect("excel", kinds, rows_of(back), "read_excel")
path = g.place("excel_index", "monthly.xlsx")
pd.DataFrame({"net": [4.1, 2.675, 1e15], "tax": [0.1 + 0.2, 1 / 3, 5e-5]}, index=["Jan", "Feb", "Mar"]).to_excel(path, sheet_name="2025")
back = pd.read_excel(path, dtype={"Unnamed: 0": str})
g.expect("excel_index", {"": "text", "net": "double", "tax": "double"}, rows_of(back), "read_excel")
g.close()
