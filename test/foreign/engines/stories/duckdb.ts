import { does, gives, MANAGED, OUTSIDE, refuses, remembers, type Story } from './story.js'

export const duckdbStory: Story = {
  'creates and fills tables': [
    does('create schema {lake}.duckdb'),
    does(
      'create table {lake}.duckdb.a (id bigint, name varchar, day date, amount decimal(12,2), moment timestamptz)',
    ),
    does(
      "insert into {lake}.duckdb.a values (1, 'a', date '2024-01-01', 1.50, timestamptz '2024-01-01 10:00:00+00'), (2, 'b', date '2024-01-02', 2.50, null), (3, null, null, null, null)",
    ),
    does(
      'create table {lake}.duckdb.kept (id bigint, name varchar, day date, amount decimal(12,2), moment timestamptz) partitioned by (day, bucket(4, id))',
    ),
    does('insert into {lake}.duckdb.kept from {lake}.duckdb.a'),
    does(
      'insert into {lake}.duckdb.kept select id + 10, name, day, amount, moment from {lake}.duckdb.a',
    ),
    does('create table {lake}.duckdb.copied as from {lake}.duckdb.a'),
  ],
  'merges, updates and deletes rows': [
    does(
      "merge into {lake}.duckdb.kept t using (values (1, 'merged'), (99, 'new')) s(id, name) on t.id = s.id when matched then update set name = s.name when not matched then insert (id, name) values (s.id, s.name)",
    ),
    does('update {lake}.duckdb.kept set amount = 9 where id = 2'),
    does('delete from {lake}.duckdb.kept where id = 3'),
    does("delete from {lake}.duckdb.kept where day = date '2024-01-02'"),
    gives(
      'select id, name, amount from {lake}.duckdb.kept order by id',
      [1, 'merged', '1.50'],
      [11, 'a', '1.50'],
      [13, null, null],
      [99, 'new', null],
    ),
  ],
  'changes two tables at once, or none': [
    does('begin'),
    does("insert into {lake}.duckdb.a (id, name) values (4, 'both')"),
    does("insert into {lake}.duckdb.copied (id, name) values (4, 'both')"),
    does('commit'),
    gives(
      'select (select count(*) from {lake}.duckdb.a), (select count(*) from {lake}.duckdb.copied)',
      [4, 4],
    ),
    does('begin'),
    does('delete from {lake}.duckdb.a'),
    { do: 'rollback', denied: 'Could not remove file' },
    gives('select count(*) from {lake}.duckdb.a', [4]),
  ],
  'evolves columns and partitions': [
    does('alter table {lake}.duckdb.kept add column note varchar'),
    does('alter table {lake}.duckdb.kept rename column name to title'),
    does('alter table {lake}.duckdb.kept alter column amount type decimal(20,2)'),
    does('alter table {lake}.duckdb.kept drop column note'),
    does('alter table {lake}.duckdb.kept set partitioned by (month(day))'),
    does(
      "insert into {lake}.duckdb.kept by name select 50 as id, 'evolved' as title, date '2024-03-01' as day",
    ),
  ],
  'travels in time': [
    remembers(
      'first',
      'select snapshot_id::varchar from iceberg_snapshots({lake}.duckdb.kept) order by sequence_number limit 1',
    ),
    gives('select count(*) from {lake}.duckdb.kept at (version => {first})', [3]),
    gives('select count(*) from {lake}.duckdb.kept', [5]),
  ],
  'renames and drops tables': [
    does('alter table {lake}.duckdb.copied rename to renamed'),
    does('drop table {lake}.duckdb.renamed'),
    does('drop table {lake}.duckdb.a'),
    does('create schema {lake}.duckdb_gone'),
    does('drop schema {lake}.duckdb_gone'),
  ],
  'is told why it must not write': [
    ...refuses(
      MANAGED,
      'insert into {lake}.silver.orders from {lake}.silver.orders',
      'delete from {lake}.silver.orders where id = 1',
      'update {lake}.silver.orders set id = 3',
      'alter table {lake}.silver.orders add column x int',
      'alter table {lake}.silver.orders set partitioned by (day)',
      'drop table {lake}.silver.orders',
      'alter table {lake}.silver.orders rename to y',
      'create table {lake}.silver.x (id int)',
      'create table {lake}.gold.x as select 1 as x',
      'create schema {lake}.bronze',
      'drop schema {lake}.silver',
    ),
    ...refuses(
      OUTSIDE,
      "create table {lake}.duckdb.x (id int) with ('location' = 'file:///tmp/elsewhere')",
    ),
  ],
}
