import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { filesOfAllSnapshots } from '../../src/iceberg/all-files.js'
import { readHeader } from '../../src/iceberg/spec/avro-bytes.js'
import { Table } from '../../src/iceberg/table.js'
import { externalRelations } from '../../src/log/external.js'
import { Project, repository } from '../support/project.js'
import { Served } from '../support/served.js'
import { withService } from '../support/services.js'
import { python, sparkJar } from './readers.js'

const TOKEN = 'open sesame'
/** Codecs as each engine calls them, and as Avro does; PyIceberg has snappy by an extra only. */
const codecs: Record<string, Record<string, string>> = {
  pyiceberg: { null: 'null', gzip: 'deflate', zstd: 'zstandard' },
  spark: { uncompressed: 'null', gzip: 'deflate', zstd: 'zstandard', snappy: 'snappy' },
}

const definition = `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'open', datasets: [bronze('orders', { from: files('in/*.csv') })] })
`

/** Files and their rows, by the codec of the table. */
type Said = Record<string, Record<string, number>>

/** Another engine writes tables through the catalog, and its manifests are read. */
async function readsWhat(engine: 'pyiceberg' | 'spark', before: readonly string[]): Promise<void> {
  const project = await Project.create({ 'lake.ts': definition, 'in/1.csv': 'id\n1\n' })
  await project.run()
  const served = Served.start(project, ['--catalog'], { MORAINE_TOKEN: TOKEN })
  const { url } = await served.line(({ event }) => event === 'catalog')
  const known = codecs[engine] as Record<string, string>
  const script = join(repository, `test/foreign/codecs_${engine}.py`)
  const args = [script, ...before, String(url), TOKEN, ...Object.keys(known)]
  const { stdout } = await promisify(execFile)(python as string, args, { maxBuffer: 1 << 26 })
  const said: Said = JSON.parse(stdout.slice(stdout.indexOf('{"')))
  const { storage } = project
  const relations = externalRelations(await project.state())
  expect(relations.map(({ name }) => name).sort()).toEqual(Object.keys(known).sort())
  for (const relation of relations) {
    const table = await Table.load(storage, relation)
    const scanned = (await table.scan()).map(({ path, rows }) => [path, rows])
    expect(Object.fromEntries(scanned)).toEqual(said[relation.name])
    const used = new Set<string | undefined>()
    const data: string[] = []
    for await (const { path } of filesOfAllSnapshots(storage, relation)) {
      if (path?.endsWith('.parquet')) data.push(path)
      if (!path?.endsWith('.avro')) continue
      const bytes = await readFile(join(project.folder, 'lake', path))
      used.add(readHeader(bytes).metadata['avro.codec'])
    }
    expect(used).toContain(known[relation.name])
    const there = Object.keys(said[relation.name] as object).map((at) => at.split('/lake/')[1])
    expect(data).toEqual(expect.arrayContaining(there))
    for (const path of data) expect(await storage.stat(path)).toBeDefined()
  }
  expect(await served.stop()).toBe(0)
}

withService('PyIceberg', [python], () => {
  it('packs manifests with each codec that it knows, and they are read', () =>
    readsWhat('pyiceberg', []))
})

withService('Spark', [python, sparkJar], () => {
  it('packs manifests with each codec that it knows, and they are read', () =>
    readsWhat('spark', [sparkJar as string]))
})
