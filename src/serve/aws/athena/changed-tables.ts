import { MoraineError } from '../../../errors.js'
import { foreignFolder } from '../../../iceberg/foreign-path.js'
import type { AnyMetadata } from '../../../iceberg/spec/updates/metadata-json.js'
import { Table } from '../../../iceberg/table.js'
import { listingProblem, writingProblem } from '../../../iceberg/unwritable.js'
import type { ExternalState } from '../../../log/commit.js'
import type { Storage } from '../../../storage/storage.js'

const ofOthers = (why: string) =>
  new MoraineError('query', why, {
    hint: 'Have the engine change it that made it, or copy it: CREATE TABLE … AS SELECT …',
  })

/**
 * A table whose files are listed anew.
 *
 * @param name what errors call it.
 * @throws MoraineError of kind `query` for one that only its own engine writes.
 */
export async function tableToChange(
  storage: Storage,
  at: ExternalState,
  { 'format-version': version, location }: AnyMetadata,
  name: string,
): Promise<Table> {
  if (version !== 2)
    throw ofOthers(
      `${name} is of Iceberg's format version ${version}, and rows are written to tables of version 2`,
    )
  if (foreignFolder(storage, at.metadata, location) === undefined)
    throw ofOthers(`${name} lies outside of the lake, at ${location}, where nothing is written`)
  const table = await Table.load(storage, at)
  const problem = listingProblem(table)
  if (problem === undefined) return table
  throw ofOthers(`${name} is not written to here: ${problem}`)
}

/** @throws MoraineError of kind `query` where rows of a table can't be written as it is to be. */
export function refuseRows(table: Table, name: string): void {
  const problem = writingProblem(table)
  if (problem !== undefined) throw ofOthers(`${name} takes no rows here: ${problem}`)
}
