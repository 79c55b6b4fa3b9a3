import {
  does,
  gives,
  MANAGED,
  OUTSIDE,
  refuses,
  remembers,
  type Step,
  type Story,
} from './story.js'

const python = (step: Step): Step => ({ ...step, do: `{lake}: ${step.do}` })
const all = (...steps: Step[]) => steps.map(python)

const prepare = `
import datetime, decimal
import pyarrow as pa
from pyiceberg.transforms import BucketTransform, MonthTransform
from pyiceberg.types import DecimalType, StringType
D, day = decimal.Decimal, lambda d: datetime.date(2024, 1, d)
moment = datetime.datetime(2024, 1, 1, 10, tzinfo=datetime.timezone.utc)
kinds = pa.schema([("id", pa.int64()), ("name", pa.string()), ("day", pa.date32()), ("amount", pa.decimal128(12, 2)), ("moment", pa.timestamp("us", "UTC"))])
def rows(*values):
    return pa.Table.from_pylist([dict(zip(kinds.names, v)) for v in values], schema=kinds)
first = rows((1, "a", day(1), D("1.50"), moment), (2, "b", day(2), D("2.50"), None), (3, None, None, None, None))
ten = rows(*[(r["id"] + 10, *list(r.values())[1:]) for r in first.to_pylist()])
def seen(table, *columns, **options):
    found = table.scan(selected_fields=columns or ("*",), **options).to_arrow().to_pylist()
    return sorted((list(row.values()) for row in found), key=lambda row: row[0])
`

