import { randomUUID } from 'node:crypto'
import { count } from '../../engine/count.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { pathsOf, type ScanTask } from '../../iceberg/deletes.js'
import { currentSpec } from '../../iceberg/spec/metadata.js'
import { Table } from '../../iceberg/table.js'
import type { TableState } from '../../log/commit.js'
import { checkFiles } from '../../step/check-files.js'
import { tableFiles } from '../../step/table-files.js'
import type { Storage } from '../../storage/storage.js'

/** Files of a table that hold rows which are meant, be these deleted there or not. */
export interface TouchedTable {
  name: string
  state: TableState
  table: Table
  tasks: readonly ScanTask[]
  /** SQL over a row `r`. */
  condition: string
  /** Rows that are there to be read. */
  rows: number
}

/**
 * Finds the files of a table that hold rows which are meant. Rows that a file lists as deleted are
 * in it all the same.
 */
export async function touchedTable(
  { storage, session }: { storage: Storage; session: Session },
  name: string,
  state: TableState,
  condition: string,
): Promise<TouchedTable> {
  const table = await Table.load(storage, state)
  const all = await table.plan()
  const [equality] = all.flatMap(({ deletes }) =>
    deletes.filter(({ content }) => content !== 'position deletes'),
  )
  if (equality)
    throw new MoraineError(
      'usage',
      `${name} has rows that another engine has deleted by their values, and lists these`,
      { hint: `Apply that first: moraine optimize ${name}` },
    )
  const whole = all.map((task) => ({ ...task, deletes: [] }))
  const scan = (tasks: readonly ScanTask[]) =>
    session.tables.scanWithFiles(table.schema, tableFiles(storage, table, tasks))
  if (all.length === 0) return { name, state, table, tasks: [], condition, rows: 0 }
  const found = await session.rows(
    `SELECT DISTINCT r._data_file AS f FROM (${scan(whole)}) AS r WHERE ${condition}`,
  )
  const names = new Set(found.map(({ f }) => String(f)))
  const nameOf = ({ file }: ScanTask) =>
    session.tables.fileName(storage.locate(table.pathOf(file.path)))
  const tasks = all.filter((task) => names.has(nameOf(task)))
  const rows =
    tasks.length === 0
      ? 0
      : await count(session, `SELECT count(*) AS n FROM (${scan(tasks)}) AS r WHERE ${condition}`)
  return { name, state, table, tasks, condition, rows }
}

/** Writes those files again without the rows; returns the table as it is then. */
export async function tableWithout(
  { storage, session }: { storage: Storage; session: Session },
  { name, table, tasks, condition, rows }: TouchedTable,
): Promise<Table> {
  await checkFiles(storage, table, tasks)
  await storage.prepare(`${table.dataFolder}/x`)
  const scan = session.tables.scan(table.schema, tableFiles(storage, table, tasks))
  const before = await count(session, `SELECT count(*) AS n FROM (${scan})`)
  const written = await session.tables.write(
    `SELECT r.* FROM (${scan}) AS r WHERE NOT ${condition}`,
    {
      schema: table.schema,
      spec: currentSpec(table.metadata),
      location: storage.locate(table.dataFolder),
      name: `forgotten-${randomUUID()}`,
      compression: table.compression,
    },
  )
  const after = written.reduce((sum, file) => sum + file.rows, 0)
  if (after !== before - rows)
    throw new MoraineError(
      'corrupt',
      `${name} would have ${after} rows of ${before} without ${rows}`,
      { hint: 'This is a bug in Moraine; nothing was changed. Please report it.' },
    )
  const sums = await storage.seal(written.map((file) => table.pathOf(file.path)))
  const added = written.map((file) => table.withChecksum(file, sums))
  return table.write({ removed: pathsOf(tasks), added })
}
