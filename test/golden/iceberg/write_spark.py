"""Writes the table in spark/ with Apache Spark: evolved schemas and partitions, row-level deletes, tags.

usage: write_spark.py ICEBERG_SPARK_RUNTIME_JAR FOLDER
"""
import json
import os
import shutil
import sys
import tempfile

from pyspark.sql import SparkSession

jar, folder = sys.argv[1:]
warehouse = tempfile.mkdtemp()
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.jars", jar)
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.lake", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.lake.type", "hadoop")
    .config("spark.sql.catalog.lake.warehouse", warehouse)
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .getOrCreate()
)
run = spark.sql
run("""CREATE TABLE lake.db.sales (id INT, city STRING, amount DECIMAL(9, 2), sold_at TIMESTAMP_NTZ,
    place STRUCT<street: STRING, zip: INT>, tags ARRAY<STRING>, notes MAP<STRING, INT>)
    USING iceberg PARTITIONED BY (months(sold_at))
    TBLPROPERTIES ('format-version' = '2', 'write.delete.mode' = 'merge-on-read', 'write.update.mode' = 'merge-on-read')""")
run("""INSERT INTO lake.db.sales SELECT id, concat('city ', id % 3), id * 1.25, timestamp_ntz'2026-01-15 10:00:00' + make_interval(0, id % 3),
    named_struct('street', concat('s', id), 'zip', id), array('a', string(id)), map('n', id) FROM range(1, 41) AS r(id)""")
run("DELETE FROM lake.db.sales WHERE id % 5 = 0")
run("ALTER TABLE lake.db.sales CREATE TAG before")
run("ALTER TABLE lake.db.sales ADD COLUMNS (seller BIGINT, place.country STRING)")
run("ALTER TABLE lake.db.sales RENAME COLUMN city TO town")
run("ALTER TABLE lake.db.sales ALTER COLUMN id TYPE BIGINT")
run("ALTER TABLE lake.db.sales ALTER COLUMN amount TYPE DECIMAL(12, 2)")
run("ALTER TABLE lake.db.sales DROP COLUMN tags")
run("ALTER TABLE lake.db.sales ADD PARTITION FIELD bucket(4, id)")
run("""INSERT INTO lake.db.sales SELECT id, 'new', id, timestamp_ntz'2026-03-01 00:00:00', named_struct('street', 'x', 'zip', 1, 'country', 'CH'),
    map('m', 1), id + 3000000000 FROM range(100, 110) AS r(id)""")
run("UPDATE lake.db.sales SET town = 'moved' WHERE id IN (2, 104)")
run("DELETE FROM lake.db.sales WHERE id = 3")
rows = run("SELECT id, town, string(amount) AS amount, string(sold_at) AS sold_at, place.street, place.zip, place.country, seller FROM lake.db.sales ORDER BY id")
answer = {
    "rows": [r.asDict() for r in rows.collect()],
    "before": [r[0] for r in run("SELECT id FROM lake.db.sales VERSION AS OF 'before' ORDER BY id").collect()],
}
table = os.path.join(warehouse, "db", "sales")
shutil.rmtree(folder, ignore_errors=True)
shutil.copytree(table, folder, ignore=shutil.ignore_patterns(".*.crc"))
json.dump(answer, open(os.path.join(folder, "expected.json"), "w"), indent=1)
