"""The work of by-hand.mjs with PySpark: text to Parquet to typed tables to reports. Arguments: the folder of the files, and of the tables."""

import json
import os
import re
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

data, out = sys.argv[1:3]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "by-hand.json")) as file:
    contract = json.load(file)

spark = (
    SparkSession.builder.master("local[2]")
    .appName("lake")
    .config("spark.driver.memory", "8g")
    .config("spark.sql.shuffle.partitions", "4")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.local.dir", os.path.join(out, ".tmp"))
    .config("spark.sql.parquet.compression.codec", "snappy")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")

for table in contract["tables"]:
    schema = StructType([StructField(name, StringType(), True) for name, _ in table["columns"]])
    reader = spark.read.schema(schema).option("delimiter", "|").option("quote", "")
    rows = reader.option("nullValue", "").option("emptyValue", "").csv(f"{data}/{table['name']}.dat")
    rows.write.mode("overwrite").parquet(f"{out}/bronze/{table['name']}")

types = {"VARCHAR": "string", "INTEGER": "int"}
for table in sorted(contract["tables"], key=lambda t: "date" in t):
    casts = [F.col(name).cast(types.get(kind, kind.lower())).alias(name) for name, kind in table["columns"]]
    rows = spark.read.parquet(f"{out}/bronze/{table['name']}").select(*casts)
    rows = rows.dropna(subset=table["key"]).dropDuplicates(table["key"])
    rows = rows.withColumn("load_timestamp", F.current_timestamp())
    target = f"{out}/silver/{table['name']}"
    if "date" in table:
        days = spark.read.parquet(f"{out}/silver/date_dim").select("d_date_sk", F.col("d_year").alias("year"))
        rows = rows.join(F.broadcast(days), rows[table["date"]] == days.d_date_sk, "left").drop("d_date_sk")
        rows.write.mode("overwrite").partitionBy("year").parquet(target)
    else:
        rows.write.mode("overwrite").parquet(target)

for gold in contract["gold"]:
    for name in set(re.findall(r"\{(\w+)\}", gold["query"])):
        spark.read.parquet(f"{out}/silver/{name}").createOrReplaceTempView(name)
    writer = spark.sql(re.sub(r"\{(\w+)\}", r"\1", gold["query"])).write.mode("overwrite")
    if gold.get("partition"):
        writer = writer.partitionBy(gold["partition"])
    writer.parquet(f"{out}/gold/{gold['name']}")
spark.stop()
