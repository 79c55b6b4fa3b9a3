"""Writers of a storm: a Spark session that runs statements, several at once.

usage: storm_spark.py JAR THREADS PROPERTIES.json
"""
import json
import os
import sys

os.environ["TZ"] = "UTC"

from pyspark.sql import SparkSession

from lines import serve

jar, threads, properties = sys.argv[1:]
settings = {
    "spark.jars": jar,
    "spark.driver.memory": "768m",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    **json.load(open(properties)),
}
builder = SparkSession.builder.master("local[2]")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("OFF")


def handle(question):
    rows = [spark.sql(statement).collect() for statement in question["sql"]][-1]
    return [list(row) for row in rows] if question.get("reads") else None


serve(handle, int(threads))
