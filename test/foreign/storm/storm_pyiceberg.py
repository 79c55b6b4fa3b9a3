"""A writer of a storm: PyIceberg, which does an action a line.

usage: storm_pyiceberg.py URL TOKEN
"""
import sys

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.expressions import And, EqualTo, In

from lines import serve

url, token = sys.argv[1:]
SCHEMA = pa.schema([("writer", pa.string()), ("seq", pa.int64()), ("value", pa.int64())])
known = []


def catalog():
    # Whatever is in the way when it begins is gone later.
    if not known:
        known.append(RestCatalog("lake", uri=url, token=token))
    return known[0]


def rows_of(action):
    return pa.Table.from_pylist(action["rows"], schema=SCHEMA)


def named(rows):
    return And(EqualTo("writer", rows[0]["writer"]), In("seq", [row["seq"] for row in rows]))


def perform(action):
    do, name = action["do"], "storm." + action.get("table", "")
    if do == "create":
        catalog().create_table(name, schema=SCHEMA)
    elif do == "rename":
        catalog().rename_table(name, "storm." + action["to"])
    elif do == "drop":
        catalog().drop_table(name)
    else:
        table = catalog().load_table(name)
        if do == "append":
            table.append(rows_of(action))
        elif do == "replace":
            table.overwrite(rows_of(action))
        elif do == "update":
            table.overwrite(rows_of(action), overwrite_filter=named(action["rows"]))
        elif do == "delete":
            table.delete(named(action["rows"]))
        else:
            raise ValueError(do)


def tag(name, tag):
    """The rows of a table of the lake, to which a tag is given."""
    table = catalog().load_table(name)
    snapshot = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_tag(snapshot, tag).commit()
    return table.scan(snapshot_id=snapshot).to_arrow().num_rows


def read(namespace):
    """The rows of all tables; of one that can't be read, why not."""
    found = {}
    for name in names(namespace):
        try:
            found[name] = catalog().load_table((namespace, name)).scan().to_arrow().to_pylist()
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found


def names(namespace):
    return [name[-1] for name in catalog().list_tables(namespace)]


def tagged(name):
    table = catalog().load_table(name)
    refs = {tag: ref.snapshot_id for tag, ref in table.metadata.refs.items() if tag != "main"}
    return {tag: table.scan(snapshot_id=at).to_arrow().num_rows for tag, at in refs.items()}


def trespass(name):
    table = catalog().load_table(name)
    table.append(table.scan().to_arrow())


ways = {"tag": tag, "read": read, "names": names, "tagged": tagged, "trespass": trespass}


def handle(question):
    if "action" in question:
        return perform(question["action"])
    return ways[question["way"]](*question["arguments"])


serve(handle)
