"""Works with a lake through its Iceberg REST catalog, as PyIceberg does, and prints what it saw as JSON.

usage: rest_pyiceberg.py URL TOKEN write|read
"""
import json
import sys

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.types import StringType

url, token, doing = sys.argv[1:]
catalog = RestCatalog("lake", uri=url, token=token)


def rows_of(table, snapshot=None):
    rows = table.scan(snapshot_id=snapshot).to_arrow().to_pylist()
    return sorted(([row["id"], row["score"]] for row in rows), key=lambda row: row[0])


def scores(**columns):
    return pa.table(columns, schema=pa.schema([("id", pa.int64()), ("score", pa.float64())]))


def refusal(act):
    try:
        act()
    except Exception as error:
        return str(error)
    return None


if doing == "write":
    catalog.create_namespace("ml")
    table = catalog.create_table("ml.scores", schema=scores(id=[], score=[]).schema)
    table.append(scores(id=[1, 2, 3], score=[0.1, 0.2, 0.3]))
    table.manage_snapshots().create_tag(table.current_snapshot().snapshot_id, "first").commit()
    table.append(scores(id=[4], score=[0.4]))
    # Several snapshots in one commit.
    table.upsert(scores(id=[2, 5], score=[2.5, 0.5]), join_cols=["id"])
    table.delete("id = 1")
    with table.update_schema() as update:
        update.add_column("label", StringType())
    # One table in one commit, or not at all.
    catalog.create_table("ml.gone", schema=scores(id=[], score=[]).schema)
    catalog.rename_table("ml.gone", "ml.renamed")
    catalog.drop_table("ml.renamed")

table = catalog.load_table("ml.scores")
orders = catalog.load_table("silver.orders")
print(
    json.dumps(
        {
            "namespaces": catalog.list_namespaces(),
            "tables": catalog.list_tables("ml"),
            "rows": rows_of(table),
            "tagged": rows_of(table, table.snapshot_by_name("first").snapshot_id),
            "all": [len(rows_of(table, s.snapshot_id)) for s in table.metadata.snapshots],
            "columns": [field.name for field in table.schema().fields],
            "orders": orders.scan().to_arrow().num_rows,
            "refused": refusal(lambda: orders.append(orders.scan().to_arrow())),
        }
    )
)
