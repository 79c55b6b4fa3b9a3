import type { Changes, LakeState } from '../../log/commit.js'
import { externalOf, keyOfRelation } from '../../log/external.js'
import type { MetadataFiles, MetadataPointer } from './files.js'
import type { Journal, Outcome, Request } from './journal.js'
import type { Placed } from './locations.js'
import { type Identifier, shownName } from './names.js'

/** A table as it is told: where its metadata lie, and what they are. */
export interface LoadedTable {
  /** `undefined` for a table that is not there yet. */
  at: MetadataPointer | undefined
  metadata: Placed & object
}

/** Tables or views as a commit left them, which changed them or looked at them. */
export function asLeft(files: MetadataFiles, identifiers: readonly Identifier[]) {
  return (changes: Changes, before: LakeState): Promise<LoadedTable[]> =>
    Promise.all(
      identifiers.map(async (identifier) => {
        const [key, name] = [keyOfRelation(identifier), shownName(identifier)]
        const at =
          changes.external?.relations?.[key] ??
          changes.tables?.[name] ??
          externalOf(before, identifier) ??
          (before.tables[name] as MetadataPointer)
        return { at, metadata: (await files.json(at)) as unknown as LoadedTable['metadata'] }
      }),
    )
}

/** A change of one table or view, which is told as it is after it. */
export function changeOne(
  { journal, files }: { journal: Journal; files: MetadataFiles },
  request: Request,
  identifier: Identifier,
  decide: (state: LakeState) => Promise<Outcome<LoadedTable>>,
): Promise<LoadedTable> {
  const left = asLeft(files, [identifier])
  return journal.change(
    request,
    decide,
    async (changes, before) => (await left(changes, before))[0] as LoadedTable,
  )
}
