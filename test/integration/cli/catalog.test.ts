import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseJson, toJsonText } from '../../../src/iceberg/json.js'
import { columnLineage } from '../../../src/plan/lineage.js'
import { catalog } from '../../../src/serve/rest/catalog.js'
import { engineSession } from '../../support/engine.js'
import { Project } from '../../support/project.js'

const session = engineSession()

describe('the columns that a column is computed from', () => {
  const columns: Record<string, string[]> = {
    'silver.orders': ['id', 'customer_id', 'amount', 'Day'],
    'silver.customers': ['id', 'name', 'city'],
  }
  const lineage = async (sql: string) => {
    const tree = await session().parser.tree(sql)
    const found = columnLineage(tree, (table) => columns[table] ?? [])
    return Object.fromEntries(
      [...found].map(([name, sources]) => [
        name,
        sources.map(({ table, column }) => `${table}.${column}`).sort(),
      ]),
    )
  }
  const [orders, customers] = ['silver.orders', 'silver.customers']

  it.each([
    [
      'select id, amount * 2 as double from silver.orders',
      { id: [`${orders}.id`], double: [`${orders}.amount`] },
    ],
    [
      'select o.id, c.name from silver.orders o join silver.customers c on c.id = o.customer_id',
      { id: [`${orders}.id`], name: [`${customers}.name`] },
    ],
    [
      'with o(sum, id) as (select id, amount from silver.orders) select id, sum as s from o',
      { id: [`${orders}.amount`], s: [`${orders}.id`] },
    ],
    [
      'select *, amount + id as s from silver.orders',
      {
        id: [`${orders}.id`],
        customer_id: [`${orders}.customer_id`],
        amount: [`${orders}.amount`],
        day: [`${orders}.Day`],
        s: [`${orders}.amount`, `${orders}.id`],
      },
    ],
    [
      'select * exclude (id, customer_id), 1 as one from silver.orders',
      { amount: [`${orders}.amount`], day: [`${orders}.Day`], one: [] },
    ],
    [
      'select c.* from silver.orders o, silver.customers c',
      { id: [`${customers}.id`], name: [`${customers}.name`], city: [`${customers}.city`] },
    ],
    [
      'with a as (select id as k, amount as v from silver.orders), b as (select k, sum(v) as v from a group by k) select k, v, v / 2 as half from b',
      { k: [`${orders}.id`], v: [`${orders}.amount`], half: [`${orders}.amount`] },
    ],
    [
      'select day, count(*) as n, max(amount) over (partition by day) as m from silver.orders',
      { day: [`${orders}.Day`], n: [], m: [`${orders}.Day`, `${orders}.amount`] },
    ],
    [
      'select id as x from silver.orders union all select id from silver.customers',
      { x: [`${customers}.id`, `${orders}.id`] },
    ],
    [
      'select (select max(name) from silver.customers c where c.id = o.customer_id) as name from silver.orders o',
      { name: [`${customers}.name`] },
    ],
    [
      'select x.total from (select sum(amount) as total from silver.orders) as x',
      { total: [`${orders}.amount`] },
    ],
    [
      "select case when amount > 0 then name else 'none' end as label from silver.orders o join silver.customers c using (id)",
      { label: [`${customers}.name`, `${orders}.amount`] },
    ],
    [
      'select amount as a, a + 1 as b from silver.orders',
      { a: [`${orders}.amount`], b: [`${orders}.amount`] },
    ],
    [
      'select anything, o.other from silver.unknown o',
      { anything: ['silver.unknown.anything'], other: ['silver.unknown.other'] },
    ],
  ])('%s', async (sql, expected) => {
    expect(await lineage(sql)).toEqual(expected)
  })
})

