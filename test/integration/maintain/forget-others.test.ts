import { describe, expect, it } from 'vitest'
import { Project } from '../../support/project.js'

/** Customers of shops, what they ordered, and who gets letters. */
const lakeOf = ({ key = "'id'", target = 'id', letters = 'z.string()' } = {}) => `
import { bronze, check, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const from = (name) => bronze(name, { from: files(name + '.csv') })
const customers = silver('customers', {
  from: from('customers'), key: ${key}, identifies: ['email'],
  schema: z.object({ shop: t.bigint(), id: t.bigint(), name: z.string(), email: z.string() }),
})
const orders = silver('orders', {
  from: from('orders'), key: 'order_id', checks: [check.references('customer_id', customers, '${target}', { severity: 'warn' })],
  schema: z.object({ order_id: t.int(), customer_id: t.bigint() }),
})
const letters = silver('letters', {
  from: from('letters'), identifies: ['email'], schema: z.object({ email: ${letters}, sent: z.string() }),
})
export default defineLake({ name: 'shops', datasets: [customers, orders, letters] })
`

async function lakeOfShops(
  customers: readonly string[],
  { letters = [], definition = lakeOf() }: { letters?: string[]; definition?: string } = {},
): Promise<Project> {
  const project = await Project.create({
    'lake.ts': definition,
    'customers.csv': ['shop,id,name,email', ...customers, ''].join('\n'),
    'orders.csv': 'order_id,customer_id\n10,2\n11,2\n12,3\n',
    'letters.csv': ['email,sent', ...letters, ''].join('\n'),
  })
  await project.run()
  return project
}

const ada = '1,2,Ada,ada@example.org'
const bob = '1,3,Bob,bob@example.org'

/** Forgets, and says what bronze still has; or what was refused. */
async function forgotten(project: Project, ...key: string[]) {
  const { number } = await project.state()
  const { code, stdout, stderr } = await project.cli('forget', 'customers', ...key, '--yes')
  if (code !== 0) expect((await project.state()).number).toBe(number)
  const left = await project.query('select name from bronze.customers order by _source_line')
  return { code, stdout, stderr, left: left.map(({ name }) => name) }
}

