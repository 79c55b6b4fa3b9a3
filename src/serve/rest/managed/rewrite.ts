import { countOf } from '../../../define/thousands.js'
import { rowsByPartition } from '../../../iceberg/difference.js'
import { isSame } from '../../../iceberg/spec/updates/json.js'
import type { TableState } from '../../../log/commit.js'
import { type Added, type Checked, filesOf } from './added.js'

/** What snapshots make of a table, beside its metadata. */
export interface Recorded {
  state: TableState
  /** In words, for the history. */
  did: string
}

/**
 * Makes sure that a snapshot has the rows of the one before in other files.
 *
 * @throws RestError that says what is wrong.
 */
export function recordedRewrite(
  { name, state, refuse }: Added,
  { before, after, rows, changes, files, engine }: Checked,
): Recorded {
  if (rows !== state.rows) throw refuse(`they have ${rows} rows instead of ${state.rows}`)
  const specs = new Set([...before.tasks, ...after.tasks].map(({ spec }) => spec))
  const partitions = [before, after].map((of) => [...rowsByPartition(of)].sort())
  if (specs.size === 1 && !isSame(partitions[0], partitions[1]))
    throw refuse('rows have moved to other partitions')
  return { state: { ...state, ...files }, did: told(name, changes, engine) }
}

/** What the history says: how many files became how many, and by which engine. */
function told(name: string, { gone, fresh }: Checked['changes'], engine: string): string {
  if (gone.length + fresh.length === 0) return `rewrite manifests of ${name}${engine}`
  const ofDeletes = filesOf([...gone, ...fresh]) === 0
  const was = countOf(filesOf(gone, ofDeletes), ofDeletes ? 'delete file' : 'file')
  return `rewrite ${was} of ${name} as ${filesOf(fresh, ofDeletes)}${engine}`
}
