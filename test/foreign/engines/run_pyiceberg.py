"""PyIceberg, which runs a piece of code a line and answers with a line of JSON.

usage: run_pyiceberg.py CATALOGS.json; that file has code that makes `catalog`, by the names of lakes. A question is
{"lake", "code"}: the value of its last expression is the answer.
"""
import ast
import contextlib
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from values import plain

rooms = {}
for lake, code in json.load(open(sys.argv[1])).items():
    rooms[lake] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, rooms[lake])
print(json.dumps({"value": None}), flush=True)


def run(room, code):
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "code", "exec"), room)
    return eval(compile(ast.Expression(last.value), "code", "eval"), room) if last else None


for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = {"value": plain(run(rooms[question["lake"]], question["code"]))}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=str), flush=True)
