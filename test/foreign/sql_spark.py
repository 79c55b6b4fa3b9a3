"""Runs SQL statements in Apache Spark over a lake's Iceberg REST catalog, which is called `lake`.

usage: sql_spark.py JAR URL TOKEN STATEMENT…
"""
import sys

from pyspark.sql import SparkSession

jar, url, token, *statements = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", jar)
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.lake", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.lake.type", "rest")
    .config("spark.sql.catalog.lake.uri", url)
    .config("spark.sql.catalog.lake.token", token)
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .getOrCreate()
)
for statement in statements:
    spark.sql(statement)
