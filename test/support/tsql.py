"""Says which statements are no T-SQL to sqlglot: JSON with a list of texts comes and goes."""

import json
import logging
import sys

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError

logging.disable(logging.CRITICAL)


def problem(sql):
    try:
        trees = sqlglot.parse(sql, read="tsql", error_level=ErrorLevel.RAISE)
    except ParseError as error:
        return str(error)
    unknown = [tree for tree in trees if tree is None or tree.find(exp.Command)]
    return "not understood" if unknown or not trees else None


print(json.dumps([problem(sql) for sql in json.load(sys.stdin)]))
