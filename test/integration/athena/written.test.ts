import { expect, it } from 'vitest'
import { allRights } from '../../../src/define/access/rights.js'
import type { QueryAnswer } from '../../../src/query/service/request.js'
import { failureOf } from '../../../src/serve/aws/athena/failures.js'
import { LakeAccess } from '../../../src/serve/aws/athena/lake-access.js'
import { withEngine } from '../../../src/serve/aws/athena/rows-file.js'
import { TableChanges } from '../../../src/serve/aws/athena/table-changes.js'
import { abortController } from '../../../src/signals.js'
import type { Asked } from './asked.js'
import { onScratch } from './scratch.js'
import type { ServedLake } from './served.js'

let lake: ServedLake
let client: Asked
onScratch((asked, served) => {
  client = asked
  lake = served
})

const boss = { name: 'boss', rights: allRights }
const done = (sql: string) => client.done(sql)
const rows = (sql: string) => client.rows(sql)
const identifierOf = (name: string) => ({ namespace: ['scratch'], name })

/** Changes the metadata of a table as another engine would. */
const asEngine = (name: string, updates: object[]) =>
  new LakeAccess(lake.storage, lake.log).commit(boss, identifierOf(name), [], updates)

it('INSERT takes values of the columns’ types, each column once, and NULL where the table does', async () => {
  await done('CREATE TABLE goods (id int, price decimal(8,2), name string)')
  const refused: [string, RegExp][] = [
    [
      "INSERT INTO goods VALUES (1.7, 1.5, 'a')",
      /TYPE_MISMATCH: line 1:13: The column id is integer, and the value is double/,
    ],
    ["INSERT INTO goods (price) VALUES (DECIMAL '1.555')", /TYPE_MISMATCH/],
    ["INSERT INTO goods (id) VALUES ('1')", /TYPE_MISMATCH/],
    ['INSERT INTO goods (price) VALUES (1.555)', /more digits than decimal\(8,2\)/],
    ['UPDATE goods SET id = 1.5', /The column id is integer, and the value is double/],
    ['INSERT INTO goods (id, ID) VALUES (1, 2)', /'ID' is named more than once/],
    ["INSERT INTO goods (id, nme) VALUES (1, 'a')", /COLUMN_NOT_FOUND: .*'nme'/],
    ['INSERT INTO goods VALUES (1)', /has 1 columns, and goods takes: id, price, name/],
    ['INSERT INTO nothing VALUES (1)', /nothing does not exist|does not exist: scratch.nothing/],
    ['INSERT INTO silver.sales SELECT * FROM silver.sales', /may not write to silver\.sales/],
  ]
  for (const [sql, why] of refused) await expect(done(sql), sql).rejects.toThrow(why)
  expect(await rows('SELECT count(*) FROM goods')).toEqual([['0']])
  expect(await done("INSERT INTO goods (NAME, Id) VALUES ('a', 1), (NULL, 2)")).toBe(2)
  expect(await done('INSERT INTO goods SELECT id + 2, price, name FROM goods')).toBe(2)
  expect(await done('INSERT INTO goods SELECT 5 AS n, NULL AS n, NULL AS n')).toBe(1)
  // A number with a point is a double, and one of a column where it is not rounded for it.
  expect(await done('INSERT INTO goods (id, price) SELECT CAST(6 AS bigint), 1.5')).toBe(1)
  expect(await done('UPDATE goods SET price = price * 3.0 WHERE id = 6')).toBe(1)
  expect(await rows('SELECT price FROM goods WHERE id = 6')).toEqual([['4.50']])
  await expect(done('INSERT INTO goods (id) VALUES (9999999999)')).rejects.toThrow(
    /out of range for integer/,
  )
  expect(await done('DELETE FROM goods WHERE id >= 5')).toBe(2)
  expect(await rows('SELECT id, price, name FROM goods ORDER BY id')).toEqual([
    ['1', null, 'a'],
    ['2', null, null],
    ['3', null, 'a'],
    ['4', null, null],
  ])
  const { schema } = await client.table('goods')
  const fields = schema.fields.map((one) => ({ ...one, required: one.name === 'id' }))
  await asEngine('goods', [
    { action: 'add-schema', schema: { ...schema, fields } },
    { action: 'set-current-schema', 'schema-id': -1 },
  ])
  await expect(done("INSERT INTO goods (name) VALUES ('b')")).rejects.toThrow(
    /CONSTRAINT_VIOLATION: NULL value not allowed for NOT NULL column: id/,
  )
})

