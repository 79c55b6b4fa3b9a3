import { externalMetadata } from '../../catalog/metadata-file.js'
import type { LakeState } from '../../log/commit.js'
import { externalRelations } from '../../log/external.js'
import type { Storage } from '../../storage/storage.js'
import { count, plural } from './format.js'
import { printable } from './terminal.js'

/** Names that are shown at most. */
const SHOWN = 5

/** What is to be said of what other engines keep here; nothing where there is none. */
export function externalLines(state: LakeState): string[] {
  const external = externalRelations(state)
  if (external.length === 0) return []
  const counted = (['table', 'view'] as const).flatMap((kind) => {
    const many = external.filter((one) => one.kind === kind).length
    return many > 0 ? [plural(many, kind)] : []
  })
  const names = external.slice(0, SHOWN).map(({ fullName }) => printable(fullName))
  const more = external.length - names.length
  const all = [...names, ...(more > 0 ? [`${count(more)} more`] : [])].join(', ')
  return ['', `Of other engines: ${counted.join(' and ')} (${all})`]
}

/** The same for programs: each by its name, with its metadata file. */
export function externalJson(storage: Storage, state: LakeState): object[] {
  return externalRelations(state).map((one) => ({
    name: one.fullName,
    namespace: one.namespace,
    kind: one.kind,
    metadata: externalMetadata(storage, one),
  }))
}
