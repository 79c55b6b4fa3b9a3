"""What Spark writes, and reads again. Needs pyspark and Java 17."""

import datetime as dt
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import pyspark
from corpus import Group
from pyspark.sql import SparkSession

g = Group("spark", f"Spark {pyspark.__version__}")
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false").config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC").config("spark.sql.sources.partitionColumnTypeInference.enabled", "false").config("spark.sql.shuffle.partitions", "2")
    .config("spark.sql.warehouse.dir", tempfile.mkdtemp()).getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
schema = "id INT, big BIGINT, code STRING, note STRING, price DECIMAL(12,2), ratio DOUBLE, ok BOOLEAN, day DATE, at TIMESTAMP_NTZ, moment TIMESTAMP"
utc = dt.timezone.utc
data = [
    (1, 9007199254740993, "007", 'said "hi"', Decimal("12.50"), 0.1, True, dt.date(2024, 2, 29), dt.datetime(2025, 1, 1, 10, 0, 0, 123456), dt.datetime(2025, 1, 1, 10, 0, tzinfo=utc)),
    (2, None, "012", "a, b; c\td", Decimal("-0.05"), 1e300, False, dt.date(1969, 7, 20), dt.datetime(2025, 3, 30, 2, 30), dt.datetime(2025, 3, 30, 2, 30, 1, 500000, tzinfo=utc)),
    (3, -1, None, "C:\\temp", None, None, None, None, None, None),
    (4, 7, "x", "Zoë 🚚", Decimal("1.00"), -2.5e-9, True, dt.date(2025, 1, 1), dt.datetime(2025, 1, 1), dt.datetime(2025, 1, 1, tzinfo=utc)),
]
kinds = {"id": "int", "big": "int", "code": "text", "note": "text", "price": "decimal", "ratio": "double", "ok": "boolean",
         "day": "date", "at": "timestamp", "moment": "timestamptz"}
frame = spark.createDataFrame(data, schema).coalesce(1)


def rows_of(frame):
    moments = [f.name for f in frame.schema if f.dataType.typeName() == "timestamp"]
    rows = []
    for row in frame.collect():
        values = row.asDict(recursive=True)
        # PySpark gives moments in the local zone, without saying so.
        rows.append([v.astimezone(utc) if k in moments and v else v for k, v in values.items()])
    return rows


def tidy(folder):
    """Without checksums, and with names that stay the same."""
    for path in Path(folder).rglob(".*.crc"):
        path.unlink()
    for i, path in enumerate(sorted(Path(folder).rglob("part-*"))):
        number, tail = path.name.split("-")[1], "".join(path.suffixes)
        path.rename(path.with_name(f"part-{number}-c000{tail}" if not list(path.parent.glob(f"part-{number}-c000{tail}")) else f"part-{number}-c{i:03}{tail}"))


def case(name, kind, options, frame=frame, columns=kinds, names=True, partition=(), schema=None):
    folder = g.place(name, "sales")
    frame.write.options(**options).partitionBy(*partition).format(kind).save(str(folder))
    tidy(folder)
    reader = spark.read.options(**options).format(kind)
    back = reader.schema(schema or frame.schema).load(str(folder)) if kind != "parquet" else reader.load(str(folder))
    if partition:
        back = back.select(*columns)
    g.expect(name, columns, rows_of(back), f"spark.read.{kind} {options}", names=names)


case("csv", "csv", {"header": "true"})
case("csv_two_files", "csv", {"header": "true"}, frame=spark.createDataFrame(data, schema).repartition(2))
case("csv_gzip", "csv", {"header": "true", "compression": "gzip"})
case("csv_no_header", "csv", {}, names=False)
case("csv_tabs", "csv", {"header": "true", "sep": "\t"})
case("csv_escaped_as_rfc", "csv", {"header": "true", "escape": '"'})
case("csv_nulls", "csv", {"header": "true", "nullValue": "\\N"})
nested = spark.sql("""SELECT id, big, array(code, 'x') tags, named_struct('lat', ratio, 'n', big) place, map('k', id) kv, price, at, moment
  FROM VALUES (1, 9007199254740993L, 'a', 0.5D, 12.50BD, TIMESTAMP_NTZ '2025-01-01 10:00:00', TIMESTAMP '2025-01-01 10:00:00'),
              (2, NULL, 'b', NULL, NULL, NULL, NULL) v(id, big, code, ratio, price, at, moment)""").coalesce(1)
shape = {"id": "int", "big": "int", "tags": "json", "place": "json", "kv": "json", "price": "decimal", "at": "timestamp", "moment": "timestamptz"}
case("json", "json", {"ignoreNullFields": "false"}, frame=nested, columns=shape)
case("json_gzip", "json", {"compression": "gzip"})
spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
case("parquet", "parquet", {})
case("parquet_nested", "parquet", {}, frame=nested, columns=shape)
spark.conf.set("spark.sql.parquet.outputTimestampType", "INT96")
case("parquet_int96", "parquet", {"compression": "gzip"})
spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
spark.conf.set("spark.sql.parquet.writeLegacyFormat", "true")
case("parquet_legacy", "parquet", {"compression": "zstd"}, frame=nested, columns=shape)
spark.conf.set("spark.sql.parquet.writeLegacyFormat", "false")
places = spark.createDataFrame([(1, "a", "007", "São Paulo"), (2, "b", "008", "a/b"), (3, "c", None, "Rome: 50%"), (4, "d", "007", "x=y")], "id INT, v STRING, store STRING, city STRING").coalesce(1)
case("partitions", "parquet", {}, frame=places, columns={"id": "int", "v": "text", "store": "text", "city": "text"}, partition=("store", "city"))
case("partitions_csv", "csv", {"header": "true"}, frame=places, columns={"id": "int", "v": "text", "store": "text", "city": "text"}, partition=("store", "city"))
g.close()
spark.stop()
