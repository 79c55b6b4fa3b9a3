"""Reads Iceberg tables with Apache Spark and prints what it saw as JSON.

usage: read_spark.py JAR TABLES.json; the file lists {"name", "metadata"} objects.
"""
import json
import os
import shutil
import sys
import tempfile
import time

from spark_session import session
from values import plain

# Spark gives moments without a zone, in the zone of this process.
os.environ["TZ"] = "UTC"
time.tzset()

jar, tables = sys.argv[1], json.load(open(sys.argv[2]))
# Spark's file-based catalog finds a table's metadata as v1.metadata.json in a folder of that name.
warehouse = tempfile.mkdtemp()
for table in tables:
    folder = os.path.join(warehouse, "db", table["name"].replace(".", "_"), "metadata")
    os.makedirs(folder)
    shutil.copy(table["metadata"].removeprefix("file://"), os.path.join(folder, "v1.metadata.json"))
    with open(os.path.join(folder, "version-hint.text"), "w") as hint:
        hint.write("1")

spark = session(jar, type="hadoop", warehouse=warehouse)
spark.sparkContext.setLogLevel("ERROR")

seen = {}
for table in tables:
    name = "lake.db." + table["name"].replace(".", "_")
    frame = spark.table(name)
    moments = {f.name for f in frame.schema.fields if f.dataType.simpleString() == "timestamp"}
    rows = [
        {c: plain(row[c]) + "Z" if c in moments and row[c] else plain(row[c]) for c in frame.columns}
        for row in frame.collect()
    ]
    snapshots = spark.sql(f"SELECT operation, summary['total-records'] AS n FROM {name}.snapshots ORDER BY committed_at").collect()
    files = spark.sql(f"SELECT record_count FROM {name}.files").collect()
    filtered = {
        where: spark.sql(f"SELECT count(*) FROM {name} WHERE {where}").collect()[0][0]
        for where in table.get("filters", [])
    }
    seen[table["name"]] = {
        "columns": [[field.name, field.dataType.simpleString()] for field in frame.schema.fields],
        "rows": rows,
        "snapshots": [[s["operation"], int(s["n"])] for s in snapshots],
        "files": sorted(f["record_count"] for f in files),
        "filtered": filtered,
    }
print(json.dumps(seen))
shutil.rmtree(warehouse)