it('names of schemas, tables and columns have no case, also those that other engines made with one', async () => {
  await done('CREATE TABLE SCRATCH.Cased (Id int, Word string)')
  await done("INSERT INTO Scratch.CASED VALUES (1, 'a'), (2, 'b')")
  await asEngine('cased', [{ action: 'set-properties', updates: { comment: 'here' } }])
  expect(await done('UPDATE Scratch.CASED SET WORD = upper(word) WHERE ID = 1')).toBe(1)
  expect(await done('DELETE FROM scratch.cased WHERE Id = 2')).toBe(1)
  await done('ALTER TABLE Scratch.Cased RENAME TO Other_Name')
  expect(await rows('SELECT id, word FROM SCRATCH.OTHER_NAME')).toEqual([['1', 'A']])
  const access = new LakeAccess(lake.storage, lake.log)
  const { metadata } = await client.pointer('other_name')
  await access.main.tables.register({ principal: boss }, identifierOf('ByEngine'), {
    'metadata-location': lake.storage.locate(metadata),
  })
  await done("INSERT INTO byengine (word, id) VALUES ('c', 3)")
  expect(await done('UPDATE ByEngine SET id = id + 1 WHERE id = 3')).toBe(1)
  await done('ALTER TABLE byengine ADD COLUMNS (more int)')
  expect(await rows('SELECT id, word, more FROM byengine ORDER BY 1')).toEqual([
    ['1', 'A', null],
    ['4', 'c', null],
  ])
  await expect(done('CREATE TABLE BYENGINE (a int)')).rejects.toThrow(/already exists/)
  await expect(done('ALTER TABLE byengine RENAME TO elsewhere.scratch.x')).rejects.toThrow(
    /Catalog 'elsewhere' does not exist/,
  )
  await done('DROP TABLE BYENGINE')
})

it('columns may be called as the engine calls the places of rows', async () => {
  await done('CREATE TABLE logs (filename string, file_row_number int, n int)')
  await done("INSERT INTO logs VALUES ('a', 7, 1), ('b', 8, 2), ('c', 9, 3)")
  expect(await done("UPDATE logs SET n = 20 WHERE filename = 'b'")).toBe(1)
  expect(await done('DELETE FROM logs WHERE file_row_number = 7')).toBe(1)
  expect(await rows('SELECT filename, file_row_number, n FROM logs ORDER BY 1')).toEqual([
    ['b', '8', '20'],
    ['c', '9', '3'],
  ])
  // That one would be taken for the place of the row itself.
  await done('CREATE TABLE placed (_data_row int, n int)')
  await done('INSERT INTO placed VALUES (2, 1), (1, 2), (0, 3)')
  for (const sql of [
    'DELETE FROM placed WHERE n = 1',
    'UPDATE placed SET n = 9 WHERE n = 1',
    'MERGE INTO placed USING (VALUES 1) AS s(n) ON placed.n = s.n WHEN MATCHED THEN DELETE',
  ])
    await expect(done(sql), sql).rejects.toThrow(/a column _data_row are not changed here/)
  expect(await rows('SELECT n FROM placed ORDER BY 1')).toEqual([['1'], ['2'], ['3']])
  await done('ALTER TABLE placed CHANGE COLUMN _data_row place int')
  expect(await done('DELETE FROM placed WHERE n = 1')).toBe(1)
  expect(await rows('SELECT place, n FROM placed ORDER BY 2')).toEqual([
    ['1', '2'],
    ['0', '3'],
  ])
})

