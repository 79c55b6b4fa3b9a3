import { execFile } from 'node:child_process'
import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { Project, repository } from '../support/project.js'
import { Served } from '../support/served.js'
import { withService } from '../support/services.js'
import { python } from './readers.js'

const definition = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', { from: raw, key: 'id', schema: z.object({ id: t.int() }) })
export default defineLake({ name: 'open', datasets: [orders] })
`

const TOKEN = 'open sesame'

async function pyiceberg(url: string, doing: 'write' | 'read') {
  const script = join(repository, 'test/foreign/rest_pyiceberg.py')
  const run = promisify(execFile)
  const { stdout } = await run(python as string, [script, url, TOKEN, doing])
  return JSON.parse(stdout.slice(stdout.indexOf('{')))
}

/** Makes all files of the lake older than the grace of a vacuum. */
async function age(project: Project): Promise<void> {
  const root = join(project.folder, 'lake')
  const old = new Date(Date.now() - 30 * 86_400_000)
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), old, old)
}

withService('PyIceberg', [python], () => {
  it('reads the lake’s tables through the catalog, and keeps tables of its own beside runs and vacuum', async () => {
    const project = await Project.create({ 'lake.ts': definition, 'in/1.csv': 'id\n1\n2\n' })
    expect((await project.run()).outcome).toBe('done')
    const served = Served.start(project, ['--catalog'], { MORAINE_TOKEN: TOKEN })
    const { url } = await served.line(({ event }) => event === 'catalog')
    const seen = await pyiceberg(String(url), 'write')
    expect(seen).toMatchObject({
      namespaces: [['discarded'], ['ml'], ['silver']],
      tables: [['ml', 'scores']],
      rows: [
        [2, 2.5],
        [3, 0.3],
        [4, 0.4],
        [5, 0.5],
      ],
      tagged: [
        [1, 0.1],
        [2, 0.2],
        [3, 0.3],
      ],
      columns: ['id', 'score', 'label'],
      orders: 2,
    })
    expect(seen.refused).toContain(
      'Cannot append to silver.orders: its rows are computed from its inputs',
    )
    await project.write({ 'in/2.csv': 'id\n3\n' })
    expect((await project.run()).outcome).toBe('done')
    await project.write({ 'lake/external/ml/left.parquet': 'by nobody' })
    await age(project)
    expect((await project.cli('vacuum', '--delete')).code).toBe(0)
    expect(await project.storage.stat('external/ml/left.parquet')).toBeUndefined()
    // Each snapshot is read, and each file of it.
    expect(await pyiceberg(String(url), 'read')).toEqual({ ...seen, orders: 3 })
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    expect(await served.stop()).toBe(0)
  })
})
