"""Works with tables that lake.ts defines, as Spark does, and prints what it saw as JSON.

usage: managed_spark.py JAR URL TOKEN
"""
import json
import sys

from spark_session import session

jar, url, token = sys.argv[1:]
spark = session(jar, type="rest", uri=url, token=token)
spark.sparkContext.setLogLevel("OFF")


def first(sql):
    return spark.sql(sql).collect()[0].asDict()


def refusal(sql):
    try:
        spark.sql(sql).collect()
    except Exception as error:
        # What the user sees: the message, before the places in Java's code.
        return str(error).split("\n\tat ")[0]
    return None


seen = {}
spark.sql("ALTER TABLE lake.silver.orders CREATE TAG month")
seen["before"] = spark.sql("SELECT count(*) FROM lake.silver.orders.files").collect()[0][0]
seen["rewritten"] = first(
    "CALL lake.system.rewrite_data_files(table => 'silver.orders', options => map('rewrite-all', 'true'))"
)["rewritten_data_files_count"]
seen["manifests"] = first("CALL lake.system.rewrite_manifests('silver.orders')")["rewritten_manifests_count"]
seen["statistics"] = first("CALL lake.system.compute_table_stats('silver.orders')")["statistics_file"]
seen["rows"] = spark.sql("SELECT count(*) FROM lake.silver.orders").collect()[0][0]
seen["tagged"] = spark.sql("SELECT count(*) FROM lake.silver.orders VERSION AS OF 'month'").collect()[0][0]

spark.sql(
    """MERGE INTO lake.silver.visits AS v
    USING (SELECT * FROM VALUES (1, 'seen'), (9, 'new') AS s (id, note)) AS s ON v.id = s.id
    WHEN MATCHED THEN UPDATE SET v.note = s.note
    WHEN NOT MATCHED THEN INSERT (id, note) VALUES (s.id, s.note)"""
)
spark.sql("DELETE FROM lake.silver.visits WHERE id = 2")
spark.sql("UPDATE lake.silver.visits SET note = 'changed' WHERE id = 3")
spark.sql("INSERT INTO lake.silver.visits (id, note) VALUES (10, 'inserted')")
seen["visits"] = [list(row) for row in spark.sql("SELECT id, note FROM lake.silver.visits ORDER BY id").collect()]

snapshot = spark.sql("SELECT snapshot_id FROM lake.silver.orders.snapshots ORDER BY committed_at").collect()[0][0]
seen["refused"] = {
    name: refusal(sql)
    for name, sql in {
        "insert": "INSERT INTO lake.silver.orders (id) VALUES (100)",
        "delete": "DELETE FROM lake.silver.orders WHERE id = 20",
        "update": "UPDATE lake.silver.orders SET id = 200 WHERE id = 21",
        "column": "ALTER TABLE lake.silver.orders ADD COLUMN more int",
        "partition": "ALTER TABLE lake.silver.orders ADD PARTITION FIELD bucket(4, id)",
        "order": "ALTER TABLE lake.silver.orders WRITE ORDERED BY id",
        "property": "ALTER TABLE lake.silver.orders SET TBLPROPERTIES ('gc.enabled' = 'true')",
        "format": "ALTER TABLE lake.silver.orders SET TBLPROPERTIES ('format-version' = '3')",
        "branch": "ALTER TABLE lake.silver.orders CREATE BRANCH dev",
        "expire": f"CALL lake.system.expire_snapshots(table => 'silver.orders', snapshot_ids => ARRAY({snapshot}))",
        "orphans": "CALL lake.system.remove_orphan_files(table => 'silver.orders')",
        "back": f"CALL lake.system.rollback_to_snapshot('silver.orders', {snapshot})",
        "drop": "DROP TABLE lake.silver.orders",
        "purge": "DROP TABLE lake.silver.orders PURGE",
        "rename": "ALTER TABLE lake.silver.orders RENAME TO lake.silver.sales",
        "create": "CREATE TABLE lake.silver.mine (id int)",
        "visits column": "ALTER TABLE lake.silver.visits ADD COLUMN more int",
    }.items()
}
print(json.dumps(seen))