it('rows of values become a column’s by their places, as in Trino', async () => {
  await done(
    'CREATE TABLE places (id int, spot struct<city:string,zip:int>, all_spots array<struct<city:string,zip:int>>)',
  )
  await done("INSERT INTO places (id, spot) VALUES (1, ROW('Ulm', 89073)), (2, NULL)")
  expect(
    await done(
      "UPDATE places SET spot = ROW('Bonn', 53111), all_spots = ARRAY[ROW('x', 1), NULL] WHERE id = 2",
    ),
  ).toBe(1)
  expect(
    await done(
      "UPDATE places SET spot = CAST(ROW('Kiel', 24103) AS ROW(zip varchar, city integer)) WHERE id = 1",
    ),
  ).toBe(1)
  expect(
    await rows(
      'SELECT id, spot.city, spot.zip, cardinality(all_spots), all_spots[1].zip FROM places ORDER BY 1',
    ),
  ).toEqual([
    ['1', 'Kiel', '24103', null, null],
    ['2', 'Bonn', '53111', '2', '1'],
  ])
  expect(
    await rows(
      'SELECT r.b, r.a, s IS NULL FROM (SELECT CAST(CAST(ROW(1, 2) AS ROW(a integer, b integer)) AS ROW(b integer, a integer)) AS r, CAST(CAST(NULL AS ROW(a integer)) AS ROW(b integer)) AS s)',
    ),
  ).toEqual([['1', '2', 'true']])
  // Beside each other the engine takes them by names: that is refused, and not another answer.
  for (const sql of [
    "DELETE FROM places WHERE spot <> ROW('Bonn', 53111)",
    "DELETE FROM places WHERE spot NOT IN (ROW('Bonn', 53111))",
    "UPDATE places SET spot = coalesce(spot, ROW('x', 1))",
    "UPDATE places SET spot = CASE WHEN id = 1 THEN spot ELSE ROW('x', 1) END",
    "UPDATE places SET spot = if(id = 1, spot, ROW('x', 1))",
    "INSERT INTO places (spot) SELECT spot FROM places UNION ALL SELECT ROW('x', 1)",
    'DELETE FROM places WHERE spot.city IN (SELECT id FROM places)',
    'DELETE FROM places WHERE spot.zip <> ALL (SELECT spot.city FROM places)',
  ])
    await expect(done(sql), sql).rejects.toThrow(
      /row\(city varchar, zip integer\)|must be of one type|Cannot compare/,
    )
  expect(
    await done(
      "DELETE FROM places WHERE spot <> CAST(ROW('Bonn', 53111) AS ROW(city varchar, zip integer))",
    ),
  ).toBe(1)
  expect(await rows('SELECT spot.city FROM places')).toEqual([['Bonn']])
})

it('values come to the files as they are, however long or near to nothing, or are refused', async () => {
  await done('CREATE TABLE extremes (id int, text string, d double, m map<string,int>)')
  await done("INSERT INTO extremes (id, text, d) VALUES (1, 'x', 1e0)")
  await done("UPDATE extremes SET text = rpad('y', 34000000, 'z'), d = -0e0")
  expect(await rows('SELECT length(text), 1e0 / d FROM extremes')).toEqual([
    ['34000000', '-Infinity'],
  ])
  await expect(done("UPDATE extremes SET m = MAP(ARRAY['a'], ARRAY[1])")).rejects.toThrow(
    /The column c\d+ is a MAP|The column m is a MAP/,
  )
  await done(
    "CREATE TABLE far AS SELECT date_add('year', 10000, starts) AS at, CAST(date_add('year', 10000, starts) AS date) AS day FROM silver.events",
  )
  expect(await rows('SELECT min(year(at)), min(year(day)), count(at) FROM far')).toEqual([
    ['12026', '12026', '20'],
  ])
  await done('INSERT INTO extremes (id, m) SELECT id + 1, m FROM extremes')
  expect(await rows('SELECT id, m FROM extremes ORDER BY 1')).toEqual([
    ['1', null],
    ['2', null],
  ])
})

it('MERGE knows its own columns from those of the source, whatever these are called', async () => {
  await done(
    'CREATE TABLE counted AS SELECT salesid AS id, qty FROM silver.sales WHERE salesid < 3',
  )
  expect(
    await done(`MERGE INTO counted c USING (SELECT 1 AS id, 70 AS "m does", 71 AS "m action") s ON c.id = s.id
      WHEN MATCHED THEN UPDATE SET qty = s."m does" + s."m action"`),
  ).toBe(1)
  expect(await rows('SELECT qty FROM counted WHERE id = 1')).toEqual([['141']])
})

