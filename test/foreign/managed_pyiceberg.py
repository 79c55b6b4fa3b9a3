"""Works with tables that lake.ts defines, as PyIceberg does, and prints what it saw as JSON.

usage: managed_pyiceberg.py URL TOKEN
"""
import json
import sys

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.table.statistics import StatisticsFile
from pyiceberg.types import StringType

url, token = sys.argv[1:]
catalog = RestCatalog("lake", uri=url, token=token)


def refusal(act):
    try:
        act()
    except Exception as error:
        return str(error)
    return None


def visits(*rows, schema=pa.schema([("id", pa.int32()), ("note", pa.string())])):
    return pa.Table.from_pylist([{"id": id, "note": note} for id, note in rows], schema=schema)


def add_column(table):
    with table.update_schema() as update:
        update.add_column("more", StringType())


def set_property(table):
    with table.transaction() as transaction:
        transaction.set_properties({"gc.enabled": "true"})


orders = catalog.load_table("silver.orders")
current = orders.current_snapshot().snapshot_id
orders.manage_snapshots().create_tag(current, "day").commit()
orders.manage_snapshots().create_tag(current, "wrong").commit()
orders.manage_snapshots().remove_tag("wrong").commit()
place = f"{orders.location()}/metadata/py.stats"
with orders.io.new_output(place).create() as out:
    out.write(b"PFA1")
with orders.update_statistics() as update:
    update.set_statistics(
        StatisticsFile(
            **{
                "snapshot-id": current,
                "statistics-path": place,
                "file-size-in-bytes": 4,
                "file-footer-size-in-bytes": 1,
                "blob-metadata": [],
            }
        )
    )

table = catalog.load_table("silver.visits")
table.append(visits((6, "appended")))
# A deletion and an addition, in one commit.
table.overwrite(visits((6, "overwritten"), (7, "more")), overwrite_filter="id = 6")
# An upsert must have all columns, those of the lake too.
table.upsert(visits((7, "merged"), (8, "new"), schema=table.schema().as_arrow()), join_cols=["id"])
table.delete("id = 8")

orders = catalog.load_table("silver.orders")
print(
    json.dumps(
        {
            "refs": sorted(orders.metadata.refs),
            "statistics": [file.statistics_path == place for file in orders.metadata.statistics],
            "visits": sorted([row["id"], row["note"]] for row in table.scan().to_arrow().to_pylist()),
            "refused": {
                "append": refusal(lambda: orders.append(orders.scan(limit=1).to_arrow())),
                "delete": refusal(lambda: orders.delete("id = 20")),
                "column": refusal(lambda: add_column(orders)),
                "property": refusal(lambda: set_property(orders)),
                "branch": refusal(lambda: orders.manage_snapshots().create_branch(current, "dev").commit()),
                "drop": refusal(lambda: catalog.drop_table("silver.orders")),
                "rename": refusal(lambda: catalog.rename_table("silver.orders", "silver.sales")),
            },
        }
    )
)
