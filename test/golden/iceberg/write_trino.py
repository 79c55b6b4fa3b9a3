"""Writes the table in trino/ with Trino: partitions, row-level deletes and updates, evolved schemas.

usage: write_trino.py URL CATALOG STORAGE_FOLDER FOLDER; the catalog is one of Trino's Iceberg connector
whose schemas lie below the storage's folder.
"""
import json
import os
import shutil
import sys
import time
import urllib.request

url, catalog, storage, folder = sys.argv[1:]


def run(sql):
    request = urllib.request.Request(f"{url}/v1/statement", sql.encode(), {"X-Trino-User": "test", "X-Trino-Catalog": catalog})
    answer = json.load(urllib.request.urlopen(request))
    rows, columns = [], []
    while True:
        if "error" in answer:
            raise SystemExit(answer["error"]["message"])
        columns = answer.get("columns") or columns
        rows += answer.get("data") or []
        if "nextUri" not in answer:
            return [dict(zip([c["name"] for c in columns], row)) for row in rows]
        time.sleep(0.05)
        answer = json.load(urllib.request.urlopen(answer["nextUri"]))


run("CREATE SCHEMA IF NOT EXISTS golden")
run("DROP TABLE IF EXISTS golden.sales")
run("""CREATE TABLE golden.sales (id integer, city varchar, amount decimal(9, 2), sold_at timestamp(6), seen timestamp(6) with time zone,
    place row(street varchar, zip integer), tags array(varchar))
    WITH (format = 'PARQUET', format_version = 2, partitioning = ARRAY['month(sold_at)', 'truncate(city, 4)'])""")
run("""INSERT INTO golden.sales SELECT id, 'city ' || cast(id % 3 AS varchar), id * decimal '1.25', timestamp '1969-12-15 10:00:00.123456' + id % 3 * interval '1' month,
    timestamp '2026-01-01 00:00:00.5 UTC', CAST(ROW('s', id) AS row(street varchar, zip integer)), ARRAY['a', cast(id AS varchar)]
    FROM UNNEST(sequence(1, 40)) AS r(id)""")
run("DELETE FROM golden.sales WHERE id % 5 = 0")
run("ALTER TABLE golden.sales ADD COLUMN seller bigint")
run("ALTER TABLE golden.sales RENAME COLUMN city TO town")
run("ALTER TABLE golden.sales ALTER COLUMN id SET DATA TYPE bigint")
run("ALTER TABLE golden.sales DROP COLUMN tags")
run("ALTER TABLE golden.sales SET PROPERTIES partitioning = ARRAY['bucket(id, 3)']")
run("""INSERT INTO golden.sales SELECT id, 'new', decimal '7.50', timestamp '2026-03-01 00:00:00', timestamp '2026-03-01 00:00:00 UTC',
    CAST(ROW('x', 1) AS row(street varchar, zip integer)), id + 3000000000 FROM UNNEST(sequence(100, 109)) AS r(id)""")
run("UPDATE golden.sales SET town = 'moved' WHERE id IN (2, 104)")
rows = run("""SELECT id, town, cast(amount AS varchar) AS amount, cast(sold_at AS varchar) AS sold_at, place.street AS street, place.zip AS zip, seller
    FROM golden.sales ORDER BY id""")
location = run("""SELECT DISTINCT "$path" AS p FROM golden.sales LIMIT 1""")[0]["p"].split("/data/")[0]
table = os.path.join(storage, location.split("://")[1].lstrip("/"))
shutil.rmtree(folder, ignore_errors=True)
shutil.copytree(table, folder, ignore=shutil.ignore_patterns(".trino*", ".*.crc"))
json.dump({"rows": rows}, open(os.path.join(folder, "expected.json"), "w"), indent=1)
