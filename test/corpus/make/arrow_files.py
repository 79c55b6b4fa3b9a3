"""What pyarrow writes: the types of Parquet that few programs use. Needs pyarrow."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.json
import pyarrow.parquet as pq
from corpus import Group

g = Group("pyarrow", f"pyarrow {pa.__version__}")


def rows_of(table):
    return [list(row.values()) for row in table.to_pylist()]


def parquet(case, fields, **options):
    """Fields are (name, type, values, kind)."""
    table = pa.table({name: pa.array(values, type) for name, type, values, _ in fields})
    path = g.place(case, f"{case}.parquet")
    pq.write_table(table, path, **options)
    back = pq.read_table(path, coerce_int96_timestamp_unit="us" if options.get("use_deprecated_int96_timestamps") else None)
    g.expect(case, {name: kind for name, _, _, kind in fields}, rows_of(back), "read_table")


at = [dt.datetime(2025, 1, 1, 10, 0, 0, 123000), None, dt.datetime(1969, 12, 31, 23, 59, 59)]
aware = [v and v.replace(tzinfo=dt.timezone.utc) for v in at]
parquet("times", [
    ("sec", pa.timestamp("s"), [v and v.replace(microsecond=0) for v in at], "timestamp"),
    ("ms", pa.timestamp("ms"), at, "timestamp"),
    ("us", pa.timestamp("us"), at, "timestamp"),
    ("utc", pa.timestamp("us", "UTC"), aware, "timestamptz"),
    ("tokyo", pa.timestamp("ms", "Asia/Tokyo"), aware, "timestamptz"),
    ("d32", pa.date32(), [dt.date(2024, 2, 29), None, dt.date(1, 1, 1)], "date"),
    ("d64", pa.date64(), [dt.date(2024, 2, 29), None, dt.date(9999, 12, 31)], "date"),
    ("t32", pa.time32("ms"), [dt.time(1, 2, 3), None, dt.time(0, 0)], "time"),
    ("t64", pa.time64("us"), [dt.time(1, 2, 3, 4), None, dt.time(23, 59, 59, 999999)], "time"),
])
parquet("int96", [("at", pa.timestamp("ns"), at, "timestamp")], use_deprecated_int96_timestamps=True)
parquet("old_version", [("id", pa.int32(), [1, 2, 3], "int"), ("at", pa.timestamp("us"), at, "timestamp")], version="1.0", data_page_version="1.0")
amounts = [Decimal("12345.67"), None, Decimal("-0.01")]
parquet("decimals", [
    ("small", pa.decimal128(7, 2), amounts, "decimal"),
    ("middle", pa.decimal128(18, 4), [Decimal("99999999999999.9999"), None, Decimal("0.0001")], "decimal"),
    ("large", pa.decimal128(38, 10), [Decimal("1234567890123456789012345678.0123456789"), None, Decimal("-1E-10")], "decimal"),
])
parquet("decimals_as_ints", [
    ("small", pa.decimal128(7, 2), amounts, "decimal"),
    ("middle", pa.decimal128(18, 4), [Decimal("99999999999999.9999"), None, Decimal("0.0001")], "decimal"),
], store_decimal_as_integer=True)
parquet("numbers", [
    ("i8", pa.int8(), [-128, None, 127], "int"),
    ("u16", pa.uint16(), [0, None, 65535], "int"),
    ("u32", pa.uint32(), [0, None, 4294967295], "int"),
    ("u64", pa.uint64(), [0, None, 18446744073709551615], "int"),
    ("f16", pa.float16(), [0.5, None, -2.0], "double"),
    ("f32", pa.float32(), [0.1, None, 1.25e10], "float"),
    ("f64", pa.float64(), [0.1, None, 5e-324], "double"),
])
parquet("texts", [
    ("large", pa.large_string(), ["a", None, "long" * 5], "text"),
    ("dictionary", pa.dictionary(pa.int8(), pa.string()), ["x", None, "x"], "text"),
    ("raw", pa.binary(), [b"\x00\xff", None, b"abc"], "binary"),
    ("fixed", pa.binary(4), [b"abcd", None, b"\x00\x01\x02\x03"], "binary"),
    ("nothing", pa.null(), [None, None, None], "nothing"),
    ("blank", pa.string(), ["", " ", "\n"], "text"),
    ("yes", pa.bool_(), [True, None, False], "boolean"),
])
parquet("nested", [
    ("tags", pa.list_(pa.string()), [["a", None], [], None], "json"),
    ("place", pa.struct([("lat", pa.float64()), ("names", pa.list_(pa.string()))]), [{"lat": 1.5, "names": ["x"]}, None, {"lat": None, "names": None}], "json"),
    ("deep", pa.list_(pa.struct([("n", pa.int64()), ("ok", pa.bool_())])), [[{"n": 9007199254740993, "ok": True}], [], [{"n": 1, "ok": None}]], "json"),
], row_group_size=1)
parquet("brotli", [("id", pa.int64(), [1, 2, 3], "int"), ("s", pa.string(), ["a", "b", None], "text")], compression="brotli")
parquet("delta", [("id", pa.int64(), [1, 2, 3], "int"), ("s", pa.string(), ["aa", "ab", None], "text")], use_dictionary=False,
        column_encoding={"id": "DELTA_BINARY_PACKED", "s": "DELTA_BYTE_ARRAY"}, compression="zstd")
parquet("odd_names", [("Order ID", pa.int64(), [1, 2], "int"), ("größe", pa.string(), ["S", "L"], "text"), ("a.b", pa.int64(), [3, None], "int"), ("select", pa.bool_(), [True, False], "boolean")])
parquet("no_rows", [("id", pa.int64(), [], "int"), ("s", pa.string(), [], "text")])

table = pa.table({"id": [1, 2, 3], "amount": [1.5, None, -2.0], "day": ["2025-01-01", "2025-01-01", "2025-01-02"], "shop": ["007", None, "012"]})
schema = pa.schema([("day", pa.string()), ("shop", pa.string())])
pa.dataset.write_dataset(table, g.place("partitions", "facts"), format="parquet", partitioning=pa.dataset.partitioning(schema, flavor="hive"))
back = pa.dataset.dataset(g.place("partitions", "facts"), partitioning=pa.dataset.partitioning(schema, flavor="hive")).to_table()
g.expect("partitions", {"id": "int", "amount": "double", "day": "date", "shop": "text"}, rows_of(back), "dataset(partitioning='hive')")

path = g.place("csv", "facts.csv")
pa.csv.write_csv(table, path)
back = pa.csv.read_csv(path, convert_options=pa.csv.ConvertOptions(column_types={"shop": pa.string()}, strings_can_be_null=True, quoted_strings_can_be_null=False))
g.expect("csv", {"id": "int", "amount": "double", "day": "date", "shop": "text"}, rows_of(back), "csv.read_csv")
g.close()
