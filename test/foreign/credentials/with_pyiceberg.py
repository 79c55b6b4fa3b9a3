"""Reads and writes a lake in a bucket through its catalog, without a key of the bucket.

usage: with_pyiceberg.py URL TOKEN
"""
import json
import sys

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog

url, token = sys.argv[1:]
catalog = RestCatalog("lake", uri=url, token=token)
catalog.create_namespace_if_not_exists("ml")
rows = pa.table({"id": pa.array([1, 2, 3], pa.int64())})
table = catalog.create_table("ml.pyiceberg", schema=rows.schema)
table.append(rows)
table.delete("id = 2")
with catalog.create_table_transaction("ml.staged", schema=rows.schema) as staged:
    staged.append(rows)
# What was loaded before is read with what was renewed since.
renewed = catalog.load_credentials(("ml", "pyiceberg"), table.location())
print(
    json.dumps(
        {
            "orders": catalog.load_table("silver.orders").scan().to_arrow().num_rows,
            "own": sorted(catalog.load_table("ml.pyiceberg").scan().to_arrow()["id"].to_pylist()),
            "staged": catalog.load_table("ml.staged").scan().to_arrow().num_rows,
            "renewed": sorted(renewed),
        }
    )
)