const lake = `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in'), description: 'As the shop exports them.' })
const orders = silver('orders', {
  from: raw, description: 'One row an order.', owner: 'sales@shop.example', tags: ['facts'],
  schema: z.object({ id: t.int(), day: t.date(), cents: t.bigint().describe('What the customer pays.') }),
  select: { id: 'order_id', cents: sql\`cast(cast(amount as decimal(10, 2)) * 100 as bigint)\` },
  key: 'id', partitionBy: [month('day')],
})
const daily = gold('daily', { query: sql\`select day, sum(cents) / 100 as revenue from \${orders} group by day\` })
export default defineLake({ name: 'shop', datasets: [daily] })
`

type Named = Record<string, unknown> & { name: string; dataset: string }

/** Another engine, which keeps a table and a view in the lake. */
async function otherEngine(project: Project) {
  const app = catalog(project.storage, { token: 'x', isLocal: () => true })
  const ask = async (path: string, body: object) => {
    const init = { method: 'POST', headers: { authorization: 'Bearer x' } }
    const answer = await app.request(`/v1/${path}`, { ...init, body: toJsonText(body, 0) })
    expect(answer.status).toBe(200)
    return parseJson(await answer.text()) as any
  }
  const field = (id: number, name: string, type: unknown) => ({ id, name, required: false, type })
  const share = {
    type: 'struct',
    fields: [field(4, 'name', 'string'), field(5, 'share', 'double')],
  }
  const parts = { type: 'list', 'element-id': 3, 'element-required': false, element: share }
  const id = { ...field(1, 'id', 'long'), required: true }
  await ask('namespaces', { namespace: ['ml'] })
  const { metadata } = await ask('namespaces/ml/tables', {
    name: 'scores',
    schema: { type: 'struct', fields: [id, field(2, 'parts', parts)], 'identifier-field-ids': [1] },
    'partition-spec': {
      fields: [{ 'source-id': 1, name: 'id_bucket', transform: 'bucket[4]' }],
    },
    properties: { comment: 'What the model thinks' },
  })
  const snapshot = {
    'snapshot-id': 9_223_372_036_854_775_807n,
    'sequence-number': 1,
    'timestamp-ms': Date.now(),
    summary: {
      operation: 'append',
      'total-records': '7',
      'total-position-deletes': '1',
      'total-data-files': '2',
      'total-files-size': '300',
    },
    'manifest-list': `${metadata.location}/metadata/1.avro`,
  }
  const ref = { 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshot['snapshot-id'] }
  const created = await ask('namespaces/ml/tables/scores', {
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', ...ref },
    ],
  })
  await ask('namespaces/ml/views', {
    name: 'top',
    schema: { type: 'struct', fields: [id] },
    properties: {},
    'view-version': {
      'version-id': 1,
      'timestamp-ms': Date.now(),
      'schema-id': 0,
      summary: {},
      representations: [{ type: 'sql', sql: 'select id from scores', dialect: 'spark' }],
      'default-namespace': ['ml'],
    },
  })
  return { ask, created }
}