it('a statement is as long as it was written, whatever it is translated to', async () => {
  const many = Array.from({ length: 2500 }, (_, i) => `7/(1+${i})`).join(', ')
  expect(await rows(`SELECT 3 IN (${many})`)).toEqual([['true']])
  await expect(rows(`SELECT 3 IN (1${' '.repeat(262_144)})`)).rejects.toThrow(/262144/)
})

it('VACUUM forgets nothing that becomes current, or gets a name, while it looks', async () => {
  await done('CREATE TABLE kept (id int)')
  for (const id of [1, 2, 3]) await done(`INSERT INTO kept VALUES (${id})`)
  await done(`ALTER TABLE kept SET TBLPROPERTIES ('vacuum_max_snapshot_age_seconds'='0')`)
  const [first] = (await client.table('kept')).metadata.snapshots
  const id = first?.['snapshot-id']
  class Between extends LakeAccess {
    done = false
    override async metadata(identifier: Parameters<LakeAccess['metadata']>[0]) {
      const found = await super.metadata(identifier)
      if (!this.done) {
        this.done = true
        const ref = { 'ref-name': 'main', type: 'branch', 'snapshot-id': id }
        await asEngine('kept', [{ action: 'set-snapshot-ref', ...ref }])
      }
      return found
    }
  }
  const changes = new TableChanges(new Between(lake.storage, lake.log))
  await changes.vacuum(boss, { schema: 'scratch', name: 'kept' })
  expect(await rows('SELECT id FROM kept')).toEqual([['1']])
  expect((await client.table('kept')).metadata.snapshots.map((one) => one['snapshot-id'])).toEqual([
    id,
  ])
})

it('what another engine says of main and leaves out of snapshots is no hindrance', async () => {
  await done('CREATE TABLE theirs (id int)')
  await done('INSERT INTO theirs VALUES (1)')
  const main = (await client.table('theirs')).metadata.refs.main
  const ref = { ...main, 'ref-name': 'main', 'min-snapshots-to-keep': 2 }
  await asEngine('theirs', [{ action: 'set-snapshot-ref', ...ref }])
  await done('INSERT INTO theirs VALUES (2)')
  await done('INSERT INTO theirs VALUES (3)')
  await done(`ALTER TABLE theirs SET TBLPROPERTIES ('vacuum_max_snapshot_age_seconds'='0')`)
  await done('VACUUM theirs')
  const { metadata } = await client.table('theirs')
  expect(metadata.snapshots).toHaveLength(2)
  expect(metadata.refs.main).toMatchObject({ 'min-snapshots-to-keep': 2 })
  // Totals of a snapshot are optional (spec, Snapshots).
  const { summary: _, ...last } = metadata.snapshots.at(-1) as (typeof metadata.snapshots)[number]
  const snapshot = {
    ...last,
    'snapshot-id': 4711,
    'parent-snapshot-id': last['snapshot-id'],
    'sequence-number': metadata['last-sequence-number'] + 1,
    summary: { operation: 'append' },
  }
  await asEngine('theirs', [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 4711 },
  ])
  expect(await rows('SELECT count(*) FROM theirs')).toEqual([['3']])
  await done('DELETE FROM theirs')
  expect(await rows('SELECT count(*) FROM theirs')).toEqual([['0']])
})

