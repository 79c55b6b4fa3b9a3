"""What PostgreSQL's COPY and MariaDB's INTO OUTFILE write, read again by COPY FROM and LOAD DATA.

Needs psql with PGHOST, PGPORT, PGUSER set, and mariadb with MARIADB_SOCKET; both servers must run on this machine.
"""

import json
import os
import subprocess
from pathlib import Path

from corpus import Group

TABLE = """CREATE TABLE {name} (id int, big bigint, code varchar(10), note text, price decimal(12,2), ratio double precision, {bool}, day date, at {time})"""
KINDS = {"id": "int", "big": "int", "code": "text", "note": "text", "price": "decimal", "ratio": "double", "ok": "boolean", "day": "date", "at": "timestamp"}
# MariaDB has no booleans: they are 1 and 0.
OUT = {**KINDS, "ok": "int"}
ROWS = [
    (1, 9223372036854775807, "007", 'said "hi"', "12.50", 0.1, True, "2024-02-29", "2025-01-01 10:00:00.123456"),
    (2, None, "012", "two\nlines", "-0.05", 1e300, False, "1969-07-20", "2025-03-30 02:30:00"),
    (3, -1, None, "a, b; c\td|e", None, None, None, None, None),
    (4, 0, "", "C:\\temp\\new", "1.00", -2.5e-09, True, "2025-12-31", "2025-12-31 23:59:59"),
    (5, 5, "NULL", "it's Zoë 🚚", "99999.99", 2.0, False, "0001-01-01", "1970-01-01 00:00:00"),
]


def literal(value, backslashes):
    if value is None:
        return "NULL"
    if isinstance(value, (int, float)):
        return str(value)
    text = value.replace("'", "''")
    return "'" + (text.replace("\\", "\\\\") if backslashes else text) + "'"


def inserts(name, backslashes):
    rows = ",".join("(" + ",".join(literal(v, backslashes) for v in row) + ")" for row in ROWS)
    return f"INSERT INTO {name} VALUES {rows};"


def postgres():
    version = psql("SHOW server_version").strip().split(" ")[0]
    g = Group("postgres", f"PostgreSQL {version}")
    psql("DROP TABLE IF EXISTS sales; DROP TABLE IF EXISTS back;")
    psql(TABLE.format(name="sales", bool="ok boolean", time="timestamp") + ";" + inserts("sales", False))

    def read(path, options):
        psql(f"DROP TABLE IF EXISTS back; CREATE TABLE back (LIKE sales); COPY back FROM STDIN {options}", path.read_bytes())
        text = psql("SELECT json_agg(json_build_array(id::text, big::text, code, note, price::text, ratio::text, ok::text, day::text, at::text) ORDER BY id) FROM back")
        return json.loads(text)

    def copy(case, file, options, names=True):
        path = g.place(case, file)
        path.write_bytes(psql(f"COPY sales TO STDOUT {options}", raw=True))
        g.expect(case, KINDS, read(path, options.replace(", FORCE_QUOTE *", "")), f"COPY {options}", names=names)

    copy("copy_text", "sales.txt", "", names=False)
    copy("copy_csv", "sales.csv", "(FORMAT csv)", names=False)
    copy("copy_header", "sales.csv", "(FORMAT csv, HEADER)")
    copy("copy_text_header", "sales.tsv", "(HEADER)")
    copy("copy_quoted", "sales.csv", "(FORMAT csv, HEADER, FORCE_QUOTE *)")
    copy("copy_semicolons", "sales.csv", "(FORMAT csv, HEADER, DELIMITER ';', NULL '\\N')")
    copy("copy_pipes", "sales.txt", "(FORMAT csv, HEADER, DELIMITER '|')")
    path = g.place("row_to_json", "sales.jsonl")
    path.write_bytes(psql("SELECT row_to_json(sales) FROM sales WHERE id <> 2", raw=True))
    rows = [row for row in read(g.place("copy_header", "sales.csv"), "(FORMAT csv, HEADER)") if row[0] != "2"]
    g.expect("row_to_json", KINDS, rows, "row_to_json")
    g.close()


def psql(sql, given=None, raw=False):
    out = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql] if given is None else
                         ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *[x for part in sql.split("; ") for x in ("-c", part)]],
                         input=given, capture_output=True, check=True, env={**os.environ, "PGCLIENTENCODING": "UTF8"}).stdout
    return out if raw else out.decode()


def mariadb():
    version = sql("SELECT version()").decode().split("-")[0]
    g = Group("mariadb", f"MariaDB {version}")
    sql("DROP DATABASE IF EXISTS corpus; CREATE DATABASE corpus CHARACTER SET utf8mb4; USE corpus; SET NAMES utf8mb4; SET sql_mode='';" +
        TABLE.format(name="sales", bool="ok boolean", time="datetime(6)") + ";" + inserts("sales", True))

    def read(path, options):
        sql(f"USE corpus; DROP TABLE IF EXISTS back; CREATE TABLE back LIKE sales; LOAD DATA LOCAL INFILE '{path}' INTO TABLE back CHARACTER SET utf8mb4 {options}")
        names = ", ".join(f"CAST({name} AS CHAR)" for name in KINDS)
        return [json.loads(row) for row in sql(f"USE corpus; SELECT JSON_ARRAY({names}) FROM back ORDER BY id", "--raw").decode().splitlines()]

    def outfile(case, file, options):
        path = g.place(case, file)
        target = Path(os.environ["MARIADB_OUT"]) / f"{case}.out"
        target.unlink(missing_ok=True)
        sql(f"USE corpus; SELECT * INTO OUTFILE '{target}' CHARACTER SET utf8mb4 {options} FROM sales")
        path.write_bytes(target.read_bytes())
        g.expect(case, OUT, read(path, options), f"INTO OUTFILE {options}; LOAD DATA", names=False)

    outfile("outfile", "sales.txt", "")
    outfile("outfile_csv", "sales.csv", "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"'")
    outfile("outfile_semicolons", "sales.csv", "FIELDS TERMINATED BY ';' ENCLOSED BY '\"' LINES TERMINATED BY '\\r\\n'")
    rows = read(g.place("outfile", "sales.txt"), "")
    path = g.place("batch", "sales.tsv")
    # Of the client's output a text NULL can't be told from NULL.
    path.write_bytes(sql("USE corpus; SELECT * FROM sales WHERE id < 5", "--batch", names=True))
    g.expect("batch", OUT, rows[:4], "mariadb --batch; the values are those of LOAD DATA")
    path = g.place("xml", "sales.xml")
    path.write_bytes(sql("USE corpus; SELECT * FROM sales", "--xml", names=True))
    g.expect("xml", OUT, rows, "mariadb --xml; the values are those of LOAD DATA")
    g.close()


def sql(text, *options, names=False):
    command = ["mariadb", "--no-defaults", f"--socket={os.environ['MARIADB_SOCKET']}", "-uroot", "--local-infile=1", "--default-character-set=utf8mb4",
               *([] if names else ["--skip-column-names"]), *options, "-e", text]
    return subprocess.run(command, capture_output=True, check=True).stdout


postgres()
mariadb()
