import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sample } from '../support/effort.js'
import { Project } from '../support/project.js'
import { withService } from '../support/services.js'
import { until } from '../support/until.js'
import { exported } from './exported.js'
import { startProxy } from './proxy.js'
import { type Client, type Kind, kinds, redshiftKind, sqlserverKind } from './targets.js'

const lake = (kind: Kind, target: string, schema: string, afterRuns: boolean) => `
import { bronze, defineLake, gold, silver, sql, t, warehouse, z } from 'moraine'
import { files } from 'moraine/sources'
import { ${kind.builder} } from '${kind.from}'

const raw = bronze('orders', { from: files('in/*.csv') })
export const orders = silver('orders', {
  from: raw,
  schema: z.object({
    id: t.bigint(),
    day: t.date(),
    amount: t.decimal(12, 2),
    note: t.string().nullable(),
    at: t.timestamp(),
    paid: t.boolean(),
  }),
  key: 'id',
  cursor: 'at',
})
export const daily = gold('daily', {
  query: sql\`select day, count(*) as orders, sum(amount) as revenue from \${orders} group by day\`,
  incremental: { by: 'day' },
})
export default defineLake({
  name: 'shop',
  datasets: [raw, orders, daily],
  exports: [
    warehouse(${target}, {
      tables: [
        { dataset: daily, as: '${kind.schema('x') ? 'daily' : `${schema}_daily`}' },
        { dataset: orders, as: '${kind.schema('x') ? 'orders' : `${schema}_orders`}' },
      ]${kind.schema(schema)},
      afterRuns: ${afterRuns},
    }),
  ],
})
`

const header = 'id,day,amount,note,at,paid\n'
const first = `${header}1,2026-01-01,10.50,"a ""quoted"", note",2026-01-01 10:00:00.123456,true
2,2026-01-01,5.25,,2026-01-01 11:00:00,false
3,2026-01-02,7.00,"two
lines and a \\ and NULL",2026-01-02 09:00:00,true
4,2026-01-03,-7.00,NULL,2026-01-02 09:00:00,true
`

const many = (from: number, to: number) =>
  Array.from(
    { length: to - from + 1 },
    (_, i) =>
      `${from + i},2026-01-${String(1 + ((from + i) % 28)).padStart(2, '0')},${from + i}.25,note ${from + i},2026-01-01 00:00:00,true\n`,
  ).join('')

const columns = {
  'silver.orders': ['id', 'day', 'amount', 'note'],
  'gold.daily': ['day', 'orders', 'revenue'],
}

