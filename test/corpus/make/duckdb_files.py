"""What DuckDB writes, and reads again. Needs duckdb and pyarrow."""

import duckdb
from corpus import Group

g = Group("duckdb", f"DuckDB {duckdb.__version__}")
db = duckdb.connect()
db.sql("SET TimeZone = 'UTC'")
db.sql("""CREATE TABLE sales AS SELECT * FROM (VALUES
  (1, 9223372036854775807::BIGINT, '007', 'said "hi"', 12.50::DECIMAL(12,2), 0.1::DOUBLE, true, DATE '2024-02-29', TIMESTAMP '2025-01-01 10:00:00.123456', TIMESTAMPTZ '2025-01-01 10:00:00+02'),
  (2, NULL, '012', E'two\nlines', -0.05, 1e300, false, DATE '1969-07-20', TIMESTAMP '2025-03-30 02:30:00', TIMESTAMPTZ '2025-03-30 02:30:00Z'),
  (3, -1, NULL, 'a,b;c|d', NULL, NULL, NULL, NULL, NULL, NULL)
) v(id, big, code, note, price, ratio, ok, day, "at", moment)""")
kinds = {"id": "int", "big": "int", "code": "text", "note": "text", "price": "decimal", "ratio": "double", "ok": "boolean",
         "day": "date", "at": "timestamp", "moment": "timestamptz"}
types = {r[0]: r[1] for r in db.sql("DESCRIBE sales").fetchall()}
struct = "{" + ", ".join(f"'{n}': '{t}'" for n, t in types.items()) + "}"


def copy(case, file, options, read):
    path = g.place(case, file)
    db.sql(f"COPY sales TO '{path}' ({options})")
    rows = db.sql(f"SELECT * FROM {read.format(path=path, types=struct)}").fetchall()
    g.expect(case, kinds, rows, f"COPY … ({options}); {read.split('(')[0]}")


copy("csv", "sales.csv", "HEADER", "read_csv('{path}', header=true, columns={types})")
copy("tabs", "sales.tsv", "HEADER, DELIMITER '\t'", "read_csv('{path}', header=true, delim='\t', columns={types})")
copy("semicolons", "sales.csv", "HEADER, DELIMITER ';'", "read_csv('{path}', header=true, delim=';', columns={types})")
copy("zstd", "sales.csv.zst", "HEADER, COMPRESSION zstd", "read_csv('{path}', header=true, columns={types})")
copy("json_lines", "sales.json", "FORMAT json", "read_json('{path}', columns={types})")
copy("json_array", "sales.json", "FORMAT json, ARRAY true", "read_json('{path}', columns={types})")
copy("parquet", "sales.parquet", "FORMAT parquet, COMPRESSION zstd", "read_parquet('{path}')")
copy("parquet_v2", "sales.parquet", "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION lz4", "read_parquet('{path}')")

db.sql("""CREATE TABLE odd AS SELECT * FROM (VALUES
  (1::HUGEINT, 255::UTINYINT, 18446744073709551615::UBIGINT, '3f06af63-a93c-11e4-9797-00505690773f'::UUID, TIME '10:30:00.5', TIMESTAMP_S '2025-01-01 10:00:00', TIMESTAMP_MS '2025-01-01 10:00:00.5', '\\x00\\xFF'::BLOB, 'red'::ENUM('red','blue'), [1, NULL, 3], {'a': 1, 'b': 'x'}, '{"k": [1, 2.50]}'::JSON, 0.5::FLOAT),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (-7, 0, 0, 'ffffffff-a93c-11e4-9797-00505690773f', TIME '23:59:59.999999', TIMESTAMP_S '1969-12-31 23:59:59', TIMESTAMP_MS '1969-12-31 23:59:59.999', 'abc', 'blue', [], {'a': NULL, 'b': 'y'}, '"text"', -2.25)
) v(huge, tiny, u64, uid, hour, sec, ms, raw, color, list, thing, doc, f32)""")
path = g.place("parquet_odd", "odd.parquet")
db.sql(f"COPY (SELECT * EXCLUDE huge FROM odd) TO '{path}' (FORMAT parquet)")
odd = {"tiny": "int", "u64": "int", "uid": "text", "hour": "time", "sec": "timestamp", "ms": "timestamp", "raw": "binary", "color": "text",
       "list": "json", "thing": "json", "doc": "json", "f32": "double"}
import json

rows = [list(r) for r in db.sql(f"SELECT * FROM read_parquet('{path}')").fetchall()]
for r in rows:
    r[10] = r[10] and json.loads(r[10])
g.expect("parquet_odd", odd, rows, "read_parquet")

db.sql(f"COPY (SELECT id, code, price, year(coalesce(sales.at, DATE '2020-01-01')) AS year, note AS remark FROM sales WHERE id < 3 UNION ALL SELECT 4, 'x', 1.00, 2024, NULL) TO '{g.place('hive', 'facts')}' (FORMAT csv, HEADER, PARTITION_BY (year))")
rows = db.sql(f"SELECT id, code, price, remark, year FROM read_csv('{g.place('hive')}/facts/*/*.csv', hive_partitioning=true, hive_types_autocast=true, header=true, types={{'code': 'VARCHAR', 'price': 'DECIMAL(12,2)', 'remark': 'VARCHAR'}})").fetchall()
g.expect("hive", {"id": "int", "code": "text", "price": "decimal", "remark": "text", "year": "int"}, rows, "COPY … (PARTITION_BY (year)); read_csv(hive_partitioning)")

path = g.place("pivoted", "wide.csv")
db.sql(f"COPY (SELECT id, {', '.join(f'id * {i} AS m{i:02}' for i in range(40))} FROM sales) TO '{path}' (HEADER)")
g.expect("pivoted", {"id": "int", **{f"m{i:02}": "int" for i in range(40)}}, db.sql(f"SELECT * FROM '{path}'").fetchall(), "read_csv")
g.close()
