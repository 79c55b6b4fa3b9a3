# What analysts do with psycopg and SQLAlchemy; prints what they see as one JSON document.
import datetime
import decimal
import json
import sys

import psycopg
from sqlalchemy import MetaData, Row, Table, create_engine, func, inspect, select, text

port, password = sys.argv[1], sys.argv[2]
seen = {}


def plain(value):
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, Row)):
        return [plain(v) for v in value]
    return value if isinstance(value, (int, float, bool, str)) or value is None else str(value)


engine = create_engine(f"postgresql+psycopg://ada:{password}@127.0.0.1:{port}/shop")
found = inspect(engine)
seen["schemas"] = found.get_schema_names()
seen["tables"] = found.get_table_names()
seen["silver"] = found.get_table_names(schema="silver")
seen["views"] = found.get_view_names(schema="gold")
seen["columns"] = [(c["name"], c["type"], c["nullable"], c["comment"]) for c in found.get_columns("orders", schema="silver")]
seen["comment"] = found.get_table_comment("orders", schema="silver")["text"]
seen["keys"] = [
    found.get_pk_constraint("orders", schema="silver")["constrained_columns"],
    found.get_foreign_keys("orders", schema="silver"),
    found.get_indexes("orders", schema="silver"),
    found.get_unique_constraints("orders", schema="silver"),
    found.get_check_constraints("orders", schema="silver"),
]
seen["has"] = [found.has_table("daily"), found.has_table("nope"), found.has_table("orders", schema="silver")]

orders = Table("orders", MetaData(), schema="silver", autoload_with=engine)
with engine.connect() as connection:
    query = select(orders.c.id, orders.c.amount, orders.c.ordered_on, orders.c.paid_at).where(
        orders.c.amount >= decimal.Decimal("0.05"),
        orders.c.ordered_on >= datetime.date(1990, 1, 1),
        orders.c.id.in_([1, 2, 3]),
    )
    seen["rows"] = connection.execute(query.order_by(orders.c.id)).all()
    seen["total"] = connection.scalar(select(func.sum(orders.c.amount)))
    seen["unqualified"] = connection.scalar(text("SELECT count(*) FROM daily"))
    seen["page"] = connection.execute(select(orders.c.id).order_by(orders.c.id).limit(1).offset(1)).all()
    seen["described"] = [c.name for c in connection.execute(text("SELECT * FROM gold.daily LIMIT 0")).cursor.description]

with engine.connect() as connection:
    streamed = connection.execution_options(stream_results=True, max_row_buffer=10)
    seen["chunks"] = [len(part) for part in streamed.execute(text("SELECT * FROM range(25)")).partitions(10)]

with psycopg.connect(host="127.0.0.1", port=port, user="ada", password=password, dbname="shop") as connection:
    binary = connection.cursor(binary=True)
    binary.execute(
        "SELECT 1.50::decimal(5, 2), date '2020-02-29', timestamptz '1999-12-31 23:59:59+00', time '12:00:00.5',"
        " interval '14 months 3 days', ['a', NULL], 'ab'::blob, true, uuid 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',"
        " {a: [1, 2]}, 170141183460469231731687303715884105727::hugeint"
    )
    seen["binary"] = binary.fetchone()
    seen["streamed"] = [row[0] for row in connection.cursor().stream("SELECT range FROM range(5)")]
    with connection.cursor().copy("COPY (SELECT id, note FROM silver.orders ORDER BY id) TO STDOUT") as copy:
        seen["copied"] = [tuple(row) for row in copy.rows()]
    prepared = [connection.execute("SELECT id FROM silver.orders WHERE id = %s", (i,), prepare=True).fetchall() for i in (1, 2, 9)]
    seen["prepared"] = prepared
    for cursor in (connection.cursor("named"), connection.cursor("binary", binary=True)):
        cursor.execute("SELECT range, range::decimal(9, 2) FROM range(%s)", (25,))
        seen.setdefault("cursors", []).append([cursor.fetchmany(2), len(cursor.fetchall()), cursor.fetchone()])
        cursor.close()
    connection.commit()
    with connection.pipeline():
        first, second = connection.execute("SELECT 1"), connection.execute("SELECT %s::int + 1", (1,))
        seen["pipeline"] = [first.fetchone(), second.fetchone()]
    try:
        connection.execute("SELECT nope FROM silver.orders")
    except psycopg.errors.UndefinedColumn as error:
        seen["error"] = [error.sqlstate, error.diag.statement_position]
    connection.rollback()
    try:
        connection.execute("DELETE FROM silver.orders")
    except psycopg.errors.ReadOnlySqlTransaction as error:
        seen["write"] = error.sqlstate

print(json.dumps(plain(seen), ensure_ascii=False))
