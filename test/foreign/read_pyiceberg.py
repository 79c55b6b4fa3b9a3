"""Reads Iceberg tables with PyIceberg and prints what it saw as JSON.

usage: read_pyiceberg.py TABLES.json; the file lists {"name", "metadata"} objects.
"""
import json
import sys

from pyiceberg.table import StaticTable

from values import plain

tables = json.load(open(sys.argv[1]))
seen = {}
for table in tables:
    iceberg = StaticTable.from_metadata(table["metadata"])
    rows = [{k: plain(v) for k, v in row.items()} for row in iceberg.scan().to_arrow().to_pylist()]
    tasks = list(iceberg.scan().plan_files())
    filtered = {}
    for where in table.get("filters", []):
        scan = iceberg.scan(row_filter=where)
        filtered[where] = {"rows": scan.to_arrow().num_rows, "files": len(list(scan.plan_files()))}
    seen[table["name"]] = {
        "columns": [[field.name, str(field.field_type)] for field in iceberg.schema().fields],
        "partitions": [[f.name, str(f.transform)] for f in iceberg.spec().fields],
        "properties": iceberg.properties,
        "docs": {field.name: field.doc for field in iceberg.schema().fields if field.doc},
        "rows": rows,
        "snapshots": [
            [s.summary.operation.value, int(s.summary["total-records"])] for s in iceberg.metadata.snapshots
        ],
        "files": sorted(task.file.record_count for task in tasks),
        "filtered": filtered,
    }
print(json.dumps(seen))