describe('the catalog', () => {
  it('knows each dataset, before and after it is built, down to its columns', async () => {
    const project = await Project.create({
      'lake.ts': lake,
      'in/a.csv': 'order_id,day,amount\n1,2026-01-05,12.50\n2,2026-02-05,1\n',
    })
    const json = async (...args: string[]) =>
      JSON.parse((await project.cli('catalog', ...args, '--json')).stdout)
    const before = await json('silver.orders')
    expect(before).toMatchObject([
      {
        name: 'silver.orders',
        rows: null,
        changed: null,
        from: ['bronze.orders'],
        to: ['gold.daily'],
      },
    ])
    await project.run()
    const [orders] = await json('silver.orders')
    expect(orders).toMatchObject({
      rows: 2,
      files: 2,
      key: ['id'],
      partitions: ['month(day)'],
      owner: 'sales@shop.example',
    })
    expect(orders.columns.find((c: { name: string }) => c.name === 'cents')).toEqual({
      name: 'cents',
      type: 'bigint',
      description: 'What the customer pays.',
      from: [{ table: 'bronze.orders', column: 'amount' }],
      to: [{ table: 'gold.daily', column: 'revenue' }],
    })
    expect(orders.columns.find((c: { name: string }) => c.name === 'id').from).toEqual([
      { table: 'bronze.orders', column: 'order_id' },
    ])
    const [daily] = await json('gold.daily')
    expect(daily.columns).toMatchObject([
      { name: 'day', type: 'date', from: [{ table: 'silver.orders', column: 'day' }] },
      { name: 'revenue', from: [{ table: 'silver.orders', column: 'cents' }] },
    ])
    expect(
      (await json('--search', 'customer pays')).map(({ name }: { name: string }) => name),
    ).toEqual(['silver.orders'])
    expect((await json('--search', 'shop')).map(({ name }: { name: string }) => name)).toEqual([
      'bronze.orders',
      'silver.orders',
    ])
    const none = await project.cli('catalog', '--search', 'penguins')
    expect([none.code, none.stderr]).toEqual([
      2,
      expect.stringContaining("No dataset matches 'penguins'"),
    ])
  })

  it('says where the newest metadata of each table lie, also of those that other engines keep', async () => {
    const project = await Project.create({
      'lake.ts': lake,
      'in/a.csv': 'order_id,day,amount\n1,2026-01-05,12.50\n2,nonsense,1\n',
    })
    await project.run()
    const { ask, created } = await otherEngine(project)
    const scores = created['metadata-location']
    const { stdout } = await project.cli('status', '--json')
    const status = JSON.parse(stdout)
    const { tables } = await project.state()
    const at = (path: string) => ({ path, location: project.storage.locate(path) })
    expect(
      Object.fromEntries(status.datasets.map((one: Named) => [one.dataset, one.metadata])),
    ).toEqual({
      'bronze.orders': null,
      'silver.orders': at(tables['silver.orders']?.metadata as string),
      'gold.daily': at(tables['gold.daily']?.metadata as string),
    })
    const discarded = {
      name: 'discarded.orders',
      metadata: at(tables['discarded.orders']?.metadata as string),
    }
    expect(status.datasets[1].companions).toEqual([discarded])
    expect(status.external).toMatchObject([
      { name: 'ml.scores', namespace: ['ml'], kind: 'table', metadata: { location: scores } },
      { name: 'ml.top', namespace: ['ml'], kind: 'view' },
    ])
    const entries: Named[] = JSON.parse((await project.cli('catalog', '--json')).stdout)
    const entry = (name: string) => entries.find((one) => one.name === name)
    expect(entry('silver.orders')).toMatchObject({
      metadata: status.datasets[1].metadata,
      companions: [discarded],
    })
    expect(entry('ml.scores')).toMatchObject({
      tier: 'external',
      description: 'What the model thinks',
      columns: [
        { name: 'id', type: 'long' },
        { name: 'parts', type: 'list<struct<name: string, share: double>>' },
      ],
      key: ['id'],
      partitions: ['bucket[4](id)'],
      rows: 6,
      files: 2,
      bytes: 300,
      metadata: { location: scores },
    })
    // It is the newest one, after a change as well.
    const updates = [{ action: 'set-properties', updates: { owner: 'ada' } }]
    const changed = await ask('namespaces/ml/tables/scores', { updates })
    const [now] = JSON.parse((await project.cli('catalog', 'ml.scores', '--json')).stdout)
    expect(now).toMatchObject({ owner: 'ada' })
    expect(now.metadata.location).toBe(changed['metadata-location'])
    expect(now.metadata.location).not.toBe(scores)
  })

  it('shows people what other engines keep, and what of it can’t be read', async () => {
    const project = await Project.create({
      'lake.ts': lake,
      'in/a.csv': 'order_id,day,amount\n1,2026-01-05,12.50\n',
    })
    await project.run()
    const { created } = await otherEngine(project)
    expect((await project.cli('status')).stdout).toContain(
      '\nOf other engines: 1 table and 1 view (ml.scores, ml.top)\n',
    )
    const list = (await project.cli('catalog')).stdout
    expect(list).toMatch(/^ml\.scores +2 +6 +300 B +20\S+ \S+ +What the model thinks$/m)
    expect(list).toMatch(/^ml\.top +1 +a view/m)
    const full = (await project.cli('catalog', 'ml.scores')).stdout
    expect(full).toMatch(/^rows +6 in 2 files, 300 B$/m)
    expect(full).toContain(`metadata     ${created['metadata-location']}\n`)
    expect(full).toMatch(/^column +type *\n/m)
    const path = created['metadata-location'].slice(project.storage.url.length + 1)
    await writeFile(join(project.folder, 'lake', path), 'not what was written')
    const damaged = await project.cli('catalog')
    expect(damaged.code).toBe(0)
    expect(damaged.stdout).toMatch(/^gold\.daily /m)
    expect(damaged.stdout).toMatch(/^ml\.scores .*SHA-256 does not match$/m)
  })

  it('is current after each run: a crawl of a layer finds nothing to change', async () => {
    const project = await Project.create({
      'lake.ts': lake,
      'in/a.csv': 'order_id,day,amount\n1,2026-01-05,12.50\n2,2026-02-05,1\n',
    })
    const layers = async () => {
      for (const tier of ['bronze', 'silver', 'gold']) {
        const { code, stdout, stderr } = await project.cli('crawl', tier)
        expect([stdout + stderr, code]).toEqual([expect.stringContaining('Nothing to change'), 0])
      }
    }
    await project.run()
    await layers()
    await project.write({
      'in/b.csv': 'order_id,day,amount,note\n2,2026-02-06,2,late\n3,2026-03-05,7,\n',
    })
    await project.run()
    await layers()
    await project.write({
      'lake.ts': lake.replace('day: t.date(),', 'day: t.date(), note: z.string().nullable(),'),
    })
    await project.run()
    await layers()
    // It does find what is not so.
    await project.write({
      'lake.ts': lake.replace('day: t.date(),', 'day: t.date(), extra: z.string().nullable(),'),
    })
    const { code, stdout } = await project.cli('crawl', 'silver')
    expect([code, stdout]).toEqual([1, expect.stringContaining('extra string')])
  })
})