it('a table may have its metadata apart from its files, which then lie where it says', async () => {
  const apart = lake.storage.locate('external/scratch/apart-metadata')
  await new LakeAccess(lake.storage, lake.log).main.tables.create(
    { principal: boss },
    identifierOf('apart'),
    {
      name: 'apart',
      schema: {
        type: 'struct',
        'schema-id': 0,
        fields: [{ id: 1, name: 'id', required: false, type: 'int' }],
      },
      properties: { 'write.metadata.path': apart },
    },
  )
  await done('INSERT INTO apart VALUES (1), (2), (3)')
  await done('UPDATE apart SET id = 30 WHERE id = 3')
  await done('INSERT INTO apart VALUES (4)')
  await done('OPTIMIZE apart REWRITE DATA USING BIN_PACK')
  expect(await rows('SELECT id FROM apart ORDER BY id')).toEqual([['1'], ['2'], ['4'], ['30']])
  const pointer = await client.pointer('apart')
  expect(pointer.metadata).toMatch(/^external\/scratch\/apart-metadata\/[^/]+$/)
  // Other engines, and credentials for them, know of no other places.
  const { metadata } = await client.table('apart')
  const files = (await (await client.table('apart')).plan()).map(({ file }) => file.path)
  const lists = metadata.snapshots.map((one) => one['manifest-list'])
  for (const path of [...files, ...lists])
    expect(path.startsWith(`${metadata.location}/`), path).toBe(true)
})

it('properties that keep files are not taken away, and those that can be are', async () => {
  await done(
    `CREATE TABLE kind (id int) TBLPROPERTIES ('table_type'='ICEBERG', 'write_compression'='snappy')`,
  )
  for (const name of ['gc.enabled', 'schema.name-mapping.default', 'table_type'])
    await expect(done(`ALTER TABLE kind UNSET TBLPROPERTIES ('${name}')`), name).rejects.toThrow(
      /cannot be taken away/,
    )
  await done(`ALTER TABLE kind UNSET TBLPROPERTIES ('write_compression')`)
  const { properties } = (await client.table('kind')).metadata
  expect(properties).toMatchObject({ 'gc.enabled': 'false' })
  expect(properties).not.toHaveProperty(['write.parquet.compression-codec'])
})

it('nobody learns by IF NOT EXISTS which tables there are', async () => {
  await done('CREATE TABLE secret_one (id int)')
  const why = (sql: string) =>
    client.ask(sql, 'clerk').then(
      () => 'done',
      (error) => String(error.message).replaceAll(/secret_one|nothing_is/g, 'it'),
    )
  for (const [sql, rest] of [
    ['CREATE TABLE IF NOT EXISTS scratch.', ' (id int)'],
    ['CREATE TABLE IF NOT EXISTS scratch.', ' AS SELECT 1 AS id'],
  ]) {
    const there = await why(`${sql}secret_one${rest}`)
    expect(there).not.toBe('done')
    expect(await why(`${sql}nothing_is${rest}`)).toBe(there)
  }
})

it('no column gets the name of partitions that are made of another', async () => {
  const why = /the name that partitions of the table have/
  await expect(
    done('CREATE TABLE parts (ts timestamp, ts_day date) PARTITIONED BY (day(ts))'),
  ).rejects.toThrow(why)
  await expect(
    done(
      `CREATE TABLE parts WITH (partitioning = ARRAY['month(day)']) AS SELECT day, qty AS day_month FROM silver.sales`,
    ),
  ).rejects.toThrow(why)
  await done('CREATE TABLE parts (ts timestamp, day date, other int) PARTITIONED BY (day(ts), day)')
  await expect(done('ALTER TABLE parts ADD COLUMNS (ts_day date)')).rejects.toThrow(why)
  await expect(done('ALTER TABLE parts CHANGE COLUMN other ts_day int')).rejects.toThrow(why)
  await done('ALTER TABLE parts CHANGE COLUMN day ymd date')
  await expect(done('ALTER TABLE parts ADD COLUMNS (day date)')).rejects.toThrow(why)
  // Nor from another engine, by the catalog.
  const { schema } = await client.table('parts')
  const theirs = { id: 99, name: 'ts_day', type: 'date', required: false }
  const named = asEngine('parts', [
    { action: 'add-schema', schema: { ...schema, fields: [...schema.fields, theirs] } },
    { action: 'set-current-schema', 'schema-id': -1 },
  ])
  await expect(named).rejects.toThrow('Partition ts_day would have the name of another column')
  await done('ALTER TABLE parts DROP COLUMN other')
})

