"""A Spark session that runs a statement a line and answers with a line of JSON.

usage: run_spark.py JARS PROPERTIES.json; a statement is {"sql"}, an answer {"columns", "rows"} or {"error"}.
"""
import json
import os
import sys
import time

os.environ["TZ"] = "UTC"
time.tzset()
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from pyspark.sql import SparkSession

from values import plain

jars, properties = sys.argv[1], json.load(open(sys.argv[2]))
builder = SparkSession.builder.master("local[2]").config("spark.jars", jars)
settings = {
    "spark.driver.memory": "1g",
    # It lives for a few minutes: code that is compiled in haste pays off sooner.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    **properties,
}
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("OFF")
print(json.dumps({"columns": [], "rows": []}), flush=True)

for line in sys.stdin:
    try:
        frame = spark.sql(json.loads(line)["sql"])
        columns = [[field.name, field.dataType.simpleString()] for field in frame.schema.fields]
        moments = [kind == "timestamp" for _, kind in columns]
        rows = [
            [plain(value) + "Z" if moment and value is not None else plain(value) for value, moment in zip(row, moments)]
            for row in frame.collect()
        ]
        answer = {"columns": columns, "rows": rows}
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
