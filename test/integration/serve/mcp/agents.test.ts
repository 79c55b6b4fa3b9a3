import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repository } from '../../../support/project.js'
import { type ServedShop, secrets, serveShop } from '../../../support/served-shop.js'

let shop: ServedShop
const clients: Client[] = []
beforeAll(async () => {
  shop = await serveShop()
})
afterAll(async () => {
  for (const client of clients) await client.close()
  await shop?.close()
})

async function agent(token: string, more: Record<string, string> = {}): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  const headers = { authorization: `Bearer ${token}`, ...more }
  const transport = new StreamableHTTPClientTransport(new URL(`${shop.url}/mcp`), {
    requestInit: { headers },
  })
  // Its optional session id is not one that exact optional types allow.
  await client.connect(transport as never)
  clients.push(client)
  return client
}

interface Answer {
  isError?: boolean
  content: { text: string }[]
}

async function call(client: Client, name: string, args: Record<string, unknown> = {}) {
  const { isError, content } = (await client.callTool({ name, arguments: args })) as Answer
  const text = content[0]?.text ?? ''
  return isError ? { error: text } : JSON.parse(text)
}

describe('an agent', () => {
  it('finds its way through a lake', async () => {
    const ada = await agent(secrets.ADA_TOKEN)
    const { tools } = await ada.listTools()
    expect(tools.map(({ name }) => name)).toEqual([
      ...['list_tables', 'describe_table', 'lineage', 'sample_rows', 'query', 'discarded_rows'],
    ])
    expect(tools.every(({ annotations }) => annotations?.readOnlyHint)).toBe(true)
    const { tables } = await call(ada, 'list_tables')
    expect(tables.map(({ name }: { name: string }) => name).sort()).toEqual([
      ...['bronze.orders', 'discarded.orders', 'gold.daily', 'silver.orders'],
    ])
    const { tables: found } = await call(ada, 'list_tables', { search: 'revenue' })
    expect(found).toMatchObject([{ name: 'gold.daily', rows: 3, description: 'Revenue by day' }])
    expect(await call(ada, 'describe_table', { table: 'silver.orders' })).toMatchObject({
      ...{ key: ['id'], rows: 3, description: 'Orders of the shop' },
      rules: [{ rule: 'paid after it was ordered', severity: 'discard' }],
      columns: expect.arrayContaining([
        expect.objectContaining({ name: 'id', type: 'BIGINT', description: 'Number of the order' }),
      ]),
    })
    expect(await call(ada, 'lineage', { table: 'gold.daily' })).toMatchObject({
      reads: ['silver.orders'],
      columns: expect.arrayContaining([
        { name: 'revenue', from: ['silver.orders.amount'], to: [] },
      ]),
    })
  })

  it('reads rows, within its budget', async () => {
    const ada = await agent(secrets.ADA_TOKEN)
    const sql = 'SELECT sum(revenue) AS revenue FROM gold.daily'
    expect(await call(ada, 'query', { sql })).toMatchObject({
      ...{ rows: [['100012.59']], truncated: false },
    })
    const many = await call(ada, 'query', { sql: 'SELECT range FROM range(5000)', rows: 20 })
    expect(many).toMatchObject({ truncated: true })
    expect(many.rows).toHaveLength(20)
    const long = await call(ada, 'query', { sql: "SELECT repeat('x', 30000) FROM range(50)" })
    expect(long).toMatchObject({ truncated: true })
    expect(long.rows).toHaveLength(3)
    expect(await call(ada, 'sample_rows', { table: 'silver.orders', rows: 2 })).toMatchObject({
      rows: [expect.anything(), expect.anything()],
    })
  })

  it('is told of an argument that there is none of', async () => {
    const ada = await agent(secrets.ADA_TOKEN)
    for (const [name, args] of [
      ['query', { sql: 'SELECT 1', limit: 5000 }],
      ['list_tables', { limit: 1 }],
    ] as const)
      expect(await call(ada, name, args)).toEqual({ error: expect.stringContaining('limit') })
  })

  it('is in the workgroup that it names', async () => {
    const small = await agent(secrets.ADA_TOKEN, { 'moraine-workgroup': 'small' })
    const sql = 'SELECT range FROM range(3)'
    expect(await call(small, 'query', { sql })).toEqual({
      error: expect.stringContaining('more rows than its limit of 2'),
    })
  })

  it('is told why rows were discarded', async () => {
    const { reasons } = await call(await agent(secrets.ADA_TOKEN), 'discarded_rows', {
      table: 'silver.orders',
    })
    expect(reasons).toMatchObject([{ rows: 1, reason: expect.stringContaining('amount') }])
    expect(reasons[0].examples[0].raw).toContain('Dee')
  })

  it('reads what the lake tells of itself, where that was granted, and nobody else does', async () => {
    const ada = await agent(secrets.ADA_TOKEN)
    await call(ada, 'query', { sql: 'SELECT id FROM silver.orders WHERE id = 2' })
    await call(ada, 'query', { sql: 'DELETE FROM silver.orders' })
    const basic = Buffer.from('auditor:auditor-of-the-shop').toString('base64')
    const auditor = await agent('', { authorization: `Basic ${basic}` })
    const { tables } = await call(auditor, 'list_tables')
    expect(tables.map(({ name }: { name: string }) => name)).toEqual(
      ['access', 'commits', 'discarded_trend', 'queries', 'runs', 'steps'].map(
        (name) => `system.${name}`,
      ),
    )
    const { columns } = await call(auditor, 'describe_table', { table: 'system.queries' })
    expect(columns.map(({ name }: { name: string }) => name)).toContain('principal')
    const sql =
      "SELECT sql, rows, error_kind FROM system.queries WHERE principal = 'ada' AND sql LIKE '%silver.orders%' ORDER BY ended"
    const { rows } = await call(auditor, 'query', { sql })
    expect(rows).toEqual(
      expect.arrayContaining([
        ['SELECT id FROM silver.orders WHERE id = 2', 1, null],
        ['DELETE FROM silver.orders', 0, 'query'],
      ]),
    )
    const sampled = await call(auditor, 'sample_rows', { table: 'system.runs' })
    expect(sampled.rows).toHaveLength(1)
    for (const name of ['query', 'sample_rows', 'describe_table'])
      expect(
        await call(ada, name, { sql: 'SELECT * FROM system.queries', table: 'system.queries' }),
      ).toHaveProperty('error')
    const seen = await call(ada, 'list_tables', { search: 'system.' })
    expect(seen).toEqual({ tables: [] })
  })

  it('sees no more than its principal', async () => {
    const guest = await agent(secrets.GUEST_TOKEN)
    const { tables } = await call(guest, 'list_tables')
    expect(tables).toMatchObject([{ name: 'silver.orders' }])
    // How many rows there are in all is not told to whoever sees some of them.
    expect(tables[0]).not.toHaveProperty('rows')
    expect(await call(guest, 'describe_table', { table: 'gold.daily' })).toEqual({
      error: expect.stringContaining('no table gold.daily that you may query'),
    })
    expect(await call(guest, 'lineage', { table: 'silver.orders' })).toMatchObject({
      ...{ reads: [], readBy: [] },
    })
    const { rows } = await call(guest, 'sample_rows', { table: 'silver.orders' })
    expect(rows.map(([id, customer]: string[]) => [Number(id), customer])).toEqual([
      [1, '…'],
      [2, '…'],
    ])
    expect(await call(guest, 'discarded_rows', { table: 'silver.orders' })).toHaveProperty('error')
    expect(await call(guest, 'query', { sql: 'SELECT * FROM gold.daily' })).toHaveProperty('error')
  })

  it.each([
    'DROP TABLE silver.orders',
    "SELECT * FROM read_text('/etc/passwd')",
    'SELECT 1; SELECT 2',
  ])('can do nothing but ask: %s', async (sql) => {
    expect(await call(await agent(secrets.ADA_TOKEN), 'query', { sql })).toHaveProperty('error')
  })

  it('must show a token', async () => {
    await expect(agent('wrong')).rejects.toThrow(/token is missing or wrong/)
    const answer = await fetch(`${shop.url}/mcp`, { method: 'POST', body: '{}' })
    expect(answer.status).toBe(401)
  })

  it('is started as a program by clients that work so, with the rights of a principal', async () => {
    const client = new Client({ name: 'test', version: '1' })
    const bin = join(repository, 'bin/moraine.js')
    const args = [bin, '-C', shop.project.folder, 'mcp', '--principal', 'guest']
    const env = { ...secrets, PATH: process.env.PATH ?? '' }
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env }))
    clients.push(client)
    const { tables } = await call(client, 'list_tables')
    expect(tables).toMatchObject([{ name: 'silver.orders' }])
  })
})
