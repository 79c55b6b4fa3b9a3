"""Reads tables through Glue's catalog with Spark; prints their rows as JSON.

usage: glue_spark.py JARS ENDPOINT DATABASE.TABLE…
"""
import json
import sys

from pyspark.sql import SparkSession

jars, endpoint, *names = sys.argv[1:]
settings = {
    "spark.jars": jars,
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.lake.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
    "spark.sql.catalog.lake.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    "spark.sql.catalog.lake.warehouse": "s3://lakes/none",
    "spark.sql.catalog.lake.glue.endpoint": endpoint,
    "spark.sql.catalog.lake.s3.endpoint": endpoint,
    "spark.sql.catalog.lake.s3.path-style-access": "true",
    "spark.sql.catalog.lake.client.region": "us-east-1",
}
builder = SparkSession.builder.master("local[2]")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
read = {
    name: [row.asDict(True) for row in spark.table(f"lake.{name}").collect()] for name in names
}
print(json.dumps(read, default=str))
spark.stop()
