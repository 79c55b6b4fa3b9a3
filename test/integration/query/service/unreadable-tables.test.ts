import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { expect, it } from 'vitest'
import { MoraineError } from '../../../../src/errors.js'
import { CommitLog } from '../../../../src/log/log.js'
import type { Caller } from '../../../../src/query/service/request.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { agentServer } from '../../../../src/serve/mcp/agent-server.js'
import { entriesOf } from '../../../../src/serve/mcp/entries.js'
import { LocalStorage } from '../../../../src/storage/local.js'
import { serviceLake } from './lake.js'

/*
 * Sessions of PostgreSQL, statements of Athena, Glue and agents begin with a list of the tables. A
 * table that cannot be read is one of them; it keeps nobody from the others.
 */

it('a table whose files are gone or damaged holds back no other', async () => {
  const made = await serviceLake()
  const boss = await made.as('boss-token-0001')
  const { tables, batches } = await made.log.head()
  const at = (path = '') => join(made.folder, 'lake', path)
  await rm(at(tables['gold.days']?.metadata))
  await writeFile(at(batches['bronze.people']?.[0]?.manifest), '{')
  // A server that was started again knows of no table what it was.
  const storage = new LocalStorage(at())
  const log = new CommitLog(storage)
  const heard: unknown[] = []
  const onError = (error: unknown) => heard.push(error)
  const service = new QueryService({ storage, log, lake: made.lake, onError })
  try {
    const columns = await columnsOf(service, boss)
    expect(columns['gold.days']).toEqual([])
    expect(columns['bronze.people']).toEqual([])
    expect(columns['silver.orders']).toContain('amount')
    expect(columns['gold.contacts']).toEqual(['id', 'email', 'salary'])
    const kinds = heard.map((error) => error instanceof MoraineError && error.kind)
    expect(kinds.sort()).toEqual(['corrupt', 'storage'])
    await using answer = await service.query({
      principal: boss,
      sql: 'select count(*) from gold.totals',
    })
    for await (const rows of answer.rows) expect(rows).toEqual([[60n]])
    const asked = service.query({ principal: boss, sql: 'from gold.days' })
    await expect(asked).rejects.toThrow(/missing|storage/)

    const session = async () => {
      throw new MoraineError('corrupt', 'a file of gold.days is missing')
    }
    const entries = entriesOf({ lake: made.lake, storage, log, session })
    const options = { service, lake: made.lake, entries, onError }
    expect(await listedFor(boss, options)).toContain('silver.orders')
  } finally {
    await service.close()
    await made.close()
  }
})

async function columnsOf(service: QueryService, caller: Caller) {
  const all = await service.tables(caller)
  return Object.fromEntries(
    all.map(({ schema, name, columns }) => [`${schema}.${name}`, columns.map((c) => c.name)]),
  )
}

/** The tables that an agent is told of. */
async function listedFor(caller: Caller, options: Parameters<typeof agentServer>[0]) {
  const server = await agentServer(options, caller)
  const [here, there] = InMemoryTransport.createLinkedPair()
  await server.connect(there)
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(here)
  const { content } = await client.callTool({ name: 'list_tables', arguments: {} })
  await client.close()
  return JSON.stringify(content)
}
