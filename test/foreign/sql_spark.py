"""Runs SQL statements in Apache Spark over a lake's Iceberg REST catalog, which is called `lake`.

usage: sql_spark.py JAR URL TOKEN STATEMENT…
"""
import sys

from spark_session import session

jar, url, token, *statements = sys.argv[1:]
spark = session(jar, type="rest", uri=url, token=token)
for statement in statements:
    spark.sql(statement)
