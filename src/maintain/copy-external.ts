import { messageOf } from '../errors.js'
import { filesOfAllSnapshots } from '../iceberg/all-files.js'
import type { LakeState } from '../log/commit.js'
import { type ExternalRelation, externalRelations } from '../log/external.js'
import { isBelow } from '../storage/paths.js'
import { normalLocation, pathOf, type Storage } from '../storage/storage.js'

/** What a copy of a lake lacks of what other engines keep. */
export interface ExternalCopy {
  /** What can't be read there as it can be where it comes from. */
  problems: string[]
  /** Tables whose files, or some of them, lie outside of the lake: they were not copied. */
  elsewhere: string[]
}

/**
 * Follows all that tables of other engines lead to in a copy: it must lie there. Engines may put
 * files where nobody looks for them, so nobody else would say that they were left behind.
 */
export async function lookAtCopied(
  from: Storage,
  to: Storage,
  state: LakeState,
): Promise<ExternalCopy> {
  const found: ExternalCopy = { problems: [], elsewhere: [] }
  for (const relation of externalRelations(state))
    if (relation.kind === 'table') await lookAt(from, to, relation, found)
  return found
}

async function lookAt(
  from: Storage,
  to: Storage,
  relation: ExternalRelation,
  { problems, elsewhere }: ExternalCopy,
): Promise<void> {
  const { fullName } = relation
  const failed = (why: string) => problems.push(`${fullName}: ${why}`)
  const damaged = (error: unknown) => failed(messageOf(error))
  let [outside, behind] = [false, false]
  try {
    for await (const file of filesOfAllSnapshots(to, relation, { damaged })) {
      const { path, location, deletes = 'PARQUET' } = file
      if (!REWRITTEN.includes(deletes)) behind = true
      if (path === undefined) {
        if (isIn(from, location)) behind = true
        else outside = true
      } else if (!isBelow(path) || !(await to.stat(path))) failed(`${path} is missing in the copy`)
    }
  } catch (error) {
    damaged(error)
  }
  if (behind)
    failed(
      `its metadata still name files in ${from.url}: they can't be rewritten, because they lie where another engine chose. Write the table again into the copy`,
    )
  if (outside) elsewhere.push(fullName)
}

/** Formats of deletes that name the right files in a copy; Puffin names none that engines read. */
const REWRITTEN = ['PARQUET', 'PUFFIN']

const isIn = (storage: Storage, location: string) =>
  pathOf(storage, normalLocation(location)) !== undefined
