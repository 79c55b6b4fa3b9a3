import { execFile } from 'node:child_process'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { Project, repository } from '../support/project.js'
import { Served } from '../support/served.js'
import { withService } from '../support/services.js'
import { python, sparkJar } from './readers.js'

const TOKEN = 'open sesame'
const definition = `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'open', datasets: [bronze('orders', { from: files('in/*.csv') })] })
`
const read = `
import json, sys
from pyiceberg.catalog.rest import RestCatalog
catalog = RestCatalog("lake", uri=sys.argv[1], token=sys.argv[2])
seen = {}
for namespace in catalog.list_namespaces():
    if namespace[0] in ("spark", "pyiceberg"):
        for name in catalog.list_tables(namespace):
            table = catalog.load_table(name)
            scans = [table.scan(snapshot_id=s.snapshot_id) for s in table.metadata.snapshots]
            seen[".".join(name)] = [sorted(scan.to_arrow()["id"].to_pylist()) for scan in scans]
print(json.dumps(seen))
`

/** Another engine writes tables; all of their snapshots are read in a copy of the lake. */
async function readsCopyOf(engine: 'pyiceberg' | 'spark', before: readonly string[]) {
  const project = await Project.create({ 'lake.ts': definition, 'in/1.csv': 'id\n1\n' })
  await project.run()
  const run = promisify(execFile)
  const serve = async () => {
    const served = Served.start(project, ['--catalog'], { MORAINE_TOKEN: TOKEN })
    const { url } = await served.line(({ event }) => event === 'catalog')
    return { served, url: String(url) }
  }
  const seenBy = async (url: string) => {
    const { stdout } = await run(python as string, ['-c', read, url, TOKEN])
    return JSON.parse(stdout.slice(stdout.indexOf('{"')))
  }
  const first = await serve()
  const script = join(repository, `test/foreign/codecs_${engine}.py`)
  await run(python as string, [script, ...before, first.url, TOKEN, 'zstd'], { maxBuffer: 1 << 26 })
  const seen = await seenBy(first.url)
  expect(Object.values(seen).flat().length).toBeGreaterThan(2)
  await first.served.stop()
  const copied = await project.cli('copy', 'there')
  expect([copied.code, copied.stdout]).toEqual([0, expect.not.stringContaining('✖')])
  // The copy takes the lake's place under another name: where it lay is nothing any more.
  await rename(join(project.folder, 'lake'), join(project.folder, 'gone'))
  const lake = `root: './there', datasets`
  await project.write({ 'lake.ts': definition.replace('datasets', lake) })
  const second = await serve()
  expect(await seenBy(second.url)).toEqual(seen)
  expect(await second.served.stop()).toBe(0)
  expect((await project.cli('verify', '--deep')).code).toBe(0)
}

withService('PyIceberg', [python], () => {
  it('finds its tables in a copy of the lake, with all of their snapshots', () =>
    readsCopyOf('pyiceberg', []))
})

withService('Spark', [python, sparkJar], () => {
  it('has tables with deletes that PyIceberg reads in a copy of the lake', () =>
    readsCopyOf('spark', [sparkJar as string]))
})
