"""Works with a lake as two principals through PyIceberg, and prints what each saw as JSON.

usage: access_pyiceberg.py URL ANALYST_TOKEN ML_CREDENTIAL
"""
import json
import sys
import warnings

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog

warnings.simplefilter("ignore")
url, token, credential = sys.argv[1:]
analyst = RestCatalog("lake", uri=url, token=token)
ml = RestCatalog("lake", uri=url, credential=credential)


def refusal(act):
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def names(found):
    return [".".join(one) for one in found]


rows = pa.table({"id": pa.array([1, 2], pa.int64())})
ml.create_namespace("ml")
table = ml.create_table("ml.scores", schema=rows.schema)
table.append(rows)
table.append(rows)
hidden = ml.create_table("ml.hidden", schema=rows.schema)
orders = ml.load_table("silver.orders").scan().to_arrow()

print(
    json.dumps(
        {
            "ml": names(ml.list_namespaces()),
            "analyst": names(analyst.list_namespaces()),
            "tables": names(analyst.list_tables("ml")),
            "orders": orders.num_rows,
            "scores": analyst.load_table("ml.scores").scan().to_arrow().num_rows,
            "written": refusal(lambda: analyst.load_table("ml.scores").append(rows)),
            "created": refusal(lambda: analyst.create_namespace("mine")),
            "discarded": refusal(lambda: analyst.load_table("discarded.orders")),
            "gold": refusal(lambda: ml.load_table("gold.daily")),
            "moved": refusal(lambda: ml.rename_table("ml.hidden", "gold.hidden")),
            "dropped": refusal(lambda: ml.drop_table("silver.orders")),
            "wrong": refusal(lambda: RestCatalog("lake", uri=url, token="wrong")),
            "client": refusal(lambda: RestCatalog("lake", uri=url, credential="ml:wrong")),
        }
    )
)
