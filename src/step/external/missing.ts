import { nearest } from '../../define/nearest.js'
import type { MoraineError } from '../../errors.js'
import { unreadable } from '../../iceberg/foreign-path.js'
import { tableFolder } from '../../iceberg/table-folder.js'
import type { LakeState } from '../../log/commit.js'
import { shownKey } from '../../log/external.js'
import { ownValue } from '../../own-value.js'

/** The versions of a table that datasets have read. */
export function readBy(state: LakeState, name: string): string[] {
  return Object.values(state.offsets).flatMap((offsets) => {
    const seen = ownValue(offsets, name)
    return typeof seen === 'string' ? [seen] : []
  })
}

/** That a view has the name of a table. */
export function aView(name: string): MoraineError {
  return unreadable(
    name,
    'it is a view, and datasets read tables',
    'Read what the view reads, or have its engine store the rows of the view as a table.',
  )
}

/** That there is no table of a name, and where it may have gone. */
export function missing(state: LakeState, name: string): MoraineError {
  const relations = Object.entries(state.external?.relations ?? {})
  const names = relations.map(([key]) => shownKey(key))
  const [before] = readBy(state, name)
  const folder = before && `${tableFolder(before)}/`
  const renamed = relations.find(([, { metadata }]) => folder && metadata.startsWith(folder))
  const similar = nearest(name, names)
  const create = 'Create it through the REST catalog: moraine serve --catalog'
  const hint = renamed
    ? `It was renamed to ${shownKey(renamed[0])}: change the name in lake.ts.`
    : similar
      ? `Did you mean '${similar}'?`
      : names.length > 0
        ? `${create}. The tables of other engines are: ${names.join(', ')}`
        : create
  const why = before ? 'it does not exist any more' : 'there is no such table in the lake yet'
  return unreadable(name, why, hint)
}
