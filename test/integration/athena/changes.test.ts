import { describe, expect, it } from 'vitest'
import { allRights } from '../../../src/define/access/rights.js'
import type { QueryAnswer } from '../../../src/query/service/request.js'
import { failureOf } from '../../../src/serve/aws/athena/failures.js'
import { LakeAccess } from '../../../src/serve/aws/athena/lake-access.js'
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

const done = (sql: string) => client.done(sql)
const rows = (sql: string) => client.rows(sql)
const commits = () => client.commits()

describe('tables that statements of Athena make and change', () => {
  it('are made of columns and partitions, and say what they are', async () => {
    await done(`CREATE TABLE scratch.visits (
        id bigint, day date COMMENT 'when it was', who string, price decimal(8,2),
        tags array<string>, place struct<city:string,zip:int>, seen timestamp)
      COMMENT 'visits to the shop'
      PARTITIONED BY (month(day), bucket(4, id))
      LOCATION 's3://somewhere/visits/'
      TBLPROPERTIES ('table_type'='ICEBERG', 'format'='parquet', 'write_compression'='snappy')`)
    const told = (await client.ask('DESCRIBE visits')).rows.map((row) =>
      row.map((cell) => cell?.trim()),
    )
    expect(told.slice(0, 3)).toEqual([
      ['id', 'bigint', ''],
      ['day', 'date', 'when it was'],
      ['who', 'string', ''],
    ])
    expect(told.slice(3).map(([, type]) => type)).toEqual([
      ...['decimal(8,2)', 'array<string>', 'struct<city:string,zip:int>', 'timestamp'],
    ])
    const before = await commits()
    expect(
      await done(`INSERT INTO visits (id, day, who, price, tags, seen) VALUES
        (1, DATE '2026-01-05', 'ann', DECIMAL '1.50', ARRAY['a'], TIMESTAMP '2026-01-05 10:00:00'),
        (2, DATE '2026-01-06', 'bob', DECIMAL '2.50', NULL, NULL),
        (3, DATE '2026-02-07', NULL, DECIMAL '3.50', CAST(ARRAY[] AS array(varchar)), NULL)`),
    ).toBe(3)
    expect(await commits()).toBe(before + 1)
    await expect(done('CREATE TABLE visits (id int)')).rejects.toThrow(/already exists/)
    await done('CREATE TABLE IF NOT EXISTS visits (id int)')
  })

  it('have rows updated and deleted, each by one commit, and all else as it was', async () => {
    const before = await commits()
    expect(
      await done(
        `UPDATE visits SET price = CAST(price * 2 AS decimal(8,2)), who = coalesce(who, 'nobody') WHERE id >= 2`,
      ),
    ).toBe(2)
    expect(await commits()).toBe(before + 1)
    expect(await rows('SELECT id, who, price, tags, place, seen FROM visits ORDER BY id')).toEqual([
      ['1', 'ann', '1.50', '[a]', null, '2026-01-05 10:00:00.000'],
      ['2', 'bob', '5.00', null, null, null],
      ['3', 'nobody', '7.00', '[]', null, null],
    ])
    expect(
      await done(`DELETE FROM visits WHERE who IN (SELECT who FROM visits WHERE price > 6)`),
    ).toBe(1)
    expect(await rows('SELECT id FROM visits ORDER BY 1')).toEqual([['1'], ['2']])
    // Nothing is committed where nothing changes.
    const now = await commits()
    expect(await done('DELETE FROM visits WHERE id = 99')).toBe(0)
    expect(await commits()).toBe(now)
    await expect(done(`UPDATE visits SET price = 'much'`)).rejects.toThrow(
      /TYPE_MISMATCH: line 1:27: The column price is decimal\(8,2\), and the value is varchar/,
    )
    await expect(done('UPDATE visits SET prize = 1')).rejects.toThrow(/COLUMN_NOT_FOUND/)
  })

  it('take what MERGE says, as it was computed by hand', async () => {
    await done(
      `CREATE TABLE scratch.target AS SELECT salesid AS id, qty, buyer FROM silver.sales WHERE salesid < 2000`,
    )
    await done(
      `CREATE TABLE scratch.source AS SELECT salesid AS id, qty + 1 AS qty, 'new' AS buyer FROM silver.sales WHERE salesid >= 1500 AND salesid % 3 = 0`,
    )
    const read = async (sql: string) =>
      new Map((await rows(sql)).map(([id, ...rest]) => [Number(id), rest]))
    const target = await read('SELECT id, qty, buyer FROM target')
    const source = await read('SELECT id, qty, buyer FROM source')
    let touched = 0
    for (const [id, [qty = '', buyer = '']] of source) {
      const old = target.get(id)
      touched++
      if (old && Number(qty) > 7) target.delete(id)
      else if (old) target.set(id, [qty, old[1] ?? null])
      else if (id % 2 === 0) target.set(id, [qty, buyer])
      else touched--
    }
    const before = await commits()
    expect(
      await done(`MERGE INTO target AS t USING (SELECT * FROM source) s ON t.id = s.id
        WHEN MATCHED AND s.qty > 7 THEN DELETE
        WHEN MATCHED THEN UPDATE SET qty = s.qty
        WHEN NOT MATCHED AND s.id % 2 = 0 THEN INSERT (id, buyer, qty) VALUES (s.id, s.buyer, s.qty)`),
    ).toBe(touched)
    expect(await commits()).toBe(before + 1)
    expect(await read('SELECT id, qty, buyer FROM target')).toEqual(target)
    await expect(
      done(`MERGE INTO target t USING (VALUES (1, 5), (1, 6)) AS s(id, qty) ON t.id = s.id
        WHEN MATCHED THEN UPDATE SET qty = s.qty`),
    ).rejects.toThrow(/MERGE_TARGET_ROW_MULTIPLE_MATCHES: One MERGE target table row matched more/)
    expect(await read('SELECT id, qty, buyer FROM target')).toEqual(target)
  })

  it('list rows as deleted in files that are too large to be written again', async () => {
    await done('CREATE TABLE scratch.large AS SELECT salesid AS id, qty FROM silver.sales')
    const table = await client.table('large')
    const [task] = await table.plan()
    const path = lake.storage.locate(table.pathOf(task?.file.path ?? ''))
    const change = async (does: 'update' | 'delete', places: number[], at?: number) => {
      const changes = new TableChanges(new LakeAccess(lake.storage, lake.log), 0)
      const columns = [
        { name: 'm action', type: 'INTEGER' },
        { name: 'm file', type: 'VARCHAR' },
        { name: 'm row', type: 'BIGINT' },
        { name: 'c0', type: 'INTEGER' },
      ]
      const found = (async function* () {
        yield places.map((place) => [1, path, BigInt(place), 100])
      })()
      const readAs = { tables: [], commit: at ?? (await commits()), rules: '' }
      const answer = { columns, rows: found, readAs } as unknown as QueryAnswer
      let changed = 0
      await changes.change(
        { name: 'boss', rights: allRights },
        { schema: 'scratch', name: 'large' },
        { sql: '', actions: [{ does, sets: does === 'update' ? ['qty'] : [] }], columns: ['qty'] },
        {
          ...{ answer, signal: abortController().signal },
          commit: async ({ rows }, make) => {
            changed = rows
            await make()
          },
        },
      )
      return changed
    }
    const before = new Map((await rows('SELECT id, qty FROM large')).map(([id, qty]) => [id, qty]))
    const all = [...before.keys()]
    expect(await change('delete', [3, 7])).toBe(2)
    expect(await change('update', [11])).toBe(1)
    const after = new Map((await rows('SELECT id, qty FROM large')).map(([id, qty]) => [id, qty]))
    const gone = all.filter((id) => !after.has(id ?? ''))
    expect(gone.length).toBe(2)
    for (const id of gone) before.delete(id ?? '')
    const other = [...after].filter(([id, qty]) => before.get(id) !== qty)
    expect(other.map(([, qty]) => qty)).toEqual(['100'])
    expect(after.size).toBe(before.size)
    const tasks = await (await client.table('large')).plan()
    expect(
      tasks.map(({ file, deletes }) => [file.rows, deletes.map((one) => one.rows)]).sort(),
    ).toEqual([
      [1, []],
      [2500, [3]],
    ])
    // Who has read the table before another changed it is to look again.
    const stale = await commits()
    await done('INSERT INTO large VALUES (9999, 1)')
    const lost = await change('delete', [20], stale).catch((error) => error)
    expect(failureOf(lost)).toEqual({
      reason: expect.stringMatching(
        /^ICEBERG_COMMIT_ERROR: Requirement failed: branch main has changed/,
      ),
      category: 2,
      type: 233,
    })
    await done('OPTIMIZE large REWRITE DATA USING BIN_PACK')
    expect((await (await client.table('large')).plan()).map(({ file }) => file.rows)).toEqual([
      2499,
    ])
  })

  it('have small files put together, and snapshots forgotten', async () => {
    await done('CREATE TABLE scratch.many (id int, part string) PARTITIONED BY (part)')
    for (const id of [1, 2, 3]) await done(`INSERT INTO many VALUES (${id}, 'a'), (${id}, 'b')`)
    const files = async () => {
      const table = await client.table('many')
      return {
        files: (await table.plan()).map(({ file }) => `${file.partition}: ${file.rows}`).sort(),
        snapshots: table.metadata.snapshots.length,
      }
    }
    expect(await files()).toEqual({
      files: ['a: 1', 'a: 1', 'a: 1', 'b: 1', 'b: 1', 'b: 1'],
      snapshots: 3,
    })
    await done(`OPTIMIZE many REWRITE DATA USING BIN_PACK WHERE part = 'a'`)
    expect(await files()).toEqual({ files: ['a: 3', 'b: 1', 'b: 1', 'b: 1'], snapshots: 4 })
    await done('OPTIMIZE many REWRITE DATA USING BIN_PACK')
    expect(await files()).toEqual({ files: ['a: 3', 'b: 3'], snapshots: 5 })
    await done('VACUUM many')
    expect((await files()).snapshots).toBe(5)
    await done(`ALTER TABLE many SET TBLPROPERTIES ('vacuum_max_snapshot_age_seconds'='0')`)
    await done('VACUUM many')
    expect((await files()).snapshots).toBe(1)
    expect(await rows('SELECT part, sum(id) FROM many GROUP BY 1 ORDER BY 1')).toEqual([
      ['a', '6'],
      ['b', '6'],
    ])
    expect(await done('DELETE FROM many')).toBe(6)
    expect(await rows('SELECT count(*) FROM many')).toEqual([['0']])
  })

  it('get other columns and names', async () => {
    await done('CREATE TABLE scratch.shape (id int, name string, gone double)')
    await done(`INSERT INTO shape VALUES (1, 'one', 1.5e0)`)
    await done(
      "ALTER TABLE shape ADD COLUMNS (more map<string,int>, note string COMMENT 'what was said')",
    )
    await done('ALTER TABLE shape DROP COLUMN gone')
    await done('ALTER TABLE shape CHANGE COLUMN id number bigint')
    await done(`INSERT INTO shape (number, name, note) VALUES (8589934592, 'two', 'said')`)
    await done('ALTER TABLE `scratch`.`shape` RENAME TO `scratch`.`form`')
    expect(await rows('SELECT number, name, more, note FROM form ORDER BY 1')).toEqual([
      ['1', 'one', null, null],
      ['8589934592', 'two', null, 'said'],
    ])
    await expect(done('ALTER TABLE form CHANGE COLUMN name name int')).rejects.toThrow(
      /does not become integer/,
    )
    await expect(done('ALTER TABLE many DROP COLUMN part')).rejects.toThrow(/cannot be dropped/)
  })

  it('are the lake’s own or lie elsewhere: such are refused, and it is said what to do', async () => {
    const refused: [string, RegExp][] = [
      ['UPDATE silver.sales SET qty = 1', /may not write to silver\.sales|defined in lake\.ts/],
      ['OPTIMIZE silver.sales REWRITE DATA USING BIN_PACK', /may not write|moraine optimize/],
      [
        `CREATE EXTERNAL TABLE x (a int) LOCATION 's3://other/x/'`,
        /NOT_SUPPORTED: .*EXTERNAL TABLE is not served[\s\S]*source in lake\.ts/,
      ],
      ['MSCK REPAIR TABLE many', /NOT_SUPPORTED: .*know all of their files/],
      [`ALTER TABLE many ADD PARTITION (part = 'c')`, /follow from the rows/],
      ['CREATE TABLE y (a int) PARTITIONED BY (day string)', /named without a type/],
      ['DELETE FROM nothing', /does not exist/],
    ]
    for (const [sql, why] of refused) await expect(done(sql), sql).rejects.toThrow(why)
    await expect(client.ask('DELETE FROM form', 'clerk')).rejects.toThrow(/does not exist/)
    await expect(
      client.ask('MERGE INTO form USING gold.daily d ON true WHEN MATCHED THEN DELETE', 'clerk'),
    ).rejects.toThrow(/does not exist/)
    expect(await rows('SELECT count(*) FROM form')).toEqual([['2']])
  })

  it('of other engines have columns that are read as others: they are not written as such', async () => {
    const make = (name: string, type: string, transform?: string) =>
      new LakeAccess(lake.storage, lake.log).main.tables.create(
        { principal: { name: 'boss', rights: allRights } },
        { namespace: ['scratch'], name },
        {
          name,
          schema: {
            ...{ type: 'struct', 'schema-id': 0 },
            fields: [
              { id: 1, name: 'id', required: false, type },
              { id: 2, name: 'n', required: false, type: 'int' },
            ],
          },
          ...(transform === undefined
            ? {}
            : {
                'partition-spec': {
                  'spec-id': 0,
                  fields: [{ 'source-id': 1, name: 'part', transform }],
                },
              }),
        },
      )
    await make('users', 'uuid')
    await make('times', 'time')
    await make('codes', 'fixed[4]')
    await make('owned', 'uuid', 'identity')
    await make('ratios', 'double', 'identity')
    await make('forgotten', 'int', 'void')
    const refused: [string, RegExp][] = [
      [
        "INSERT INTO users VALUES ('6f1c…', 1)",
        /users takes no rows here: its column id is of the type uuid.*copy it: CREATE TABLE/s,
      ],
      ['INSERT INTO users (n) VALUES (1)', /its column id is of the type uuid/],
      ['OPTIMIZE users REWRITE DATA USING BIN_PACK', /its column id is of the type uuid/],
      ['OPTIMIZE times REWRITE DATA USING BIN_PACK', /its column id is of the type time/],
      ['OPTIMIZE codes REWRITE DATA USING BIN_PACK', /its column id is of the type fixed\[4\]/],
      ['DELETE FROM owned', /not written to here: its partition part is identity of id \(uuid\)/],
      ['INSERT INTO ratios VALUES (1.5, 1)', /identity\('id'\) needs a column of type/],
      ['INSERT INTO forgotten VALUES (1, 1)', /its partition part is void of id \(int\)/],
    ]
    for (const [sql, why] of refused) await expect(done(sql), sql).rejects.toThrow(why)
    await done('DELETE FROM users')
    await done('CREATE TABLE scratch.copied AS SELECT id, n FROM users')
    await done("INSERT INTO copied VALUES ('6f1c', 1)")
  })

  it('keep a uuid as its text, and have no partitions by numbers that are none', async () => {
    await done('CREATE TABLE scratch.keys (id uuid, n int)')
    await done('INSERT INTO keys SELECT CAST(uuid() AS varchar), 1')
    await done('INSERT INTO keys VALUES (NULL, 2)')
    await done('DELETE FROM keys WHERE n = 2')
    expect(await rows('SELECT count(id), sum(n) FROM keys')).toEqual([['1', '1']])
    for (const partition of ['ratio', 'bucket(ratio, 4)'])
      await expect(
        done(
          `CREATE TABLE scratch.ratio WITH (partitioning = ARRAY['${partition}']) AS SELECT 1.5 AS ratio`,
        ),
      ).rejects.toThrow(/needs a column of type .*; 'ratio' is double/)
  })
})
