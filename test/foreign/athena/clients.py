"""What clients of Athena do, each step as a user would: prints a line of JSON for each."""

import json
import subprocess
import sys
import traceback
from decimal import Decimal

import boto3
import pandas as pd
import awswrangler as wr
from pyathena import connect
from pyathena.arrow.cursor import ArrowCursor
from pyathena.cursor import DictCursor
from pyathena.pandas.cursor import PandasCursor
from sqlalchemy import create_engine, inspect, text

OUT = "s3://my-company-athena/results/"
STEPS = {}


def step(function):
    STEPS[function.__name__] = function
    return function


def plain(**more):
    return connect(s3_staging_dir=OUT, region_name="us-east-1", schema_name="silver", **more)


def rows(sql, *args, **more):
    cursor = plain().cursor()
    cursor.execute(sql, *args, **more)
    return cursor.fetchall()


def same(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


@step
def pyathena_select():
    found = rows("SELECT eventid, name, starts FROM events WHERE eventid < 2 ORDER BY 1")
    same([row[:2] for row in found], [(0, 'Event 0, "live"'), (1, 'Event 1, "live"')])
    assert found[0][2].isoformat() == "2026-01-15T19:30:00"


@step
def pyathena_pyformat():
    same(rows("SELECT count(*) FROM sales WHERE buyer = %(buyer)s AND qty > %(least)d", {"buyer": "it's", "least": 3}), [(0,)])
    same(rows("SELECT count(*) FROM sales WHERE eventid = %(id)d", {"id": 3}), [(125,)])


@step
def pyathena_qmark():
    same(rows("SELECT count(*) FROM sales WHERE eventid = ? AND buyer <> ?", ["3", "'x'"], paramstyle="qmark"), [(125,)])


@step
def pyathena_nulls_and_types():
    found = rows("SELECT CAST(NULL AS varchar), '', DECIMAL '1.50', true, DATE '2026-01-31', ARRAY[1, 2], CAST(2 AS double), category FROM events WHERE eventid = 0")
    same(found[0][:5], (None, "", Decimal("1.50"), True, __import__("datetime").date(2026, 1, 31)))
    same(found[0][6:], (2.0, None))


@step
def pyathena_trino_functions():
    found = rows(
        "SELECT date_format(TIMESTAMP '2026-01-31 10:20:30', '%Y/%m/%d'), approx_distinct(eventid) > 18,"
        " element_at(split('a-b', '-'), 2), date_add('day', 1, DATE '2026-01-31') FROM sales"
    )
    same(found[0][:3], ("2026/01/31", True, "b"))


@step
def pyathena_offset_before_limit():
    same(rows("SELECT eventid FROM events ORDER BY eventid OFFSET 2 LIMIT 2"), [(2,), (3,)])


@step
def pyathena_show_and_describe():
    same([one for (one,) in rows("SHOW DATABASES")][:3], ["bronze", "gold", "silver"])
    same(rows("SHOW TABLES"), [("events",), ("sales",)])
    same([row[0].strip() for row in rows("DESCRIBE events")], ["eventid", "name", "category", "starts", "_loaded_at", "_batch"])
    assert "CREATE TABLE" in rows("SHOW CREATE TABLE silver.events")[0][0]


@step
def pyathena_explain():
    assert len(rows("EXPLAIN SELECT * FROM sales")) > 0


@step
def pyathena_information_schema():
    found = rows("SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'silver' AND table_name = 'sales' ORDER BY ordinal_position")
    same(found[:2], [("salesid", "bigint"), ("eventid", "integer")])


@step
def pyathena_dict_cursor():
    cursor = plain(cursor_class=DictCursor).cursor()
    same(cursor.execute("SELECT eventid AS id, name FROM events WHERE eventid = 1").fetchone(), {"id": 1, "name": 'Event 1, "live"'})


@step
def pyathena_pandas_cursor():
    frame = plain(cursor_class=PandasCursor).cursor().execute("SELECT * FROM sales ORDER BY salesid").as_pandas()
    same((len(frame), list(frame.columns)[:6]), (2500, ["salesid", "eventid", "buyer", "qty", "price", "day"]))
    same(int(frame["qty"].sum()), rows("SELECT sum(qty) FROM sales")[0][0])


@step
def pyathena_pandas_unload():
    cursor = plain(cursor_class=PandasCursor).cursor(unload=True)
    frame = cursor.execute("SELECT salesid, price FROM sales").as_pandas()
    same(len(frame), 2500)


@step
def pyathena_arrow_cursor():
    # pyarrow's own client of S3 is not led by AWS_ENDPOINT_URL: managed results need none.
    managed = connect(work_group="managed", region_name="us-east-1", schema_name="silver", cursor_class=ArrowCursor)
    table = managed.cursor().execute("SELECT salesid, qty FROM sales").as_arrow()
    same((table.num_rows, table.column_names), (2500, ["salesid", "qty"]))


@step
def managed_results():
    managed = connect(work_group="managed", region_name="us-east-1", schema_name="silver")
    cursor = managed.cursor()
    cursor.execute("SELECT count(*) FROM sales")
    same((cursor.fetchall(), cursor.output_location), ([(2500,)], None))
    frame = wr.athena.read_sql_query("SELECT * FROM sales WHERE eventid = 3", database="silver", ctas_approach=False, workgroup="managed")
    same(len(frame), 125)


@step
def pyathena_pages_of_rows():
    cursor = plain().cursor(arraysize=700)
    cursor.execute("SELECT salesid FROM sales ORDER BY salesid")
    same([one for (one,) in cursor.fetchall()], list(range(2500)))


@step
def pyathena_errors():
    try:
        rows("SELECT prize FROM sales")
        raise AssertionError("no error")
    except Exception as error:
        assert "COLUMN_NOT_FOUND: line 1:8: Column 'prize' cannot be resolved" in str(error), error


@step
def sqlalchemy_inspects_and_asks():
    engine = create_engine("awsathena+rest://@athena.us-east-1.amazonaws.com:443/silver", connect_args={"s3_staging_dir": OUT, "region_name": "us-east-1"})
    seen = inspect(engine)
    assert "silver" in seen.get_schema_names()
    same(sorted(seen.get_table_names("silver")), ["events", "sales"])
    same([one["name"] for one in seen.get_columns("events", "silver")], ["eventid", "name", "category", "starts", "_loaded_at", "_batch"])
    with engine.connect() as connection:
        found = connection.execute(text("SELECT count(*) FROM silver.sales WHERE eventid = :id"), {"id": 3}).scalar()
        same(found, 125)


@step
def wrangler_plain():
    frame = wr.athena.read_sql_query("SELECT * FROM sales WHERE eventid = 3", database="silver", ctas_approach=False, s3_output=OUT)
    same((len(frame), str(frame["price"].dtype), frame["salesid"].min()), (125, "object", 3))


@step
def wrangler_ctas():
    wr.catalog.create_database("scratch", exist_ok=True)
    frame = wr.athena.read_sql_query("SELECT salesid, price, day FROM sales WHERE eventid = 3", database="silver", ctas_approach=True, ctas_parameters={"database": "scratch"}, s3_output=OUT)
    same(len(frame), 125)
    same([one["Name"] for one in wr.catalog.get_tables(database="scratch")], [])


@step
def wrangler_unload():
    frame = wr.athena.read_sql_query("SELECT salesid, price FROM sales WHERE eventid = 3", database="silver", ctas_approach=False, unload_approach=True, s3_output="s3://my-company-athena/unloaded/")
    same(len(frame), 125)


@step
def wrangler_cache():
    ask = lambda: wr.athena.read_sql_query("SELECT count(*) AS n FROM sales", database="silver", ctas_approach=False, s3_output=OUT, athena_cache_settings={"max_cache_seconds": 900})
    same([int(ask()["n"].iloc[0]) for _ in range(2)], [2500, 2500])


@step
def wrangler_catalog():
    same(wr.catalog.does_table_exist(database="silver", table="sales"), True)
    same(wr.catalog.get_table_types(database="gold", table="daily"), {"day": "date", "revenue": "decimal(38,2)"})
    same(sorted(wr.catalog.databases()["Database"])[:2], ["bronze", "gold"])


@step
def wrangler_parameters_and_prepared():
    frame = wr.athena.read_sql_query("SELECT count(*) AS n FROM sales WHERE buyer = :buyer", params={"buyer": "buyer3@example.com"}, database="silver", ctas_approach=False, s3_output=OUT)
    assert int(frame["n"].iloc[0]) > 0
    wr.athena.create_prepared_statement(sql="SELECT count(*) AS n FROM sales WHERE eventid = ?", statement_name="by_event")
    frame = wr.athena.read_sql_query("EXECUTE by_event", params=["3"], paramstyle="qmark", database="silver", ctas_approach=False, s3_output=OUT)
    same(int(frame["n"].iloc[0]), 125)


@step
def boto3_iceberg_create_and_insert():
    athena = boto3.client("athena")

    def run(sql):
        id = athena.start_query_execution(QueryString=sql, WorkGroup="primary", ResultConfiguration={"OutputLocation": OUT})["QueryExecutionId"]
        while True:
            status = athena.get_query_execution(QueryExecutionId=id)["QueryExecution"]["Status"]
            if status["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                assert status["State"] == "SUCCEEDED", status
                return athena.get_query_results(QueryExecutionId=id)["ResultSet"]["Rows"]

    run("CREATE SCHEMA IF NOT EXISTS scratch")
    run("CREATE TABLE scratch.iced WITH (table_type = 'ICEBERG', location = 's3://my-company-athena/iced/', is_external = false, partitioning = ARRAY['month(day)']) AS SELECT salesid, day, price FROM silver.sales WHERE eventid = 1")
    run("INSERT INTO scratch.iced VALUES (9999, DATE '2027-01-01', DECIMAL '1.25')")
    same([cell["VarCharValue"] for cell in run("SELECT count(*), max(day) FROM scratch.iced")[1]["Data"]], ["126", "2027-01-01"])
    run("DROP TABLE scratch.iced")


@step
def pyathena_iceberg_tables_changed():
    run = lambda sql: plain().cursor().execute(sql)
    run("CREATE SCHEMA IF NOT EXISTS scratch")
    run("CREATE TABLE scratch.stock (id bigint, item string, pieces int) PARTITIONED BY (bucket(4, id)) LOCATION 's3://my-company-athena/stock/' TBLPROPERTIES ('table_type'='ICEBERG')")
    run("INSERT INTO scratch.stock SELECT salesid, buyer, qty FROM silver.sales WHERE salesid < 400")
    truth = {id: (item, pieces) for id, item, pieces in rows("SELECT salesid, buyer, qty FROM silver.sales WHERE salesid < 400")}
    run("UPDATE scratch.stock SET pieces = pieces + 10, item = upper(item) WHERE id % 7 = 0")
    truth = {id: (item.upper(), pieces + 10) if id % 7 == 0 else (item, pieces) for id, (item, pieces) in truth.items()}
    run("DELETE FROM scratch.stock WHERE pieces = 2")
    truth = {id: row for id, row in truth.items() if row[1] != 2}
    run("MERGE INTO scratch.stock AS t USING (SELECT salesid AS id, 'merged' AS item, qty AS pieces FROM silver.sales WHERE salesid BETWEEN 300 AND 500) AS s ON (t.id = s.id)"
        " WHEN MATCHED AND s.pieces > 6 THEN DELETE WHEN MATCHED THEN UPDATE SET item = s.item WHEN NOT MATCHED THEN INSERT (id, item, pieces) VALUES (s.id, s.item, s.pieces)")
    for id in range(300, 501):
        pieces = id % 8 + 1
        if id not in truth:
            truth[id] = ("merged", pieces)
        elif pieces > 6:
            del truth[id]
        else:
            truth[id] = ("merged", truth[id][1])
    run("OPTIMIZE scratch.stock REWRITE DATA USING BIN_PACK WHERE id < 200")
    run("VACUUM scratch.stock")
    same({id: (item, pieces) for id, item, pieces in rows("SELECT * FROM scratch.stock")}, truth)
    run("ALTER TABLE scratch.stock ADD COLUMNS (place string)")
    frame = wr.athena.read_sql_query("SELECT * FROM stock", database="scratch", ctas_approach=False, s3_output=OUT)
    same((len(frame), list(frame.columns)), (len(truth), ["id", "item", "pieces", "place"]))
    try:
        run("MERGE INTO scratch.stock t USING (VALUES (2, 1), (2, 2)) s(id, pieces) ON t.id = s.id WHEN MATCHED THEN UPDATE SET pieces = s.pieces")
        raise AssertionError("no error")
    except Exception as error:
        assert "One MERGE target table row matched more than one source row" in str(error), error
    run("DROP TABLE scratch.stock")


@step
def boto3_client_tokens():
    athena = boto3.client("athena")
    ask = lambda: athena.start_query_execution(QueryString="SELECT 1 AS a", ClientRequestToken="t" * 40)
    same(ask()["QueryExecutionId"], ask()["QueryExecutionId"])
    try:
        athena.start_query_execution(QueryString="SELECT 2", ClientRequestToken="t" * 40)
        raise AssertionError("no error")
    except athena.exceptions.InvalidRequestException as error:
        assert "Idempotent parameters do not match" in str(error)


@step
def boto3_result_reuse():
    athena = boto3.client("athena")
    reuse = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 60}}
    id = athena.start_query_execution(QueryString="SELECT count(*) FROM silver.sales", ResultReuseConfiguration=reuse)["QueryExecutionId"]
    while athena.get_query_execution(QueryExecutionId=id)["QueryExecution"]["Status"]["State"] in ("QUEUED", "RUNNING"):
        pass
    athena.get_query_runtime_statistics(QueryExecutionId=id)
    same(athena.get_query_results(QueryExecutionId=id)["ResultSet"]["Rows"][1]["Data"][0]["VarCharValue"], "2500")


