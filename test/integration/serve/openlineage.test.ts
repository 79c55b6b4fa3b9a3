import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { OpenLineage } from '../../../src/run/openlineage.js'
import type { RunEvent } from '../../../src/step/events.js'
import { Project, repository } from '../../support/project.js'

const lake = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })
const n = gold('n', { query: sql\`select count(*) as n from \${orders}\` })
export default defineLake({ name: 'shop', datasets: [n] })
`

interface Event {
  eventType: string
  run: { runId: string; facets: { parent: { run: { runId: string } } } }
  job: { namespace: string; name: string }
  inputs: { name: string }[]
  outputs: { name: string; outputFacets?: { outputStatistics?: { rowCount: number } } }[]
}

const run = (project: Project, env: NodeJS.ProcessEnv) =>
  promisify(execFile)(
    process.execPath,
    [join(repository, 'bin/moraine.js'), '-C', project.folder, 'run'],
    { env: { ...process.env, ...env } },
  )

it('tells a server and a file which datasets were built from which, and how that ended', async () => {
  const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': 'id\n1\n2\n' })
  const received: { event: Event; key: string | undefined }[] = []
  const server = createServer((request, answer) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      if (request.url === '/api/v1/lineage')
        received.push({ event: JSON.parse(body), key: request.headers.authorization })
      answer.end()
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  const { port } = server.address() as { port: number }
  const file = join(project.folder, 'lineage.jsonl')
  await run(project, {
    OPENLINEAGE_URL: `http://127.0.0.1:${port}`,
    OPENLINEAGE_API_KEY: 'k3y',
    OPENLINEAGE__TRANSPORT__TYPE: 'file',
    OPENLINEAGE__TRANSPORT__LOG_FILE_PATH: file,
  })
  expect(received.every(({ key }) => key === 'Bearer k3y')).toBe(true)
  const events = received.map(({ event }) => event)
  const written = (await readFile(file, 'utf8')).trim().split('\n')
  expect(written.map((line) => JSON.parse(line))).toEqual(events)
  expect(events.map(({ eventType, job }) => `${eventType} ${job.name}`)).toEqual([
    'START bronze.orders',
    'COMPLETE bronze.orders',
    'START silver.orders',
    'COMPLETE silver.orders',
    'START gold.n',
    'COMPLETE gold.n',
  ])
  const silver = events[3] as Event
  expect(silver.inputs.map(({ name }) => name)).toEqual(['bronze.orders'])
  expect(silver.outputs[0]).toMatchObject({
    name: 'silver.orders',
    outputFacets: { outputStatistics: { rowCount: 2 } },
  })
  expect(silver.run.runId).toBe((events[2] as Event).run.runId)
  expect(silver.run.runId).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
  expect(new Set(events.map((e) => e.run.facets.parent.run.runId)).size).toBe(1)
})

it('does not fail a run where nobody listens', async () => {
  const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': 'id\n1\n' })
  const { stderr } = await run(project, {
    OPENLINEAGE_URL: 'http://127.0.0.1:1',
    OPENLINEAGE_API_KEY: 's3cret',
  })
  expect(stderr).toBe('! lineage could not be sent: connection refused\n')
})

it('sends no key where others could read it', async () => {
  const target = { url: 'http://lineage.invalid/api/v1/lineage', key: 'hush' }
  const lineage = new OpenLineage(target, { name: 'shop', url: 'file:///lake' })
  lineage.event({ type: 'step-started', dataset: 'gold.n' } as RunEvent)
  expect(await lineage.close()).toBe(
    'lineage could not be sent: OPENLINEAGE_API_KEY would be sent unencrypted; use an https:// address in OPENLINEAGE_URL, or no key',
  )
})
