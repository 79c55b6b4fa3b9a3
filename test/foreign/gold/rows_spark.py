"""Runs queries in Apache Spark: one a line of JSON on standard input, its columns and rows as a line back.

usage: rows_spark.py [{"jar": …, "token": …, "urls": {CATALOG: URL}}]
"""
import decimal
import json
import sys

from pyspark.sql import SparkSession


def plain(value, kind):
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if kind.startswith("timestamp"):
        seconds, _, fraction = value.partition(".")
        return f"{seconds}.{fraction:0<6}"
    return str(value)


def shown(frame):
    """Python has no times that lie near its first year: they come as texts."""
    times = ("date", "timestamp", "timestamp_ntz")
    return [frame[name].cast("string") if kind in times else frame[name] for name, kind in frame.dtypes]


builder = (
    SparkSession.builder.master("local[2]")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.ansi.enabled", "true")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
)
if len(sys.argv) > 1:
    lakes = json.loads(sys.argv[1])
    builder = builder.config("spark.jars", lakes["jar"])
    for name, url in lakes["urls"].items():
        of = f"spark.sql.catalog.{name}"
        builder = builder.config(of, "org.apache.iceberg.spark.SparkCatalog")
        builder = builder.config(f"{of}.type", "rest").config(f"{of}.uri", url).config(f"{of}.token", lakes["token"])
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("OFF")
print("ready", flush=True)
for line in sys.stdin:
    try:
        frame = spark.sql(json.loads(line))
        types = [kind for _, kind in frame.dtypes]
        rows = frame.select(*shown(frame)).collect()
        values = [[plain(value, kind) for value, kind in zip(row, types)] for row in rows]
        print(json.dumps({"types": types, "rows": values}), flush=True)
    except Exception as error:
        print(json.dumps({"error": str(error).split("\nJVM stacktrace")[0][:2000]}), flush=True)
