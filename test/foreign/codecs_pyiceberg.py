"""Writes a table for each codec of manifests through a REST catalog, and prints their rows as JSON.

usage: codecs_pyiceberg.py URL TOKEN CODEC…
"""
import json
import sys

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog

url, token, *codecs = sys.argv[1:]
catalog = RestCatalog("lake", uri=url, token=token)
catalog.create_namespace_if_not_exists("pyiceberg")


def rows(*ids):
    return pa.table({"id": list(ids)}, schema=pa.schema([("id", pa.int64())]))


seen = {}
for codec in codecs:
    properties = {"write.avro.compression-codec": codec}
    table = catalog.create_table(f"pyiceberg.{codec}", schema=rows().schema, properties=properties)
    table.append(rows(1, 2))
    table.append(rows(3))
    table.overwrite(rows(4, 5, 6), overwrite_filter="id = 3")
    files = table.inspect.files().to_pylist()
    seen[codec] = {file["file_path"]: file["record_count"] for file in files}
print(json.dumps(seen))
