import { does, gives, MANAGED, OUTSIDE, refuses, remembers, type Story } from './story.js'

export const trinoStory: Story = {
  'creates and fills tables': [
    does('create schema {lake}.trino'),
    does(
      'create table {lake}.trino.a (id bigint, name varchar, day date, amount decimal(12,2), moment timestamp(6) with time zone)',
    ),
    gives(
      "insert into {lake}.trino.a values (1, 'a', date '2024-01-01', 1.50, timestamp '2024-01-01 10:00:00 UTC'), (2, 'b', date '2024-01-02', 2.50, null), (3, null, null, null, null)",
      [3],
    ),
    gives(
      "create table {lake}.trino.kept with (partitioning = array['day', 'bucket(id, 4)'], sorted_by = array['id']) as select * from {lake}.trino.a",
      [3],
    ),
    gives(
      'insert into {lake}.trino.kept select id + 10, name, day, amount, moment from {lake}.trino.a',
      [3],
    ),
    gives('show tables from {lake}.trino', ['a'], ['kept']),
  ],
  'merges, updates and deletes rows, and overwrites a partition': [
    remembers(
      'before',
      'select cast(snapshot_id as varchar) from {lake}.trino."kept$snapshots" order by committed_at desc limit 1',
    ),
    gives(
      "merge into {lake}.trino.kept t using (values (1, 'merged'), (99, 'new')) s(id, name) on t.id = s.id when matched then update set name = s.name when not matched then insert (id, name) values (s.id, s.name)",
      [2],
    ),
    gives('update {lake}.trino.kept set amount = 9 where id = 2', [1]),
    gives('delete from {lake}.trino.kept where id = 3', [1]),
    gives("delete from {lake}.trino.kept where day = date '2024-01-02'", [2]),
    gives(
      'select id, name, amount from {lake}.trino.kept order by id',
      [1, 'merged', '1.50'],
      [11, 'a', '1.50'],
      [13, null, null],
      [99, 'new', null],
    ),
    gives('select count(*) from {lake}.trino.kept for version as of {before}', [6]),
    remembers(
      'then',
      'select cast(committed_at as varchar) from {lake}.trino."kept$snapshots" order by committed_at limit 1',
    ),
    gives("select count(*) from {lake}.trino.kept for timestamp as of timestamp '{then}'", [3]),
  ],
  'evolves columns and partitions': [
    does('alter table {lake}.trino.kept add column note varchar'),
    does('alter table {lake}.trino.kept rename column name to title'),
    does('alter table {lake}.trino.kept alter column amount set data type decimal(20,2)'),
    does('alter table {lake}.trino.kept drop column note'),
    does("alter table {lake}.trino.kept set properties partitioning = array['month(day)']"),
    does("comment on table {lake}.trino.kept is 'what stays'"),
    gives(
      "insert into {lake}.trino.kept (id, title, day) values (50, 'evolved', date '2024-03-01')",
      [1],
    ),
    does('analyze {lake}.trino.kept'),
    does('alter table {lake}.trino.kept execute optimize'),
    does('alter table {lake}.trino.kept execute optimize_manifests'),
  ],
  'keeps views': [
    does('create view {lake}.trino.v as select id from {lake}.trino.kept where id > 50'),
    does('create or replace view {lake}.trino.v as select id, title from {lake}.trino.kept'),
    does('alter view {lake}.trino.v rename to {lake}.trino.w'),
    gives('select title from {lake}.trino.w where id = 50', ['evolved']),
    does('drop view {lake}.trino.w'),
  ],
  'renames, replaces and drops tables': [
    does('create or replace table {lake}.trino.a as select 1 as x'),
    gives('select x from {lake}.trino.a', [1]),
    does('truncate table {lake}.trino.a'),
    does('alter table {lake}.trino.a rename to {lake}.trino.b'),
    does('drop table {lake}.trino.b'),
    gives('show tables from {lake}.trino', ['kept']),
    does('create schema {lake}.trino_gone'),
    does('drop schema {lake}.trino_gone'),
  ],
  'is told why it must not write': [
    ...refuses(
      MANAGED,
      'insert into {lake}.silver.orders select * from {lake}.silver.orders',
      'delete from {lake}.silver.orders where id = 1',
      'update {lake}.silver.orders set id = 3',
      "merge into {lake}.silver.orders t using (values 1) s(id) on t.id = s.id when matched then update set customer = 'x'",
      'truncate table {lake}.silver.orders',
      'alter table {lake}.silver.orders add column x int',
      "alter table {lake}.silver.orders set properties partitioning = array['day']",
      "comment on table {lake}.silver.orders is 'mine'",
      'drop table {lake}.silver.orders',
      'alter table {lake}.silver.orders rename to {lake}.trino.orders',
      'create table {lake}.silver.x (id int)',
      'create or replace table {lake}.gold.daily_revenue as select 1 as x',
      'create view {lake}.silver.y as select 1 as x',
      'create schema {lake}.bronze',
    ),
    // These Trino refuses itself: the catalog is not asked, or not before files are removed.
    ...refuses(
      'GC is disabled',
      "alter table {lake}.silver.orders execute expire_snapshots(retention_threshold => '7d')",
    ),
    ...refuses(
      'shorter than the minimum retention configured',
      "alter table {lake}.silver.orders execute remove_orphan_files(retention_threshold => '7d')",
    ),
    ...refuses(
      'must be between 1 and 2',
      'alter table {lake}.silver.orders set properties format_version = 3',
    ),
    ...refuses(
      OUTSIDE,
      "create table {lake}.trino.x (id int) with (location = 'file:///tmp/elsewhere')",
    ),
  ],
}