describe('a crawl of a folder', () => {
  const many = Array.from(
    { length: 150 },
    (_, i) =>
      `${i + 1},${['open', 'paid'][i % 2]},${i}.50,2026-01-0${(i % 9) + 1},${i % 5 === 0 ? '' : 'x'}`,
  )
  const content = {
    'data/orders_jan.csv': `order_id,status,amount,day,note\n${many.slice(0, 75).join('\n')}\n`,
    'data/orders_feb.csv': `order_id,status,amount,day,note\n${many.slice(75).join('\n')}\n`,
    'data/customers.txt':
      '1|Ada|2026-01-31 10:00:00\n2|Bob|2026-02-01 11:30:00\n007|Eve|2026-02-01 11:30:00\n',
    'data/events/day=2026-01-01/a.jsonl':
      '{"id":"6f9619ff-8b86-d011-b42d-00c04fc964ff","at":"2026-01-01T10:00:00Z","tags":["a"],"ok":true}\n{"id":"6f9619ff-8b86-d011-b42d-00c04fc964fe","at":"2026-01-01T10:00:01Z","n":3}\n',
    'data/events/day=2026-01-02/a.jsonl':
      '{"id":"6f9619ff-8b86-d011-b42d-00c04fc964fd","at":"2026-01-02T10:00:00Z","ok":false}\n',
    'data/prices.json': '[{"sku":"a","price":1.5},{"sku":"b","price":20}]',
    'data/stock.xml':
      '<stock><item id="1"><count>5</count></item><item id="2"><count>6</count></item></stock>',
    'data/.hidden.csv': 'a,b\n1,2\n',
    'data/image.png': Buffer.from([0x89, 0x50, 0, 1]),
  }

  it('writes definitions that run as they are, and no row of good files is discarded', async () => {
    const project = await Project.create(content)
    const { code, stdout, stderr } = await project.cli('crawl', 'data')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('data/image.png has no columns')
    const text = await readFile(join(project.folder, 'lake.ts'), 'utf8')
    expect(text).toContain("files('data/*.csv')")
    expect(text).toContain('order_id: t.int(),')
    expect(text).toContain("status: z.enum(['open', 'paid']),")
    expect(text).toContain('amount: t.decimal(18, 2),')
    expect(text).toContain('day: t.date(),')
    expect(text).toContain('note: z.string().nullable(),')
    expect(text).toContain("key: 'order_id'")
    const record = await project.run()
    expect([record.error, ...record.steps.map((s) => s.error)].filter(Boolean)).toEqual([])
    const counts = record.steps
      .filter((s) => s.counts)
      .map((s) => [s.dataset, s.counts?.in, s.counts?.kept])
    expect(Object.fromEntries(counts.map(([name, all]) => [name, all]))).toEqual({
      'silver.orders': 150,
      'silver.customers': 3,
      'silver.events': 3,
      'silver.prices': 2,
      'silver.stock': 2,
    })
    expect(counts.filter(([, all, kept]) => all !== kept)).toEqual([])
    expect(
      await project.query('SELECT day, count(*) AS n FROM silver.events GROUP BY day ORDER BY day'),
    ).toEqual([
      { day: '2026-01-01', n: 2n },
      { day: '2026-01-02', n: 1n },
    ])
  })

  it('shows later what has changed, and keeps the catalog as the policies say', async () => {
    const project = await Project.create(content)
    const crawl = async (...args: string[]) => (await project.cli('crawl', 'data', ...args)).stdout
    const known = async () => {
      const { stdout } = await project.cli('catalog', '--json')
      const all: { name: string; tags: string[]; columns: { name: string }[] }[] =
        JSON.parse(stdout)
      return Object.fromEntries(
        all
          .filter(({ name }) => name.startsWith('source.'))
          .map(({ name, tags, columns }) => [name, [tags.join(), columns.length]]),
      )
    }
    await crawl()
    expect(await crawl()).toContain('data has not changed since the last crawl')
    const edited = `${await readFile(join(project.folder, 'lake.ts'), 'utf8')}// mine\n`
    await project.write({
      'lake.ts': edited,
      'data/prices.json': '[{"sku":"a","price":"1.5 CHF","from":"2026-01-01"}]',
      'data/new.csv': 'x,y\n1,2\n',
    })
    await writeFile(join(project.folder, 'data/stock.xml'), '')
    const log = await crawl('--on-change', 'log', '--on-gone', 'log')
    expect(log).toContain('~ data/prices.json')
    expect(log).toMatch(/\+ from: t\.date\(\)/)
    expect(log).toMatch(
      /~ price: t\.decimal\(18, 1\) not null → t\.decimal\(18, 1, \{ currency: 'CHF' \}\)/,
    )
    expect(log).toContain('- data/stock.xml is gone')
    expect(await known()).toMatchObject({
      'source.data.prices': ['', 2],
      'source.data.stock': ['', 2],
    })
    await crawl()
    expect(await known()).toMatchObject({
      'source.data.prices': ['', 3],
      'source.data.stock': ['deprecated', 2],
    })
    await crawl('--on-gone', 'delete')
    expect(Object.keys(await known())).not.toContain('source.data.stock')
    // What somebody wrote stays.
    expect(await readFile(join(project.folder, 'lake.ts'), 'utf8')).toBe(edited)
  })

  it.each([
    [['nowhere'], /nowhere does not exist/],
    [['env:NO_SUCH_URL'], /The environment variable NO_SUCH_URL is not set/],
    [['ftp://x/y'], /not a source that can be crawled/],
    [['data', '--on-gone', 'burn'], /--on-gone burn is not a policy/],
    [['empty'], /No files in .*empty can be read/],
  ])('tells what is wrong: %s', async (args, message) => {
    const project = await Project.create({ ...content, 'empty/.keep': '' })
    const { code, stderr } = await project.cli('crawl', ...args)
    expect([code !== 0, stderr]).toEqual([true, expect.stringMatching(message)])
  })
})