describe('forget leaves rows of others', () => {
  it('takes a text for a key only where silver would take it for one', async () => {
    const project = await lakeOfShops([ada, bob])
    for (const text of ['1.6', '0x3', ' 3', '3e0', 'x', '']) {
      const { code, stderr } = await forgotten(project, '--key', text)
      expect([text, code, stderr]).toEqual([text, 2, expect.stringContaining('is not a key of')])
    }
    expect((await forgotten(project, '--key', '3')).left).toEqual(['Ada'])
  })

  it('refuses to follow a value that rows which stay have as well', async () => {
    const parts = { definition: lakeOf({ key: "['shop', 'id']" }) }
    const shops = await lakeOfShops([ada, '2,2,Eve,eve@example.org', bob], parts)
    const part = await forgotten(shops, '--key', 'shop=1', '--key', 'id=2')
    expect(part.stderr).toContain(
      'silver.orders.customer_id has values of silver.customers.id that rows which stay have as well',
    )
    // Of whom nobody else has the id, orders are theirs.
    const alone = await forgotten(shops, '--key', 'shop=1', '--key', 'id=3')
    expect([alone.stderr, alone.left]).toEqual(['', ['Ada', 'Eve']])
    expect(await shops.query('select order_id from silver.orders order by 1')).toHaveLength(2)

    const letters = ['ada@example.org,monday', ',tuesday', 'n/a,friday']
    const family = await lakeOfShops([ada, '1,3,Bob,ada@example.org'], { letters })
    const shared = await forgotten(family, '--key', '2')
    expect(shared.stderr).toContain('silver.letters.email has values of silver.customers.email')
    const both = await forgotten(family, '--where', "email = 'ada@example.org'")
    expect([both.stderr, both.left]).toEqual(['', []])
  })

  it('follows a key of two columns as one value, where both are said to identify', async () => {
    const definition = `
import { bronze, check, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const from = (name) => bronze(name, { from: files(name + '.csv') })
const shape = { shop: t.bigint(), id: t.bigint() }
const customers = silver('customers', {
  from: from('customers'), key: ['shop', 'id'], schema: z.object({ ...shape, name: z.string(), email: z.string() }),
})
const visits = silver('visits', { from: from('visits'), key: 'visit', identifies: IDENTIFIES, schema: z.object({ visit: t.int(), ...shape }) })
const pages = silver('pages', { from: from('pages'), checks: [check.references('visit', visits, 'visit')], schema: z.object({ page: z.string(), visit: t.int() }) })
export default defineLake({ name: 'shops', datasets: [customers, visits, pages] })
`
    const project = await Project.create({
      'lake.ts': definition.replace('IDENTIFIES', "['shop']"),
      'customers.csv': `shop,id,name,email\n${ada}\n2,2,Eve,eve@example.org\n1,3,Bob,bob@example.org\n`,
      'visits.csv': 'visit,shop,id\n1,1,2\n2,2,2\n3,1,3\n4,1,2\n',
      'pages.csv': 'page,visit\na,1\nb,2\nc,3\nd,4\n',
    })
    await project.run()
    const key = ['--key', 'id=2', '--key', 'shop=1']
    const part = await forgotten(project, ...key)
    expect([part.code, part.stderr]).toEqual([
      2,
      expect.stringMatching(
        /silver\.visits\.shop has values .* list the whole key under identifies \(shop, id,/s,
      ),
    ])
    await project.write({ 'lake.ts': definition.replace('IDENTIFIES', "['id', 'shop']") })
    await project.run()
    for (const wrong of [
      ['--key', '2'],
      ['--key', 'shop=1'],
      ['--key', 'shop=1', '--key', 'name=Ada'],
    ])
      expect((await forgotten(project, ...wrong)).stderr).toContain('--key shop=… --key id=…')
    const { stderr, left } = await forgotten(project, ...key)
    expect([stderr, left]).toEqual(['', ['Eve', 'Bob']])
    expect(await project.query('select visit from bronze.visits order by 1')).toHaveLength(2)
    expect(await project.query('select page from silver.pages order by 1')).toEqual([
      { page: 'b' },
      { page: 'c' },
    ])
  })

  it('never follows an empty text', async () => {
    const letters = ['"",tuesday', 'bob@example.org,friday']
    const project = await lakeOfShops(['1,2,Ada,""', bob], { letters })
    expect((await forgotten(project, '--key', '2')).stderr).toBe('')
    expect(await project.query('select sent from bronze.letters')).toHaveLength(2)
  })

  it('counts rows that may be theirs, and takes those that nobody else can have', async () => {
    const project = await lakeOfShops([
      ada,
      bob,
      ',,Somebody Else Has 2,',
      ',,Ada Nokey,ada@example.org',
      '1,x2,Ada Badkey,ada@example.org',
      ',,Bob Nokey,bob@example.org',
      '1,9,"Zoe, broken',
    ])
    const { stderr, stdout, left } = await forgotten(project, '--key', '2')
    expect([stderr, left.slice(0, 3)]).toEqual(['', ['Bob', 'Somebody Else Has 2', 'Bob Nokey']])
    expect(stdout).toContain('1 row read for silver.customers may be theirs, and stay')

    const where = await forgotten(project, '--where', "email = 'bob@example.org'")
    expect([where.stderr, where.left[0], where.left[1]]).toEqual(['', 'Somebody Else Has 2', null])
  })

  it('takes a row that lacks a part of its key, unless the other part is of somebody else', async () => {
    const definition = lakeOf({ key: "['shop', 'id']" })
    const rows = [
      ada,
      bob,
      ',,Nothing,ada@example.org',
      ',2,No shop,ada@example.org',
      '1,,No id,ada@example.org',
      // Its shop, or its number, is that of nobody who is meant.
      '2,,Other shop,ada@example.org',
      ',9,Other id,ada@example.org',
      '1,,Bob without id,bob@example.org',
    ]
    const key = ['--key', 'shop=1', '--key', 'id=2']
    const project = await lakeOfShops(rows.slice(0, 5).concat(rows[7] as string), { definition })
    const found = await forgotten(project, ...key)
    expect([found.stderr, found.left]).toEqual(['', ['Bob', 'Bob without id']])

    // Once somebody else may have the address, none without a whole key is known to be theirs.
    const others = rows.filter((row) => !row.includes('No shop'))
    const shared = await forgotten(await lakeOfShops(others, { definition }), ...key)
    const names = others.slice(1).map((row) => row.split(',')[2])
    expect([shared.stderr, shared.left]).toEqual(['', names])
    expect(shared.stdout).toContain('rows read for silver.customers may be theirs, and stay')
  })

  it('leaves a row without a key whose value somebody else has', async () => {
    const shared = [ada, '1,3,Bob,ada@example.org', ',,Who,ada@example.org']
    const { stderr, stdout, left } = await forgotten(await lakeOfShops(shared), '--key', '2')
    expect([stderr, left]).toEqual(['', ['Bob', 'Who']])
    expect(stdout).toContain('1 row read for silver.customers may be theirs, and stay')
  })

  it('refuses columns of other types by name', async () => {
    const definition = lakeOf({ letters: 't.int()' })
    const { code, stderr } = await forgotten(await lakeOfShops([ada], { definition }), '--key', '2')
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('silver.letters.email is int, and silver.customers.email is string'),
    ])
  })
})