export const pyicebergStory: Story = {
  'creates and fills tables': all(
    does(prepare),
    does('catalog.create_namespace("pyiceberg")'),
    does('catalog.create_table("pyiceberg.a", schema=kinds).append(first)'),
    does(`
kept = catalog.create_table("pyiceberg.kept", schema=kinds)
with kept.update_spec() as update:
    update.add_identity("day")
    update.add_field("id", BucketTransform(4), "id_bucket")
kept.append(first)
kept.append(ten)`),
    gives('catalog.list_tables("pyiceberg")', ['pyiceberg', 'a'], ['pyiceberg', 'kept']),
  ),
  'merges, updates and deletes rows': all(
    does(
      'kept.upsert(rows((1, "merged", day(1), D("1.50"), moment), (99, "new", None, None, None)), join_cols=["id"])',
    ),
    does('kept.overwrite(rows((2, "b", day(2), D("9"), None)), "id = 2")'),
    does('kept.delete("id = 3")'),
    does('kept.delete("day = \'2024-01-02\'")'),
    gives(
      'seen(kept, "id", "name", "amount")',
      [1, 'merged', '1.50'],
      [11, 'a', '1.50'],
      [13, null, null],
      [99, 'new', null],
    ),
  ),
  'evolves columns and partitions, and overwrites one': all(
    does(`
with kept.update_schema() as update:
    update.add_column("note", StringType())
    update.rename_column("name", "title")
    update.update_column("amount", DecimalType(20, 2))
with kept.update_schema() as update:
    update.delete_column("note")
with kept.update_spec() as update:
    update.remove_field("id_bucket")
kept.dynamic_partition_overwrite(pa.Table.from_pylist([{"id": 50, "day": datetime.date(2024, 3, 1)}], schema=kept.schema().as_arrow()))
with kept.update_spec() as update:
    update.remove_field("day")
    update.add_field("day", MonthTransform(), "month")
kept.delete("id = 50")`),
    does(
      'kept.append(pa.Table.from_pylist([{"id": 50, "title": "evolved", "day": datetime.date(2024, 3, 1)}], schema=kept.schema().as_arrow()))',
    ),
  ),
  'travels in time, and has branches and tags': all(
    gives('seen(kept, "id", snapshot_id=kept.history()[0].snapshot_id)', [1], [2], [3]),
    does('kept.manage_snapshots().create_tag(kept.history()[0].snapshot_id, "four").commit()'),
    does(
      'kept.manage_snapshots().create_branch(kept.current_snapshot().snapshot_id, "later").commit()',
    ),
    gives('seen(kept, "id", snapshot_id=kept.snapshot_by_name("four").snapshot_id)', [1], [2], [3]),
    does('kept.manage_snapshots().remove_branch("later").commit()'),
    gives('[sorted(kept.refs())]', ['four', 'main']),
  ),
  'keeps views': all(
    does(`
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField
from pyiceberg.view.metadata import ViewVersion
columns = Schema(NestedField(1, "id", LongType(), required=False))
select = {"type": "sql", "sql": "SELECT id FROM pyiceberg.kept", "dialect": "spark"}
version = ViewVersion.model_validate({
    "version-id": 1, "schema-id": 1, "timestamp-ms": 1700000000000, "summary": {"engine-name": "pyiceberg"},
    "representations": [select], "default-namespace": ["pyiceberg"],
})`),
    does('catalog.create_view("pyiceberg.v", columns, version)'),
    gives('catalog.list_views("pyiceberg")', ['pyiceberg', 'v']),
    gives('[[catalog.view_exists(f"pyiceberg.{name}") for name in ("v", "kept", "w")]]', [
      true,
      false,
      false,
    ]),
    gives(
      '[[one.root.dialect, one.root.sql] for one in catalog.load_view("pyiceberg.v").current_version().representations]',
      ['spark', 'SELECT id FROM pyiceberg.kept'],
    ),
    ...refuses('already exists', 'catalog.create_view("pyiceberg.v", columns, version)'),
    ...refuses(
      'same name already exists',
      'catalog.create_view("pyiceberg.kept", columns, version)',
    ),
    does('catalog.drop_view("pyiceberg.v")'),
    gives('catalog.list_views("pyiceberg")'),
    ...refuses('View does not exist', 'catalog.load_view("pyiceberg.v")'),
    ...refuses(MANAGED, 'catalog.create_view("silver.v", columns, version)'),
  ),
  'changes tables in a transaction, and drops them': all(
    does(`
with catalog.load_table("pyiceberg.a").transaction() as t:
    t.append(ten)
    t.set_properties({"a": "b"})`),
    gives('seen(catalog.load_table("pyiceberg.a"), "id")', [1], [2], [3], [11], [12], [13]),
    does('catalog.rename_table("pyiceberg.a", "pyiceberg.b")'),
    does('catalog.purge_table("pyiceberg.b")'),
    gives('catalog.list_tables("pyiceberg")', ['pyiceberg', 'kept']),
    does('catalog.create_namespace("pyiceberg_gone")'),
    does('catalog.drop_namespace("pyiceberg_gone")'),
  ),
  'is told why it must not write': all(
    remembers('orders', 'orders = catalog.load_table("silver.orders")'),
    ...refuses(
      MANAGED,
      'orders.append(orders.scan().to_arrow())',
      'orders.delete("id = 1")',
      'orders.overwrite(orders.scan().to_arrow())',
      `
with orders.update_schema() as update:
    update.add_column("x", StringType())`,
      `
with orders.update_spec() as update:
    update.add_identity("day")`,
      'orders.transaction().set_properties({"a": "b"}).commit_transaction()',
      'catalog.drop_table("silver.orders")',
      'catalog.purge_table("silver.orders")',
      'catalog.rename_table("silver.orders", "pyiceberg.orders")',
      'catalog.create_table("silver.x", schema=kinds)',
      'catalog.create_namespace("bronze")',
      'catalog.drop_namespace("silver")',
    ),
    ...refuses(
      OUTSIDE,
      'catalog.create_table("pyiceberg.x", schema=kinds, location="file:///tmp/elsewhere")',
      'catalog.create_namespace("elsewhere", {"location": "file:///tmp/elsewhere"})',
    ),
  ),
}
