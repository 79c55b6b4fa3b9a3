import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { Project, repository } from '../support/project.js'
import { Served } from '../support/served.js'
import { withService } from '../support/services.js'
import { python } from './readers.js'

const definition = `
import { bronze, defineLake, gold, principal, silver, sql, t, z } from 'moraine'
import { files, secret } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', { from: raw, key: 'id', schema: z.object({ id: t.int() }) })
const daily = gold('daily', { query: sql\`select count(*) as n from \${orders}\` })
export default defineLake({
  name: 'shared',
  datasets: [daily],
  access: [
    principal('analyst', { token: secret('env:ANALYST_TOKEN'), read: ['*'] }),
    principal('ml', { clientSecret: secret('env:ML_SECRET'), read: [orders], write: ['ml.*'] }),
  ],
})
`
const secrets = { ANALYST_TOKEN: 'token-of-the-analyst', ML_SECRET: 'secret-of-ml' }

withService('PyIceberg', [python], () => {
  it('works as two principals, and tells each why it is refused', async () => {
    const rows = { 'in/1.csv': 'id\n1\nx\n2\n' }
    const project = await Project.create({ 'lake.ts': definition, ...rows })
    expect((await project.run()).outcome).toBe('done')
    const served = Served.start(project, ['--catalog'], secrets)
    const { url } = await served.line(({ event }) => event === 'catalog')
    const script = join(repository, 'test/foreign/access_pyiceberg.py')
    const args = [script, String(url), secrets.ANALYST_TOKEN, `ml:${secrets.ML_SECRET}`]
    const { stdout } = await promisify(execFile)(python as string, args)
    const seen = JSON.parse(stdout.slice(stdout.indexOf('{')))
    expect(seen).toMatchObject({
      ml: ['ml', 'silver'],
      analyst: ['gold', 'ml', 'silver'],
      tables: ['ml.hidden', 'ml.scores'],
      orders: 2,
      scores: 4,
    })
    expect(seen.written).toMatch(/Forbidden.*analyst may not write to ml\.scores/)
    expect(seen.created).toMatch(/Forbidden.*analyst may not create namespace mine/)
    expect(seen.discarded).toMatch(/NoSuchTable.*Table does not exist: discarded\.orders/)
    expect(seen.gold).toMatch(/NoSuchTable.*Table does not exist: gold\.daily/)
    expect(seen.moved).toMatch(/NoSuch.*gold/)
    expect(seen.dropped).toMatch(/Forbidden.*ml may not write to silver\.orders/)
    expect(seen.wrong).toMatch(/Unauthorized.*The token is wrong or expired/)
    expect(seen.client).toMatch(/invalid_client.*The client id or the client secret is wrong/)
    expect(await served.stop()).toBe(0)
  })
})
