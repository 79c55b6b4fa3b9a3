"""Changes a table of its own in a lake through its Iceberg REST catalog, as PyIceberg does.

usage: inputs_pyiceberg.py URL TOKEN create|append|delete|add-column|rename-column|add-file
"""
import datetime
import sys
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    DoubleType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimeType,
    UUIDType,
)

url, token, doing = sys.argv[1:]
catalog = RestCatalog("lake", uri=url, token=token)

schema = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(2, "model", StringType()),
    NestedField(3, "score", DoubleType()),
    NestedField(4, "runs", IntegerType()),
    NestedField(5, "code", UUIDType()),
    NestedField(6, "at", TimeType()),
    NestedField(7, "tags", ListType(8, StringType())),
    NestedField(9, "place", StructType(NestedField(10, "city", StringType()), NestedField(11, "zip", IntegerType()))),
)


def rows(ids):
    return pa.Table.from_pylist(
        [
            {
                "id": id,
                "model": "a" if id % 2 else "b",
                "score": id / 2,
                "runs": id,
                "code": uuid.UUID(int=id).bytes,
                "at": datetime.time(12, 30, id, 5),
                "tags": ["x", str(id)],
                "place": {"city": "Rom", "zip": id},
            }
            for id in ids
        ],
        schema=catalog.load_table("ml.scores").schema().as_arrow(),
    )


if doing == "create":
    catalog.create_namespace("ml")
    by_model = PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "model"))
    catalog.create_table("ml.scores", schema=schema, partition_spec=by_model)
    catalog.load_table("ml.scores").append(rows([1, 2, 3, 4]))
table = catalog.load_table("ml.scores")
if doing == "append":
    table.append(rows([5]))
if doing == "delete":
    table.delete("id = 4")
if doing == "add-column":
    with table.update_schema() as update:
        update.add_column("label", StringType())
        update.update_column("runs", LongType())
    table.manage_snapshots().create_tag(table.current_snapshot().snapshot_id, "checked").commit()
if doing == "rename-column":
    with table.update_schema() as update:
        update.rename_column("score", "points")
if doing == "add-file":
    fields = NestedField(1, "id", LongType()), NestedField(2, "name", StringType())
    added = catalog.create_table("ml.added", schema=Schema(*fields))
    added.append(pa.table({"id": pa.array([1], pa.int64()), "name": ["a"]}))
    # A file without field ids, whose columns lie in another order.
    path = f"{added.location()}/data/theirs.parquet"
    theirs = pa.table({"name": ["b", None], "id": pa.array([2, 3], pa.int64())})
    pq.write_table(theirs, path.removeprefix("file://"))
    catalog.load_table("ml.added").add_files([path])
