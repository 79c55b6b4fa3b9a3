"""How the programs beside this one start Apache Spark: with one Iceberg catalog, called `lake`."""
from pyspark.sql import SparkSession


def session(jar, **catalog):
    """catalog: its properties, without `spark.sql.catalog.lake.`"""
    builder = (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", jar)
        .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
        .config("spark.sql.catalog.lake", "org.apache.iceberg.spark.SparkCatalog")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
    )
    for name, value in catalog.items():
        builder = builder.config(f"spark.sql.catalog.lake.{name}", value)
    return builder.getOrCreate()