@step
def boto3_error_shapes():
    athena, glue = boto3.client("athena"), boto3.client("glue")
    for call, code in [
        (lambda: athena.get_work_group(WorkGroup="nope"), "InvalidRequestException"),
        (lambda: athena.get_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="silver", TableName="x"), "MetadataException"),
        (lambda: athena.get_prepared_statement(StatementName="x", WorkGroup="primary"), "ResourceNotFoundException"),
        (lambda: glue.get_table(DatabaseName="silver", Name="x"), "EntityNotFoundException"),
        (lambda: glue.delete_table(DatabaseName="silver", Name="sales"), "AccessDeniedException"),
        (lambda: athena.create_work_group(Name="w"), "UnknownOperationException"),
    ]:
        try:
            call()
            raise AssertionError(f"no {code}")
        except (athena.exceptions.ClientError, glue.exceptions.ClientError) as error:
            same(error.response["Error"]["Code"], code)


@step
def boto3_multipart_and_links():
    from urllib.error import HTTPError
    from urllib.request import urlopen

    s3 = boto3.client("s3")
    body = bytes(range(256)) * 40_000
    s3.upload_fileobj(__import__("io").BytesIO(body), "mine", "big.bin", Config=__import__("boto3.s3.transfer", fromlist=["TransferConfig"]).TransferConfig(multipart_threshold=5_000_000, multipart_chunksize=5_242_880))
    assert s3.get_object(Bucket="mine", Key="big.bin")["Body"].read() == body
    s3.copy_object(Bucket="mine", Key="copy.bin", CopySource={"Bucket": "mine", "Key": "big.bin"})
    signing = boto3.client("s3", config=boto3.session.Config(signature_version="s3v4"))
    link = signing.generate_presigned_url("get_object", Params={"Bucket": "mine", "Key": "copy.bin"}, ExpiresIn=60)
    assert urlopen(link).read() == body
    try:
        urlopen(link.replace("copy.bin", "big.bin"))
        raise AssertionError("no error")
    except HTTPError as error:
        same(error.code, 403)
    same(len(list(s3.get_paginator("list_objects").paginate(Bucket="mine"))), 1)
    s3.delete_object(Bucket="mine", Key="big.bin")


@step
def aws_cli():
    def aws(*args):
        done = subprocess.run([f"{sys.prefix}/bin/aws", *args], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    same(json.loads(aws("athena", "list-work-groups"))["WorkGroups"][0]["Name"], "usual")
    same(json.loads(aws("sts", "get-caller-identity"))["Account"], "000000000000")
    json.loads(aws("athena", "start-query-execution", "--query-string", "SELECT 1", "--result-configuration", f"OutputLocation={OUT}"))
    aws("s3", "cp", __file__, "s3://mine/clients.py")
    assert "clients.py" in aws("s3", "ls", "s3://mine/")
    aws("s3", "rm", "s3://mine/clients.py")


for name, function in STEPS.items():
    try:
        function()
        print(json.dumps({"step": name, "ok": True}), flush=True)
    except BaseException:
        print(json.dumps({"step": name, "ok": False, "why": traceback.format_exc()[-1500:]}), flush=True)
