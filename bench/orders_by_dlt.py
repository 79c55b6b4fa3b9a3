"""Loads the table of orders with dlt into Parquet files: orders_by_dlt.py BACKEND PORT FOLDER"""

import os
import shutil
import sys

backend, port, folder = sys.argv[1:4]
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
os.environ.update(DLT_DATA_DIR=f"{folder}/data", RUNTIME__DLTHUB_TELEMETRY="false")

import dlt  # noqa: E402
from dlt.sources.sql_database import sql_table  # noqa: E402

orders = sql_table(
    credentials=f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres",
    table="orders",
    schema="public",
    backend=backend,
    chunk_size=100_000,
)
pipeline = dlt.pipeline(
    "orders",
    destination=dlt.destinations.filesystem(bucket_url=f"file://{folder}/lake"),
    dataset_name="raw",
    pipelines_dir=f"{folder}/pipelines",
)
done = pipeline.run(orders, loader_file_format="parquet", write_disposition="replace")
sys.exit(done.has_failed_jobs)
