import type { Caller } from '../caller.js'
import { forbidden, illegal, noSuch, noSuchNamespace, type RestError } from '../errors.js'
import { type Identifier, type Namespace, shownName, shownNamespace } from '../names.js'

/*
 * What may not be read is answered as if it were not there: whoever guesses names learns nothing.
 * What may be read and not written is refused with the reason. Rights are looked at first, so that
 * no answer depends on what is there.
 */

/** Names that the audit trail keeps of one call: a transaction may be about many more. */
const MOST = 100

function note({ noted }: Caller, name: string): void {
  if (noted && noted.names.size < MOST) noted.names.add(name)
}

const levelsOf = ({ namespace, name }: Identifier) => [...namespace, name]

/** Whether a table or view may be read, for lists. */
export const mayRead = ({ principal }: Caller, identifier: Identifier) =>
  principal.rights.may('read', levelsOf(identifier))

/** Whether a table or view may be written, for what is given to whom may. */
export const mayWrite = ({ principal }: Caller, identifier: Identifier) =>
  principal.rights.may('write', levelsOf(identifier))

/** Whether a namespace is shown, for lists. */
export const maySee = ({ principal }: Caller, namespace: Namespace) =>
  principal.rights.sees(namespace)

/** @throws RestError where a table or view may not be read. */
export function refuseReading(
  caller: Caller,
  identifier: Identifier,
  kind: 'table' | 'view',
): void {
  note(caller, shownName(identifier))
  if (!mayRead(caller, identifier)) throw noSuch(kind, shownName(identifier))
}

/** @throws RestError where a table or view may not be changed, dropped or renamed. */
export function refuseWriting(
  caller: Caller,
  identifier: Identifier,
  kind: 'table' | 'view',
): void {
  note(caller, shownName(identifier))
  if (mayWrite(caller, identifier)) return
  refuseReading(caller, identifier, kind)
  throw mayNot(caller, `write to ${shownName(identifier)}`)
}

/** @throws RestError where no table or view of this name may be created. */
export function refuseCreating(caller: Caller, identifier: Identifier): void {
  note(caller, shownName(identifier))
  if (mayWrite(caller, identifier)) return
  refuseSeeing(caller, identifier.namespace)
  throw mayNot(caller, `write to ${shownName(identifier)}`)
}

/** @throws RestError where a namespace is not shown. */
export function refuseSeeing(caller: Caller, namespace: Namespace): void {
  // Of a table its own name is kept.
  if (!caller.noted?.names.size) note(caller, shownNamespace(namespace))
  if (!maySee(caller, namespace)) throw noSuchNamespace(shownNamespace(namespace))
}

/** @throws RestError where a namespace may not be changed or dropped. */
export function refuseWritingAll(caller: Caller, namespace: Namespace): void {
  note(caller, shownNamespace(namespace))
  if (caller.principal.rights.mayAll('write', namespace)) return
  refuseSeeing(caller, namespace)
  throw mayNot(caller, `write to all of namespace ${shownNamespace(namespace)}`)
}

/** @throws RestError where a namespace may not be created, whether it is there or not. */
export function refuseCreatingAll(caller: Caller, namespace: Namespace): void {
  note(caller, shownNamespace(namespace))
  if (!caller.principal.rights.mayAll('write', namespace))
    throw mayNot(caller, `create namespace ${shownNamespace(namespace)}`)
}

function mayNot({ principal }: Caller, doing: string): RestError {
  const { name, readOnly, run } = principal
  if (readOnly) return forbidden(readOnly)
  // Engines show whoever wrote the definition the reason of this kind of refusal alone.
  if (run)
    return illegal(
      `${name} may not ${doing}: this token is of run ${run.id}, which builds ${run.tables.join(', ')}`,
    )
  return forbidden(`${name} may not ${doing}: access in lake.ts does not grant it`)
}
