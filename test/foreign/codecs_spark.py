"""Writes a table for each codec of manifests through a REST catalog, and prints their rows as JSON.

usage: codecs_spark.py JAR URL TOKEN CODEC…
"""
import json
import sys

from spark_session import session

jar, url, token, *codecs = sys.argv[1:]
spark = session(jar, type="rest", uri=url, token=token)
spark.sparkContext.setLogLevel("ERROR")
spark.sql("CREATE NAMESPACE IF NOT EXISTS lake.spark")

seen = {}
for codec in codecs:
    table = f"lake.spark.{codec}"
    spark.sql(
        f"CREATE TABLE {table} (id bigint, label string) USING iceberg PARTITIONED BY (bucket(2, id)) "
        f"TBLPROPERTIES ('write.manifest.compression-codec' = '{codec}', 'write.delete.mode' = 'merge-on-read')"
    )
    spark.sql(f"INSERT INTO {table} SELECT id, repeat('x', 20) FROM range(50)")
    spark.sql(f"INSERT INTO {table} VALUES (100, 'a'), (101, 'b')")
    spark.sql(f"DELETE FROM {table} WHERE id = 7")
    files = spark.sql(f"SELECT file_path, record_count FROM {table}.data_files").collect()
    seen[codec] = {file["file_path"]: file["record_count"] for file in files}
print(json.dumps(seen))
