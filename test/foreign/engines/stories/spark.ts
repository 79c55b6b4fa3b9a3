import { does, gives, MANAGED, OUTSIDE, refuses, remembers, type Story } from './story.js'

export const sparkStory: Story = {
  'creates and fills tables': [
    does('create namespace {lake}.spark'),
    does(
      'create table {lake}.spark.a (id bigint, name string, day date, amount decimal(12,2), moment timestamp) using iceberg',
    ),
    does(
      "insert into {lake}.spark.a values (1, 'a', date '2024-01-01', 1.50, timestamp '2024-01-01 10:00:00'), (2, 'b', date '2024-01-02', 2.50, null), (3, null, null, null, null)",
    ),
    does(
      "create table {lake}.spark.kept using iceberg partitioned by (day, bucket(4, id)) tblproperties ('write.delete.mode' = 'merge-on-read', 'write.update.mode' = 'merge-on-read') as select * from {lake}.spark.a",
    ),
    does(
      'insert into {lake}.spark.kept select id + 10, name, day, amount, moment from {lake}.spark.a',
    ),
    gives('show tables in {lake}.spark', ['spark', 'a', false], ['spark', 'kept', false]),
  ],
  'merges, updates and deletes rows, and overwrites a partition': [
    does(
      "merge into {lake}.spark.kept t using (select * from values (1, 'merged'), (99, 'new') as v(id, name)) s on t.id = s.id when matched then update set name = s.name when not matched then insert (id, name) values (s.id, s.name)",
    ),
    does('update {lake}.spark.kept set amount = 9 where id = 2'),
    does('delete from {lake}.spark.kept where id = 3'),
    does(
      "insert overwrite {lake}.spark.kept partition (day = date '2024-01-02') select 2, 'over', 5.0, null",
    ),
    gives("select id, name from {lake}.spark.kept where day = date '2024-01-02'", [2, 'over']),
    does("delete from {lake}.spark.kept where day = date '2024-01-02'"),
    gives(
      'select id, name, amount from {lake}.spark.kept order by id',
      [1, 'merged', '1.50'],
      [11, 'a', '1.50'],
      [13, null, null],
      [99, 'new', null],
    ),
  ],
  'evolves columns and partitions': [
    does('alter table {lake}.spark.kept add column note string'),
    does('alter table {lake}.spark.kept rename column name to title'),
    does('alter table {lake}.spark.kept alter column amount type decimal(20,2)'),
    does('alter table {lake}.spark.kept drop column note'),
    does('alter table {lake}.spark.kept add partition field month(day)'),
    does('alter table {lake}.spark.kept drop partition field bucket(4, id)'),
    does('alter table {lake}.spark.kept write ordered by id'),
    does("comment on table {lake}.spark.kept is 'what stays'"),
  ],
  'travels in time, and has branches and tags': [
    remembers(
      'first',
      'select cast(snapshot_id as string) from {lake}.spark.kept.snapshots order by committed_at limit 1',
    ),
    gives('select count(*) from {lake}.spark.kept version as of {first}', [3]),
    does('alter table {lake}.spark.kept create tag four'),
    does('alter table {lake}.spark.kept create branch later retain 7 days'),
    does(
      "insert into {lake}.spark.kept.branch_later (id, title, day) values (50, 'evolved', date '2024-03-01')",
    ),
    gives('select count(*) from {lake}.spark.kept', [4]),
    does("call {lake}.system.fast_forward('spark.kept', 'main', 'later')"),
    gives('select count(*) from {lake}.spark.kept', [5]),
    gives("select count(*) from {lake}.spark.kept version as of 'four'", [4]),
    does('alter table {lake}.spark.kept drop branch later'),
    gives(
      'select name, type from {lake}.spark.kept.refs order by name',
      ['four', 'TAG'],
      ['main', 'BRANCH'],
    ),
    does(
      "call {lake}.system.rewrite_data_files(table => 'spark.kept', options => map('rewrite-all', 'true'))",
    ),
    does("call {lake}.system.rewrite_manifests('spark.kept')"),
  ],
  'keeps views': [
    does('create view {lake}.spark.v as select id from {lake}.spark.kept where id > 50'),
    does('create or replace view {lake}.spark.v as select id, title from {lake}.spark.kept'),
    gives('select title from {lake}.spark.v where id = 50', ['evolved']),
    does('drop view {lake}.spark.v'),
  ],
  'renames, replaces and drops tables': [
    does('create or replace table {lake}.spark.a using iceberg as select 1 as x'),
    gives('select x from {lake}.spark.a', [1]),
    does(
      "call {lake}.system.expire_snapshots(table => 'spark.a', older_than => timestamp '2100-01-01 00:00:00', retain_last => 1)",
    ),
    does('alter table {lake}.spark.a rename to spark.b'),
    remembers(
      'file',
      'select file from {lake}.spark.b.metadata_log_entries order by timestamp desc limit 1',
    ),
    does('drop table {lake}.spark.b purge'),
    // Earlier states and branches of the lake may need its files: they are there until a vacuum.
    does("call {lake}.system.register_table(table => 'spark.back', metadata_file => '{file}')"),
    gives('select x from {lake}.spark.back', [1]),
    does('drop table {lake}.spark.back'),
    does('create namespace {lake}.spark.nested'),
    does('create table {lake}.spark.nested.t using iceberg as select 1 as x'),
    gives('select x from {lake}.spark.nested.t', [1]),
    does('drop table {lake}.spark.nested.t'),
    does('drop namespace {lake}.spark.nested'),
  ],
  'is told why it must not write': [
    ...refuses(
      MANAGED,
      'insert into {lake}.silver.orders select * from {lake}.silver.orders',
      'delete from {lake}.silver.orders where id = 1',
      'update {lake}.silver.orders set id = 3',
      "merge into {lake}.silver.orders t using (select 1 as id) s on t.id = s.id when matched then update set customer = 'x'",
      'insert overwrite {lake}.silver.orders select * from {lake}.silver.orders',
      'truncate table {lake}.silver.orders',
      'alter table {lake}.silver.orders add column x int',
      'alter table {lake}.silver.orders add partition field day',
      "alter table {lake}.silver.orders set tblproperties ('a' = 'b')",
      'drop table {lake}.silver.orders',
      'alter table {lake}.silver.orders rename to spark.orders',
      'create table {lake}.silver.x (id int) using iceberg',
      'create or replace table {lake}.gold.daily_revenue using iceberg as select 1 as x',
      'create view {lake}.silver.y as select 1 as x',
      'drop namespace {lake}.silver',
    ),
    // Iceberg's library knows by the table that its files are not its own to remove.
    ...refuses('GC is disabled', 'drop table {lake}.silver.orders purge'),
    ...refuses(
      OUTSIDE,
      "create table {lake}.spark.x (id int) using iceberg location 'file:///tmp/elsewhere'",
      "create namespace {lake}.elsewhere location 'file:///tmp/elsewhere'",
    ),
  ],
}
