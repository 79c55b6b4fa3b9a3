"""What polars writes, and reads again. Needs polars, xlsxwriter, fastexcel or openpyxl."""

import datetime as dt
from decimal import Decimal

import polars as pl
from corpus import Group

g = Group("polars", f"polars {pl.__version__}")
frame = pl.DataFrame(
    {
        "id": [1, 2, 3],
        "big": [9007199254740993, -9223372036854775808, None],
        "code": ["01", None, "x,y"],
        "price": [Decimal("12.50"), Decimal("-0.05"), None],
        "ratio": [0.1, 1e300, -2.5e-9],
        "ok": [True, None, False],
        "day": [dt.date(2024, 2, 29), None, dt.date(2025, 1, 1)],
        "at": [dt.datetime(2025, 1, 1, 10, 0, 0, 123456), dt.datetime(2025, 3, 30, 2, 30), None],
    },
    schema_overrides={"price": pl.Decimal(12, 2), "big": pl.Int64},
)
kinds = {"id": "int", "big": "int", "code": "text", "price": "decimal", "ratio": "double", "ok": "boolean",
         "day": "date", "at": "timestamp"}


def csv(case, file, write, **options):
    path = g.place(case, file)
    frame.write_csv(path, **write)
    back = pl.read_csv(path, schema=frame.schema, **options)
    g.expect(case, kinds, back.rows(), "read_csv(schema=…)")


csv("plain", "sales.csv", {})
csv("semicolons", "sales.csv", {"separator": ";"}, separator=";")
csv("bom", "sales.csv", {"include_bom": True, "line_terminator": "\r\n"})
csv("always_quoted", "sales.csv", {"quote_style": "always"})

path = g.place("no_header", "sales.csv")
frame.write_csv(path, include_header=False)
g.expect("no_header", kinds, pl.read_csv(path, has_header=False, schema=frame.schema).rows(), "read_csv(has_header=False)", names=False)

nested = frame.with_columns(
    tags=pl.Series([["a", "b"], [], None], dtype=pl.List(pl.String)),
    place=pl.Series([{"lat": 1.5, "n": 2}, {"lat": None, "n": 3}, None], dtype=pl.Struct({"lat": pl.Float64, "n": pl.Int64})),
)
shape = {**kinds, "tags": "json", "place": "json"}
path = g.place("ndjson", "sales.ndjson")
nested.write_ndjson(path)
# Decimals are texts in polars' JSON.
as_text = {**nested.schema, "price": pl.String}
price = pl.col("price").str.to_decimal(scale=2)
g.expect("ndjson", shape, pl.read_ndjson(path, schema=as_text).with_columns(price).rows(), "read_ndjson(schema=…)")
path = g.place("json", "sales.json")
nested.write_json(path)
g.expect("json", shape, pl.read_json(path, schema=as_text).with_columns(price).rows(), "read_json(schema=…)")

typed = nested.with_columns(
    nano=pl.Series(["2025-01-01T00:00:00.123456", None, "1969-12-31T23:59:59.5"]).str.to_datetime(time_unit="ns"),
    moment=pl.col("at").dt.replace_time_zone("Europe/Berlin", non_existent="null"),
    hour=pl.Series([dt.time(10, 30), None, dt.time(23, 59, 59, 999999)]),
    kind=pl.Series(["a", "b", None], dtype=pl.Categorical),
    color=pl.Series(["red", None, "blue"], dtype=pl.Enum(["red", "blue"])),
    small=pl.Series([255, None, 0], dtype=pl.UInt8),
    huge=pl.Series([18446744073709551615, 0, None], dtype=pl.UInt64),
    raw=pl.Series([b"\x00\xff", None, b"abc"]),
    none=pl.Series([None, None, None], dtype=pl.String),
)
all_kinds = {**shape, "nano": "timestamp", "moment": "timestamptz", "hour": "time", "kind": "text", "color": "text",
             "small": "int", "huge": "int", "raw": "binary", "none": "text"}
path = g.place("parquet", "sales.parquet")
typed.write_parquet(path)
g.expect("parquet", all_kinds, pl.read_parquet(path).rows(), "read_parquet")
path = g.place("parquet_lz4", "sales.parquet")
frame.write_parquet(path, compression="lz4", use_pyarrow=False)
g.expect("parquet_lz4", kinds, pl.read_parquet(path).rows(), "read_parquet")

path = g.place("avro", "sales.avro")
simple = frame.drop("price")
simple.write_avro(path, compression="deflate")
g.expect("avro", {k: kinds[k] for k in simple.columns}, pl.read_avro(path).rows(), "read_avro")

path = g.place("excel", "sales.xlsx")
sheet = frame.drop("big")
sheet.write_excel(path, worksheet="Sales", autofit=True)
back = sheet.with_columns(pl.col("at").dt.truncate("1ms"), pl.col("price").cast(pl.Float64))
import openpyxl

cells = list(openpyxl.load_workbook(path, data_only=True).worksheets[0].iter_rows(values_only=True))[1:]
rows = [list(r) for r in cells]
for r in rows:
    r[5] = r[5].date() if r[5] else None
g.expect("excel", {k: "double" if k == "price" else kinds[k] for k in sheet.columns}, rows, "write_excel, read by openpyxl")

g.place("hive")
parts = frame.select("id", "code", "ratio").with_columns(year=pl.Series([2024, 2025, 2025]), shop=pl.Series(["São Paulo", "a/b", "x=y"]))
parts.write_parquet(g.place("hive", "sales"), partition_by=["year", "shop"])
back = pl.scan_parquet(g.place("hive", "sales"), hive_partitioning=True, try_parse_hive_dates=False).collect()
own = ["id", "code", "ratio", "year", "shop"]
# Its files have the columns of the folders as well, so those of the folders are beside them.
rows = [[*row, str(row[3]), row[4]] for row in back.select(own).rows()]
g.expect("hive", {"id": "int", "code": "text", "ratio": "double", "year": "int", "shop": "text", "year_1": "text", "shop_1": "text"}, rows, "scan_parquet(hive_partitioning=True)")
g.close()
