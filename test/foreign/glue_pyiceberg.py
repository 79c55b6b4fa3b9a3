"""Reads tables through Glue's catalog with PyIceberg; prints their rows as JSON.

usage: glue_pyiceberg.py ENDPOINT DATABASE.TABLE…
"""
import json
import sys

from pyiceberg.catalog.glue import GlueCatalog

endpoint, *names = sys.argv[1:]
keys = {"access-key-id": "test", "secret-access-key": "test", "region": "us-east-1"}
catalog = GlueCatalog(
    "lake",
    **{"glue.endpoint": endpoint, "s3.endpoint": endpoint},
    **{f"{of}.{name}": value for of in ("glue", "s3") for name, value in keys.items()},
)
read = {name: catalog.load_table(name).scan().to_arrow().to_pylist() for name in names}
print(json.dumps(read, default=str))
