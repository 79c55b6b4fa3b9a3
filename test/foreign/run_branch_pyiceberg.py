"""Builds tables on a run's own branch, as a run's engine does, and prints what it saw as JSON.

usage: run_branch_pyiceberg.py URL TOKEN BRANCH build|late
"""
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import StringType

url, token, branch, doing = sys.argv[1:]


def client(**settings):
    # The token leads to its own branch by itself.
    return RestCatalog("lake", uri=url, token=token, **settings)


def refusal(act):
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def rows_of(table):
    return sorted([list(row.values()) for row in table.scan().to_arrow().to_pylist()], key=str)


def days(**columns):
    return pa.table(columns, schema=pa.schema([("day", pa.string()), ("n", pa.int64())]))


if doing == "late":
    print(json.dumps({"late": refusal(lambda: client().list_namespaces())}))
    sys.exit()

catalog = client()
orders = catalog.load_table("silver.orders")
seen = {"namespaces": sorted(catalog.list_namespaces()), "orders": rows_of(orders)}

# A new table, another one that comes and goes, and one that the lake has.
fresh = catalog.create_table("gold.fresh", schema=days(day=[], n=[]).schema)
fresh.append(days(day=["a", "b"], n=[1, 2]))
fresh.overwrite(days(day=["b"], n=[3]), overwrite_filter="day = 'b'")
fresh.delete("day = 'a'")
fresh.append(days(day=["c"], n=[4]))
gone = catalog.create_table("gold.gone", schema=days(day=[], n=[]).schema)
gone.append(days(day=["x"], n=[0]))
catalog.drop_table("gold.gone")
gone = catalog.create_table("gold.gone", schema=days(day=[], n=[]).schema)
catalog.drop_table("gold.gone")
totals = catalog.load_table("gold.totals")
seen["before"] = rows_of(totals)
with totals.update_schema() as update:
    update.add_column("label", StringType())
totals = catalog.load_table("gold.totals")
totals.overwrite(
    pa.table({"n": [7], "total": pa.array(["9.00"]).cast(pa.decimal128(38, 2)), "label": ["new"]})
)
seen["totals"] = rows_of(catalog.load_table("gold.totals"))
seen["fresh"] = rows_of(catalog.load_table("gold.fresh"))
seen["tables"] = sorted(".".join(name) for name in catalog.list_tables("gold"))

schema = days(day=[], n=[]).schema
elsewhere = f"{orders.location()}/data"
# A file of the right columns, beside those of a table that the run does not build.
hidden = f"{elsewhere}/hidden.parquet"
pq.write_table(days(day=["z"], n=[9]), hidden.removeprefix("file://"))


def evolve(act):
    def change():
        table = catalog.load_table("gold.fresh")
        with table.transaction() as transaction:
            act(transaction)

    return change


seen["refused"] = {
    "append": refusal(lambda: orders.append(orders.scan().to_arrow())),
    "drop of another": refusal(lambda: catalog.drop_table("silver.orders")),
    "drop of the lake's": refusal(lambda: catalog.drop_table("gold.totals")),
    "create": refusal(lambda: catalog.create_table("gold.other", schema=schema)),
    "namespace": refusal(lambda: catalog.create_namespace("ml")),
    "location": refusal(lambda: catalog.create_table("gold.gone", schema=schema, location=elsewhere)),
    "outside": refusal(
        lambda: catalog.create_table("gold.gone", schema=schema, location="file:///tmp/elsewhere")
    ),
    "data": refusal(evolve(lambda t: t.set_properties(**{"write.data.path": elsewhere}))),
    "file": refusal(
        lambda: catalog.load_table("gold.fresh").add_files([hidden], check_duplicate_files=False)
    ),
    "register": refusal(lambda: catalog.register_table("gold.gone", fresh.metadata_location)),
    "rename": refusal(lambda: catalog.rename_table("gold.fresh", "gold.gone")),
    "ref": refusal(
        lambda: catalog.load_table("gold.fresh")
        .manage_snapshots()
        .create_branch(catalog.load_table("gold.fresh").current_snapshot().snapshot_id, "b")
        .commit()
    ),
}
print(json.dumps(seen, default=str))
