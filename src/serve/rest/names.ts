import { managedSchemas, shownSchemas } from '../../define/sql/name.js'
import type { LakeState } from '../../log/commit.js'
import { externalOf, keyOf, keyOfRelation, LEVEL, shownKey } from '../../log/external.js'
import { badRequest } from './errors.js'

/** The levels of a namespace. */
export type Namespace = readonly string[]

/** A table or view, by its namespace and its name. */
export interface Identifier {
  namespace: Namespace
  name: string
}

export const shownNamespace = (namespace: Namespace) => namespace.join('.')

export const shownName = ({ namespace, name }: Identifier) => [...namespace, name].join('.')

/** Namespaces whose tables `lake.ts` defines; no engine may put others there. */
export const isManaged = ([first = '']: Namespace) => managedSchemas.includes(first)

/** The namespaces of the lake's own tables. */
export const managedNamespaces = ({ tables, views = {} }: LakeState): string[] =>
  shownSchemas.filter((tier) =>
    [...Object.keys(tables), ...Object.keys(views)].some((name) => name.startsWith(`${tier}.`)),
  )

/**
 * The namespace that a part of an address names: levels are parted by U+001F, or, as some clients
 * do it, by dots, where no namespace has them in its name.
 */
export function namespaceOf(text: string, state: LakeState): Namespace {
  if (text.includes(LEVEL)) return checkedNamespace(text.split(LEVEL))
  const known = state.external?.namespaces ?? {}
  const levels = text.split('.')
  const isNested = levels.length > 1 && Object.hasOwn(known, keyOf(levels))
  return checkedNamespace(isNested && !Object.hasOwn(known, text) ? levels : [text])
}

/**
 * What a language names that knows no case: spelled as what is there, otherwise in small letters.
 *
 * @param schema levels of the namespace, parted by dots.
 */
export function identifierIn(state: LakeState, schema: string, name: string): Identifier {
  const { namespaces = {} } = state.external ?? {}
  const [exact, wanted] = [namespaceOf(schema, state), schema.toLowerCase()]
  const isExact = Object.hasOwn(namespaces, keyOf(exact))
  const other = Object.keys(namespaces).find((one) => shownKey(one).toLowerCase() === wanted)
  const namespace = isExact ? exact : (other?.split(LEVEL) ?? namespaceOf(wanted, state))
  const identifier = { namespace, name: checkedName(name) }
  if (externalOf(state, identifier)) return identifier
  const within = `${keyOf(namespace)}${LEVEL}`
  const folded = keyOfRelation(identifier).toLowerCase()
  const same = Object.keys(state.external?.relations ?? {}).find(
    (one) => one.startsWith(within) && one.toLowerCase() === folded,
  )
  return { namespace, name: same?.slice(within.length) ?? name.toLowerCase() }
}

const LONGEST = 255
const DEEPEST = 16

/** @throws RestError for names that can't be told apart from others. */
export function checkedNamespace(levels: unknown): Namespace {
  if (!Array.isArray(levels)) throw badRequest('A namespace must be a list of names')
  if (levels.length === 0 || levels.length > DEEPEST)
    throw badRequest(`A namespace must have 1 to ${DEEPEST} levels`)
  return levels.map((level) => checkedName(level))
}

export function checkedName(name: unknown): string {
  if (typeof name !== 'string' || name === '' || name.length > LONGEST)
    throw badRequest(`A name must have 1 to ${LONGEST} characters`)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused.
  if (/[\u0000-\u001f\u007f]/.test(name) || !name.isWellFormed())
    throw badRequest('A name must be valid text without control characters')
  // No client can ask for such a one: in an address it stands for a folder.
  if (name === '.' || name === '..') throw badRequest(`${name} is not allowed as a name`)
  if (name === '__proto__') throw badRequest('__proto__ is not allowed as a name')
  return name
}
