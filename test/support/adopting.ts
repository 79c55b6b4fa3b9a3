import { randomUUID } from 'node:crypto'
import { fullName } from '../../src/define/dataset.js'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import { parseJson, toJsonText } from '../../src/iceberg/json.js'
import { currentSpec, type Snapshot } from '../../src/iceberg/spec/metadata.js'
import { Table } from '../../src/iceberg/table.js'
import { catalog } from '../../src/serve/rest/catalog.js'
import { tableFiles } from '../../src/step/table-files.js'
import type { Project } from './project.js'

/* Engines that change rows of tables which `lake.ts` lets them write. */

/** What an engine sends to a project's catalog, as its lake.ts has it now. */
export async function send(project: Project, body: object, table = 'silver/tables/orders') {
  const { datasets } = await project.load()
  const writable = datasets.filter((one) => one.tier !== 'bronze' && one.writes).map(fullName)
  const app = catalog(project.storage, {
    token: 'x',
    writable,
    isLocal: () => true,
    // A trail is written for a moment longer than the lake is there.
    onCall: () => {},
  })
  const answer = await app.request(`/v1/namespaces/${table}`, {
    method: 'POST',
    headers: { authorization: 'Bearer x' },
    body: toJsonText(body, 0),
  })
  return { status: answer.status, json: parseJson(await answer.text()) as any }
}

/**
 * Snapshots of an engine that changes rows of a table, one upon the other and not committed: which
 * rows go, by a condition, and which come, by SQL.
 */
export async function changing(
  project: Project,
  name: string,
  steps: readonly { gone?: string; rows?: string }[],
): Promise<Snapshot[]> {
  const { storage } = project
  let table = await Table.load(storage, (await project.state()).tables[name]?.metadata as string)
  const engine = await DuckDB.start({ threads: 2 })
  const made: Snapshot[] = []
  try {
    const session = await engine.open()
    for (const { gone, rows } of steps) {
      const tasks = await table.plan()
      const from = session.tables.scan(table.schema, tableFiles(storage, table, tasks))
      const left = gone ? [`SELECT * FROM (${from}) WHERE NOT (${gone})`] : []
      const columns = table.schema.fields.map((field) => `"${field.name}"`).join(', ')
      const fresh = rows ? [`SELECT ${columns} FROM (${rows})`] : []
      const added = await session.tables.write([...left, ...fresh].join(' UNION ALL '), {
        schema: table.schema,
        spec: currentSpec(table.metadata),
        location: storage.locate(table.dataFolder),
        name: `spark-${randomUUID()}`,
        compression: 'zstd',
      })
      const removed = gone ? new Set(tasks.map(({ file }) => file.path)) : new Set<string>()
      table = await table.write({ removed, added, summary: { 'engine-name': 'spark' } })
      made.push(table.snapshot as Snapshot)
    }
  } finally {
    await engine.close()
  }
  return made
}

/** What an engine commits that has made these snapshots. */
export const adding = (snapshots: readonly Snapshot[], more: readonly object[] = []) => ({
  updates: [
    ...more,
    ...snapshots.map((snapshot) => ({ action: 'add-snapshot', snapshot })),
    {
      action: 'set-snapshot-ref',
      'ref-name': 'main',
      type: 'branch',
      'snapshot-id': snapshots.at(-1)?.['snapshot-id'],
    },
  ],
})
