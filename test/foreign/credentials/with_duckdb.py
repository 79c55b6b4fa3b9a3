"""Reads and writes a lake in a bucket through its catalog, without a key of the bucket.

usage: with_duckdb.py URL TOKEN EXTENSIONS
"""
import json
import sys

import duckdb

url, token, extensions = sys.argv[1:]
db = duckdb.connect(config={"extension_directory": extensions})
for name in ["httpfs", "avro", "iceberg"]:
    db.load_extension(name)
db.execute(f"CREATE SECRET (TYPE iceberg, TOKEN '{token}')")
db.execute(f"ATTACH 'lake' AS lake (TYPE iceberg, ENDPOINT '{url}')")
db.execute("CREATE SCHEMA IF NOT EXISTS lake.ml")
db.execute("CREATE TABLE lake.ml.duckdb AS SELECT range AS id FROM range(3)")
db.execute("INSERT INTO lake.ml.duckdb VALUES (3)")
db.execute("DELETE FROM lake.ml.duckdb WHERE id = 1")


def first(sql):
    return [row[0] for row in db.execute(sql).fetchall()]


print(
    json.dumps(
        {
            "orders": first("SELECT count(*) FROM lake.silver.orders")[0],
            "own": first("SELECT id FROM lake.ml.duckdb ORDER BY id"),
        }
    )
)
