"""Writes the table in pyiceberg/ with PyIceberg: evolved schemas and partitions, overwrites, an upsert.

usage: write_pyiceberg.py FOLDER
"""
import datetime
import json
import os
import shutil
import sys
import tempfile

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.transforms import BucketTransform, MonthTransform
from pyiceberg.types import LongType, StringType

folder = sys.argv[1]
warehouse = tempfile.mkdtemp()
catalog = SqlCatalog("local", uri=f"sqlite:///{warehouse}/catalog.db", warehouse=f"file://{warehouse}")
catalog.create_namespace("db")


def rows(ids, city):
    return pa.table({
        "id": pa.array(ids, pa.int32()),
        "city": [f"{city} {i % 3}" for i in ids],
        "score": pa.array([float("nan") if i % 7 == 0 else i / 4 for i in ids], pa.float64()),
        "day": [datetime.date(1969, 11, 20) + datetime.timedelta(days=i) for i in ids],
    })


table = catalog.create_table("db.scores", schema=rows([1], "x").schema)
table.append(rows(range(1, 31), "old"))
with table.update_spec() as update:
    update.add_field("day", MonthTransform())
table.append(rows(range(31, 61), "old"))
with table.update_schema() as update:
    update.add_column("seller", LongType())
    update.rename_column("city", "town")
    update.update_column("id", field_type=LongType())
table.delete("id > 50")
with table.update_spec() as update:
    update.add_field("id", BucketTransform(3))
fresh = rows(range(100, 110), "new").rename_columns(["id", "town", "score", "day"])
fresh = fresh.set_column(0, "id", pa.array(range(100, 110), pa.int64())).append_column("seller", pa.array([7] * 10, pa.int64()))
table.append(fresh)
table.overwrite(fresh.slice(0, 2), "id >= 105")
plain = lambda v: "NaN" if isinstance(v, float) and v != v else v.isoformat() if hasattr(v, "isoformat") else v
answer = {"rows": [{k: plain(v) for k, v in r.items()} for r in sorted(table.scan().to_arrow().to_pylist(), key=lambda r: (r["id"], r["town"]))]}
location = table.location().removeprefix("file://")
shutil.rmtree(folder, ignore_errors=True)
shutil.copytree(location, folder)
json.dump(answer, open(os.path.join(folder, "expected.json"), "w"), indent=1)
