import type { ExternalState } from '../../log/commit.js'
import { externalOf, keyOfRelation } from '../../log/external.js'
import { refuseCreating, refuseWriting } from './access/rights.js'
import type { Branch } from './branches.js'
import type { Caller } from './caller.js'
import { alreadyExists, illegal } from './errors.js'
import type { Journal } from './journal.js'
import { refusedBuiltDrop, refusedDrop, refusedRename } from './managed/refusals.js'
import { type Identifier, shownName } from './names.js'
import { refuseManaged } from './namespaces.js'
import { existing, managedTable, refuseTaken } from './relations.js'
import { pointTo } from './tables.js'

/** Takes a table or view out of the lake; its files stay for earlier states until a vacuum. */
export async function drop(
  { journal, tables }: Pick<Branch, 'journal' | 'tables'>,
  caller: Caller,
  kind: ExternalState['kind'],
  identifier: Identifier,
): Promise<void> {
  refuseWriting(caller, identifier, kind)
  const name = shownName(identifier)
  const message = `drop ${kind} ${name}`
  return journal.change({ caller, message }, async (state) => {
    const own = kind === 'table' ? managedTable(state, identifier) : undefined
    if (own && tables.built?.isOwn(identifier, own))
      return { changes: { tables: { [name]: null } }, answer: undefined }
    if (own) throw illegal(tables.built ? refusedBuiltDrop(name) : refusedDrop(name))
    refuseManaged(identifier.namespace, `drop a ${kind}`)
    existing(state, identifier, kind)
    return { changes: pointTo(identifier, null), answer: undefined }
  })
}

/** Gives a table or view another name, maybe in another namespace. */
export async function rename(
  journal: Journal,
  caller: Caller,
  kind: ExternalState['kind'],
  [from, to]: readonly [Identifier, Identifier],
): Promise<void> {
  refuseWriting(caller, from, kind)
  refuseCreating(caller, to)
  const message = `rename ${kind} ${shownName(from)} to ${shownName(to)}`
  return journal.change({ caller, message }, async (state) => {
    if (kind === 'table' && managedTable(state, from)) throw illegal(refusedRename(shownName(from)))
    for (const { namespace } of [from, to]) refuseManaged(namespace, `rename a ${kind}`)
    const found = existing(state, from, kind)
    const taken = externalOf(state, to)
    if (taken && (kind === 'view' || taken.kind !== kind))
      throw alreadyExists(
        `Cannot rename ${shownName(from)} to ${shownName(to)}. ${taken.kind === 'table' ? 'Table' : 'View'} already exists`,
      )
    refuseTaken(caller, state, to, kind)
    const relations = { [keyOfRelation(from)]: null, [keyOfRelation(to)]: found }
    return { changes: { external: { relations } }, answer: undefined }
  })
}
