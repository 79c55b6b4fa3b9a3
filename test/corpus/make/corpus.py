"""What the makers share: where a case lies, and how values of any program become plain text."""

import datetime as dt
import decimal
import json
import math
import pathlib
import shutil
import uuid

HERE = pathlib.Path(__file__).resolve().parent.parent


def canonical(value):
    """A value as text: decimals in full, times in ISO, moments in UTC, bytes in hex, nested values as they are."""
    if value is None or type(value).__name__ in ("NaTType", "NAType"):
        return None
    if type(value).__module__ == "numpy":
        if type(value).__name__ == "ndarray":
            return [inside(v) for v in value.tolist()]
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, uuid.UUID)):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else repr(value)
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.astimezone(dt.timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (list, tuple, dict)):
        return inside(value)
    return str(value)


def inside(value):
    """A value in a list or an object: JSON's own types stay."""
    if isinstance(value, dict):
        return {str(k): inside(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [inside(v) for v in value]
    if type(value).__module__ == "numpy":
        return inside(value.tolist())
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return canonical(value)


class Group:
    """The cases of one program: each has a folder, and a record of what the program reads from it."""

    def __init__(self, name, by):
        self.folder = HERE / name
        self.by = by
        self.cases = {}
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def place(self, case, file=None):
        folder = self.folder / case
        folder.mkdir(exist_ok=True)
        return folder / file if file else folder

    def expect(self, case, columns, rows, reads, names=True, by=None):
        """`columns` are names with kinds: text, int, decimal, double, boolean, date, timestamp, timestamptz, time, json, binary.
        Without `names` the file names no columns, and they are compared by their place."""
        assert all(len(row) == len(columns) for row in rows), case
        about = {"by": by or self.by, "reads": reads, "names": names, "columns": columns}
        self.cases[case] = (about, [[canonical(v) for v in row] for row in rows])

    def close(self):
        parts = []
        for case, (about, rows) in sorted(self.cases.items()):
            head = json.dumps(about, ensure_ascii=False)[:-1]
            lines = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in rows)
            parts.append(f'  {json.dumps(case)}: {head}, "rows": [\n{lines}\n  ]}}')
        text = "{\n" + ",\n".join(parts) + "\n}\n"
        (self.folder / "expected.json").write_text(text, encoding="utf-8")
        print(self.folder.name, len(self.cases))