it('a column that is gone before its rows are read is not passed over', async () => {
  await done('CREATE TABLE shrunk AS SELECT salesid AS id, qty FROM silver.sales WHERE salesid < 3')
  const [task] = await (await client.table('shrunk')).plan()
  const path = lake.storage.locate((await client.table('shrunk')).pathOf(task?.file.path ?? ''))
  const columns = [
    { name: 'm action', type: 'INTEGER' },
    { name: 'm file', type: 'VARCHAR' },
    { name: 'm row', type: 'BIGINT' },
    { name: 'c0', type: 'INTEGER' },
  ]
  const found = (async function* () {
    yield [[1, path, 0n, 100]]
  })()
  const readAs = { tables: [], commit: await client.commits(), rules: '' }
  const answer = { columns, rows: found, readAs } as unknown as QueryAnswer
  const changing = new TableChanges(new LakeAccess(lake.storage, lake.log)).change(
    boss,
    { schema: 'scratch', name: 'shrunk' },
    { sql: '', actions: [{ does: 'update', sets: ['price'] }], columns: ['price'] },
    {
      ...{ answer, signal: abortController().signal },
      commit: async (_, make) => {
        await make()
      },
    },
  )
  const error = await changing.catch((one) => one)
  expect(failureOf(error)).toMatchObject({ type: 233 })
})

it('names and partitions are what they are, whatever stands in them', async () => {
  const odd = [`a"b'c`, 'x[1]*?.parquet', 'ä/../é %20', ' ', "'); DROP TABLE x; --"]
  const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`
  await done(
    'CREATE TABLE "od""d table" ("se""l ect" string, "a\'b" int) PARTITIONED BY ("se""l ect")',
  )
  await done(
    `INSERT INTO "od""d table" VALUES ${odd.map((text, i) => `(${quoted(text)}, ${i})`).join(', ')}`,
  )
  for (const [i, text] of odd.entries())
    expect(
      await done(
        `UPDATE "od""d table" SET "a'b" = "a'b" + 10 WHERE "se""l ect" = ${quoted(text)} AND "a'b" = ${i}`,
      ),
    ).toBe(1)
  expect(
    await done(`MERGE INTO "od""d table" AS "t""" USING (VALUES (${quoted(odd[1] as string)}, 1)) AS "s"(k, n) ON "t"""."se""l ect" = s.k
      WHEN MATCHED THEN UPDATE SET "se""l ect" = 'moved "', "a'b" = n`),
  ).toBe(1)
  expect(
    await done(`DELETE FROM "od""d table" WHERE "se""l ect" = ${quoted(odd[2] as string)}`),
  ).toBe(1)
  expect(await rows(`SELECT "a'b", "se""l ect" FROM "od""d table" ORDER BY 1`)).toEqual([
    ['1', 'moved "'],
    ['10', odd[0]],
    ['13', odd[3]],
    ['14', odd[4]],
  ])
  await done('OPTIMIZE "od""d table" REWRITE DATA USING BIN_PACK')
  await done('ALTER TABLE "od""d table" RENAME TO "other \'"')
  expect(await rows(`SELECT count(*) FROM "other '"`)).toEqual([['4']])
  await done(`DROP TABLE "other '"`)
})

it('of statements that change the same rows at once, each has changed what others left, or says that it was too late', async () => {
  await done('CREATE TABLE counter AS SELECT 0 AS n')
  const all = await Promise.allSettled(
    Array.from({ length: 6 }, () => done('UPDATE counter SET n = n + 1')),
  )
  const lost = all.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))
  for (const why of lost) expect(why).toMatch(/ICEBERG_COMMIT_ERROR/)
  expect(await rows('SELECT n FROM counter')).toEqual([[String(6 - lost.length)]])
})

it('an engine that writes is interrupted once its statement is stopped', async () => {
  const stop = abortController()
  const { signal } = stop
  setTimeout(() => stop.abort(new Error('The query was cancelled')), 300)
  const work = withEngine({ staging: undefined, signal }, (session) =>
    session.rows(
      'SELECT max(hash(a.range + b.range)) AS n FROM range(10000000) a, range(10000000) b',
    ),
  )
  await expect(work).rejects.toThrow('The query was cancelled')
}, 30_000)