describe.each([...kinds, redshiftKind, sqlserverKind])('a warehouse in $name', (kind) => {
  withService(kind.name, kind.needs, () => {
    let server: Awaited<ReturnType<Kind['start']>>
    let client: Client
    beforeAll(async () => {
      server = await kind.start()
      client = await kind.connect(server.url)
    })
    afterAll(async () => {
      await client?.end()
      await server?.stop()
    })
    const at = kind.table
    const project = (schema: string, rows: string, afterRuns = true) =>
      Project.create({
        'lake.ts': lake(kind, kind.target(server), schema, afterRuns),
        'in/1.csv': rows,
      })

    /** Rows of datasets and of their tables in the warehouse, as texts. */
    const both = async (of: Project, schema: string) => {
      const found: unknown[] = []
      for (const [dataset, names] of Object.entries(columns)) {
        const ours = names.map((name) => `cast("${name}" as varchar) as "${name}"`)
        const quoted = (name: string) => `${kind.quote}${name}${kind.quote}`
        const theirs = names.map((name) => `${kind.text(name)} as ${quoted(name)}`)
        const table = at(schema, dataset.split('.')[1] as string)
        const sorted = (rows: object[]) => rows.map((row) => JSON.stringify(row)).sort()
        found.push([
          sorted(await of.query(`select ${ours.join(', ')} from ${dataset}`)),
          sorted(await client.query(`select ${theirs.join(', ')} from ${table}`)),
        ])
      }
      return found as [string[], string[]][]
    }
    const expectSame = async (of: Project, schema: string) => {
      for (const [ours, theirs] of await both(of, schema)) expect(theirs).toEqual(ours)
    }
    const count = async (table: string) => {
      const [row = {}] = await client.query(`select count(*) as n from ${table}`)
      return Number(row.n)
    }

    it('has what the lake has after a run, and is left alone until that changes', async () => {
      const of = await project('first', first)
      const ran = await of.cli('run')
      const table = at('first', 'daily')
      expect(ran.stdout).toContain(`→ ${kind.builder}: ${table}  3 rows (first export)`)
      expect(ran.code).toBe(0)
      await expectSame(of, 'first')
      const again = await of.cli('export', '--json')
      const { exports } = JSON.parse(again.stdout)
      expect(exports.map((one: { outcome: string }) => one.outcome)).toEqual([
        'unchanged',
        'unchanged',
      ])
    })

    it('gets the rows that changed, by their key or part, and no others', async () => {
      const of = await project('changing', `${header}${many(1, 500)}`)
      await of.cli('run')
      const changed = `7,2026-03-01,1.00,changed,2026-03-01 00:00:00,true\n501,2026-03-02,2.00,new,2026-03-02 00:00:00,true\n`
      await of.write({ 'in/2.csv': `${header}${changed}` })
      const ran = await of.cli('run')
      expect(ran.stdout).toContain(`${at('changing', 'orders')}  2 rows written of 501`)
      // The day that row 7 was on, and the two new ones.
      expect(ran.stdout).toContain(`${at('changing', 'daily')}  3 rows written of 30`)
      await expectSame(of, 'changing')
      // Rows that lie in other files are no other rows.
      await of.cli('optimize')
      const left = await of.cli('export')
      expect(left.stdout).toMatch(/ {2}(0 rows written of 501|it has the rows of commit)/)
    })

    it('is loaded anew where the key has changed, and has the new one', async () => {
      const keyOf = async () => {
        if (!['postgres', 'mysql'].includes(kind.builder)) return undefined
        const own = at('keyed', 'orders').split('.').at(-1)
        const rows = await client.query(
          `select column_name as "name" from information_schema.key_column_usage where table_name = '${own}' order by ordinal_position`.replaceAll(
            '"',
            kind.quote,
          ),
        )
        return rows.map(({ name }) => name)
      }
      const text = lake(kind, kind.target(server), 'keyed', true)
      const of = await project('keyed', `${header}${many(1, 100)}`)
      const again = (id: number) => `${id},2026-02-01,1.00,again,2026-02-01 00:00:00,true\n`
      await of.write({ 'in/2.csv': `${header}${[1, 2, 3, 4, 5].map(again).join('')}` })
      expect((await of.cli('run')).code).toBe(0)
      for (const [key, columns, rows] of [
        ["['id', 'day']", ['id', 'day'], 105],
        ["'id'", ['id'], 100],
      ] as const) {
        await of.write({ 'lake.ts': text.replace("key: 'id'", `key: ${key}`) })
        const ran = await of.cli('run', '--allow-breaking', '--accept-definition')
        expect(ran.code, ran.stdout + ran.stderr).toBe(0)
        expect(ran.stdout).toContain(
          `${at('keyed', 'orders')}  ${rows} rows (its key or cursor has changed)`,
        )
        await expectSame(of, 'keyed')
        expect([undefined, columns]).toContainEqual(await keyOf())
      }
      // Before the next run, the table has its old key, and no row of it can be found by a new one.
      await of.write({ 'in/3.csv': `${header}${again(6)}` })
      await of.write({ 'lake.ts': text.replace('afterRuns: true', 'afterRuns: false') })
      await of.cli('run')
      await of.write({ 'lake.ts': text.replace("key: 'id'", "key: 'amount'") })
      const early = await of.cli('export')
      expect(early.code, early.stdout).toBe(0)
      await expectSame(of, 'keyed')
    })

    it('tells rows apart whose keys differ by a blank at their end', async () => {
      const row = (id: string, note: string, day = '01') =>
        `"${id}",2026-01-01,1.00,${note},2026-01-${day} 10:00:00,true\n`
      const rows = ['a', 'a ', 'b', 'c', 'd'].map((id) => row(id, 'first')).join('')
      const of = await project('blanks', `${header}${rows}`)
      const texts = lake(kind, kind.target(server), 'blanks', true)
      await of.write({ 'lake.ts': texts.replace('id: t.bigint()', 'id: t.string()') })
      expect((await of.cli('run')).code).toBe(0)
      await of.write({ 'in/2.csv': `${header}${row('a', 'second', '02')}` })
      const ran = await of.cli('run')
      expect(ran.code, ran.stdout).toBe(0)
      expect(ran.stdout).toContain('1 row written of 5')
      await expectSame(of, 'blanks')
    })

    it('never touches a table that no export made, and says what to do', async () => {
      const table = at('taken', 'daily')
      if (table.includes('.')) await client.query('create schema taken')
      await client.query(`create table ${table} (mine int)`)
      await client.query(`insert into ${table} values (42)`)
      const of = await project('taken', first)
      const ran = await of.cli('run')
      expect(ran.code).toBe(1)
      expect(ran.stdout).toContain(`${table} exists, and no export of Moraine has made it`)
      expect((await client.query(`select mine from ${table}`)).map((row) => row.mine)).toEqual([42])
      expect((await of.state()).tables['gold.daily']?.rows).toBe(3)
    })

    it('refuses what would differ from the lake, and loads all of it when told to', async () => {
      const of = await project('touched', `${header}${many(1, 100)}`)
      const table = at('touched', 'orders')
      await of.cli('run')
      await client.query(`delete from ${table} where id = 50`)
      await of.write({ 'in/2.csv': `${header}101,2026-03-02,2.00,n,2026-03-02 00:00:00,true\n` })
      const ran = await of.cli('run')
      expect(ran.code).toBe(1)
      expect(ran.stdout).toContain('the lake has 101 rows, the target would have 100')
      expect(await count(table)).toBe(99)
      expect((await of.cli('export', 'silver.orders', '--full')).code).toBe(0)
      await expectSame(of, 'touched')
    })

    // Others replace the table that views read.
    if (kind.builder === 'postgres')
      it('has its columns under their names where views read it', async () => {
        const of = await project('seen', first)
        await of.cli('run')
        await client.query('create view seen.revenue as select day, revenue from seen.daily')
        const all = 'count(*) as orders, sum(amount) as revenue'
        const other = (what: string) =>
          of.write({ 'lake.ts': lake(kind, kind.target(server), 'seen', true).replace(all, what) })
        await other('sum(amount) as revenue, count(*) as orders')
        const ran = await of.cli('run', '--allow-breaking')
        expect(ran.code, ran.stdout + ran.stderr).toBe(0)
        await expectSame(of, 'seen')
        await other('sum(amount) / 3 as revenue, count(*) as orders')
        const wider = await of.cli('run', '--allow-breaking')
        expect(wider.stdout).toContain(
          'seen.daily has other columns than gold.daily, and views read it',
        )
        await client.query('drop view seen.revenue')
        expect((await of.cli('export')).code).toBe(0)
        await expectSame(of, 'seen')
      })

    /** A lake with one table of gold, which has one value, or no row. */
    const valued = (schema: string, value: string, name = 'x', rest = '') =>
      Project.create({
        'lake.ts': `
import { bronze, defineLake, gold, sql, warehouse } from 'moraine'
import { files } from 'moraine/sources'
import { ${kind.builder} } from '${kind.from}'
const raw = bronze('one', { from: files('one.csv') })
const odd = gold('odd', { query: sql\`select ${value} as "${name}" from \${raw}${rest}\` })
export default defineLake({
  name: 'shop',
  datasets: [odd],
  exports: [warehouse(${kind.target(server)}, { tables: [{ dataset: odd, as: '${kind.schema('x') ? 'odd' : `${schema}_odd`}' }]${kind.schema(schema)} })],
})`,
        'one.csv': 'a\n1\n',
      })

    it('has a table without rows, and later those that come', async () => {
      const of = await valued('bare', 'cast(a as integer)', 'x', " where a <> '1'")
      expect((await of.cli('run')).stdout).toContain('odd  0 rows (first export)')
      await of.write({ 'one.csv': 'a\n1\n2\n' })
      expect((await of.cli('run')).stdout).toMatch(/odd {2}1 row \(changed since commit \d+/)
      expect(await count(at('bare', 'odd'))).toBe(1)
    })

    if (kind.builder !== 'redshift')
      it('has columns under any name that SQL allows', async () => {
        for (const name of ['a "b"', 'back`tick', '[b] ]', 'ünï', 'Select', 'a, b; --', '%s']) {
          const of = await valued('names', '42', name.replaceAll('"', '""').replaceAll('`', '\\`'))
          const [result] = (await of.run()).exports ?? []
          expect(result, JSON.stringify(result)).toMatchObject({ outcome: 'exported', rows: 1 })
          expect(await client.query(`select * from ${at('names', 'odd')}`)).toEqual([
            { [name]: 42 },
          ])
          const gone = at('names', 'odd').includes('.')
            ? 'drop schema names cascade'
            : 'drop table names_odd, _moraine_exports'
          await client.query(gone)
        }
      })

    if (kind.builder === 'mysql')
      it('has days before 1582 as they are', async () => {
        for (const value of ["date '0001-01-01'", "date '1582-10-10'", "date '9999-12-31'"]) {
          const [result] = (await (await valued('days', value)).run()).exports ?? []
          expect(result?.outcome, JSON.stringify(result)).toBe('exported')
          const [row] = await client.query('select cast(x as char) as x from days_odd')
          expect(row?.x).toBe(value.slice(6, -1))
          await client.query('drop table days_odd, _moraine_exports')
        }
      })

    // By a real server; the double has tests of its own.
    if (kind.builder === 'postgres' || kind.builder === 'mysql')
      it('is as before where the server goes away amid rows, and has all after the next export', async () => {
        const proxy = await startProxy(server.url)
        const target = kind.target({ ...server, url: proxy.url })
        const of = await Project.create({
          'lake.ts': lake(kind, target, 'cut', false),
          'in/1.csv': `${header}${many(1, 20_000)}`,
        })
        await of.run()
        proxy.cutAfter(200_000)
        const broken = await exported(of)
        expect(broken.stdout).toMatch(/failed \S*orders: .*(connection was lost|ECONNRESET|EPIPE)/)
        proxy.cutAfter(Infinity)
        expect((await exported(of)).stdout).not.toContain('failed')
        await expectSame(of, 'cut')
        await proxy.stop()
      })

    if (kind.builder === 'mysql')
      it('refuses values that MySQL does not have, by name', async () => {
        for (const [value, shown] of [
          ["cast('nan' as double)", 'nan'],
          ["cast('-inf' as float)", '-inf'],
          ["date '10000-01-01'", '10000-01-01'],
        ]) {
          const [result] = (await (await valued('odd', value as string)).run()).exports ?? []
          expect(result?.reason).toBe(
            `odd_odd: column x has the value ${shown}, which MySQL can't hold`,
          )
        }
      })

    if (kind.builder === 'postgres') {
      it('refuses values and names that PostgreSQL does not have; others are kept', async () => {
        const reasonOf = async (value: string, name?: string) =>
          ((await (await valued('odd', value, name)).run()).exports ?? [])[0]
        expect((await reasonOf("date 'infinity'"))?.reason).toBe(
          "odd.odd: column x has the value infinity, which PostgreSQL can't hold",
        )
        const withNul = await reasonOf("'a' || chr(0)")
        expect(withNul?.error?.hint).toContain('such as NUL')
        expect((await reasonOf('1', 'ä'.repeat(32)))?.reason).toContain(
          'names in PostgreSQL have at most 63 bytes',
        )
        const ancient = "struct_pack(a := date '0044-03-15 (BC)')"
        for (const [value, there] of [
          ["date '0044-03-15 (BC)'", '0044-03-15 BC'],
          ["timestamp '0044-03-15 (BC) 10:00:00.000001'", '0044-03-15 10:00:00.000001 BC'],
          ["timestamp '12026-01-01 10:00:00'", '12026-01-01 10:00:00'],
          ["date '1582-10-10'", '1582-10-10'],
          ["cast('nan' as double)", 'NaN'],
          ["cast('-inf' as float)", '-Infinity'],
          ["cast('-0' as double)", '-0'],
          [ancient, '{"a": "0044-03-15 (BC)"}'],
        ]) {
          await client.query('drop schema if exists odd cascade')
          expect(await reasonOf(value as string)).toMatchObject({ reason: 'first export' })
          const found = await client.query('select cast(x as varchar) as x from odd.odd')
          expect(found).toEqual([{ x: there }])
        }
      })

      it('begins a schema that another export has begun and not committed yet', async () => {
        const of = await project('begun', first, false)
        await of.run()
        await client.query('begin')
        await client.query(
          "select pg_advisory_xact_lock(hashtextextended('moraine begun._moraine_exports', 0))",
        )
        await client.query('create schema begun')
        const ended = exported(of)
        const other = await kind.connect(server.url)
        const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
        await until('the export waits', async () => (await other.query(waiting)).length > 0)
        await other.end()
        await client.query('commit')
        expect((await ended).stdout).not.toContain('failed')
        await expectSame(of, 'begun')
      })
    }

    it('is as before or as after where an export is killed, and goes on from there', async () => {
      const of = await project('killed', `${header}${many(1, 60)}`, false)
      await of.cli('run')
      await of.cli('export')
      const points = ['locked', 'planned', 'staged', 'compared', 'applied', 'recorded', 'done']
      let id = 100
      const cases = [false, true].flatMap((full) => points.map((point) => ({ full, point })))
      for (const { full, point } of sample(cases, 2, 6)) {
        const before = await both(of, 'killed')
        // Most rows change for all of them to be loaded.
        const rows = full ? many(1, 60).replaceAll('note', `note ${id}`) : ''
        const later = `2026-02-01 00:00:${String(id - 90).padStart(2, '0')}`
        const more = `${++id},2026-03-02,2.00,n,2026-03-02 00:00:00,true\n`
        const text = `${header}${rows.replaceAll('2026-01-01 00:00:00', later)}${more}`
        await of.write({ [`in/${id}.csv`]: text })
        await of.run()
        const ended = await exported(of, point, '2')
        expect(ended.signal, ended.stdout).toBe('SIGKILL')
        const [, [ours, theirs] = [[], []]] = await both(of, 'killed')
        const [, [, old] = [[], []]] = before
        expect([ours, old]).toContainEqual(theirs)
        expect((await of.cli('export')).stdout, point).not.toContain('failed')
        await expectSame(of, 'killed')
      }
    })

    it('is loaded once where two exports come at the same time', async () => {
      const of = await project('twice', `${header}${many(1, 3000)}`, false)
      await of.run()
      const ended = await Promise.all([exported(of), exported(of), exported(of)])
      const all = ended.map(({ stdout }) => stdout).join('')
      expect(all, JSON.stringify(ended)).toContain('exported')
      const table = at('twice', 'orders')
      expect(all.match(new RegExp(`^exported ${table}`, 'gm'))).toHaveLength(1)
      expect(all.match(new RegExp(`^unchanged ${table}`, 'gm'))).toHaveLength(2)
      await expectSame(of, 'twice')
      const records = table.includes('.') ? 'twice._moraine_exports' : '_moraine_exports'
      const own = table.split('.').at(-1)
      expect(await count(`${records} where table_name = '${own}'`)).toBe(1)
    })
  })
})
