"""Reads a table of a lake and keeps one of its own, by a catalog that is a function, and prints what it saw as JSON.

usage: catalog_pyiceberg.py URL TOKEN S3_ENDPOINT
"""
import json
import sys
import warnings

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog

warnings.simplefilter("ignore")
url, token, endpoint = sys.argv[1:]
catalog = RestCatalog("lake", uri=url, token=token, **{"s3.endpoint": endpoint, "s3.region": "us-east-1"})
rows = pa.table({"score": pa.array([0.5, 1.5], pa.float64())})
catalog.create_namespace("ml")
catalog.create_table("ml.scores", schema=rows.schema).append(rows)
print(
    json.dumps(
        {
            "ids": sorted(catalog.load_table("silver.orders").scan().to_arrow()["id"].to_pylist()),
            "scores": catalog.load_table("ml.scores").scan().to_arrow()["score"].to_pylist(),
            "tables": [".".join(one) for one in catalog.list_tables("ml")],
        }
    )
)
