"""Reads and writes a lake in a bucket through its catalog, without a key of the bucket.

usage: with_spark.py JARS URL TOKEN WAY; the way is what it asks the catalog for.
"""
import json
import sys

from pyspark.sql import SparkSession

jars, url, token, way = sys.argv[1:]
catalog = "spark.sql.catalog.lake"
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", jars)
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config(catalog, "org.apache.iceberg.spark.SparkCatalog")
    .config(f"{catalog}.type", "rest")
    .config(f"{catalog}.uri", url)
    .config(f"{catalog}.token", token)
    .config(f"{catalog}.header.X-Iceberg-Access-Delegation", way)
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def first(sql):
    return [row[0] for row in spark.sql(sql).collect()]


def refusal(sql):
    try:
        spark.sql(sql).collect()
    except Exception as error:
        return str(error)
    return None


own = "lake.ml.spark"
spark.sql("CREATE NAMESPACE IF NOT EXISTS lake.ml")
spark.sql(f"CREATE TABLE {own} USING iceberg AS SELECT id FROM range(3)")
spark.sql(f"INSERT INTO {own} VALUES (3)")
spark.sql(f"DELETE FROM {own} WHERE id = 1")
spark.sql(f"UPDATE {own} SET id = 10 WHERE id = 3")
spark.sql(f"CALL lake.system.rewrite_data_files(table => 'ml.spark', options => map('rewrite-all', 'true'))")
files = spark.sql(f"SELECT file_path FROM {own}.all_data_files").collect()
expired = spark.sql(
    "CALL lake.system.expire_snapshots(table => 'ml.spark', older_than => TIMESTAMP '2999-01-01 00:00:00', retain_last => 1)"
).collect()
print(
    json.dumps(
        {
            "orders": first("SELECT count(*) FROM lake.silver.orders")[0],
            "own": first(f"SELECT id FROM {own} ORDER BY id"),
            "files": [file[0] for file in files],
            "refused": refusal("INSERT INTO lake.silver.orders SELECT * FROM lake.silver.orders"),
            "dropped": refusal(f"DROP TABLE {own} PURGE"),
        }
    )
)
