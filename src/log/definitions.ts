import { sha256 } from '../storage/checksum.js'
import type { Commit, Definition, LakeState, MadeBy } from './commit.js'

/** Definitions of a dataset that are remembered. */
const REMEMBERED = 16

/** A definition in few characters: equal ones are equal whatever the order of their parts. */
function definitionHash(definition: Definition): string {
  const parts = Object.entries(definition).sort(([a], [b]) => (a < b ? -1 : 1))
  return sha256(JSON.stringify(parts)).slice(0, 16)
}

/**
 * By which definitions tables have been built so far: of those that a run has made, which knows its
 * definition.
 */
export function foldDefinitions(
  before: LakeState['definitions'],
  { number, time, author, program, definition, changes }: Commit,
): { definitions?: NonNullable<LakeState['definitions']> } {
  const after: Record<string, readonly MadeBy[]> = { ...before }
  for (const [old, now] of Object.entries(changes.renamed ?? {})) {
    const moved = after[old]
    if (now === null || !moved) continue
    after[now] = moved
    delete after[old]
  }
  for (const [name, made] of Object.entries({ ...changes.tables, ...changes.views })) {
    if (made === null) {
      if (!changes.tables?.[name] && !changes.views?.[name]) delete after[name]
      continue
    }
    // Tables that go with others are made as these are; earlier versions had one hash of all of it.
    const isOwn = /^(silver|gold)\./.test(name) && typeof made.definition === 'object'
    if (definition === undefined || !isOwn) continue
    const hash = definitionHash(made.definition)
    const known = after[name] ?? []
    if (known.at(-1)?.hash === hash) continue
    const by: MadeBy = { hash, commit: number, time, author, ...(program ? { program } : {}) }
    after[name] = [...known, by].slice(-REMEMBERED)
  }
  return Object.keys(after).length > 0 ? { definitions: after } : {}
}

/** A definition that another has taken the place of. */
export interface Replaced {
  /** When it was the dataset's. */
  then: MadeBy
  /** The one that is the dataset's now. */
  now: MadeBy
}

/**
 * Whether a definition was the dataset's before the one that it has now: who has it may have an
 * older lake.ts than others. A new one, and the one of now, are not; nor is one that a rollback has
 * brought back.
 */
export function replacedDefinition(
  state: Pick<LakeState, 'tables' | 'views' | 'definitions'>,
  name: string,
  definition: Definition,
): Replaced | undefined {
  const made = state.tables[name] ?? state.views?.[name]
  const known = state.definitions?.[name] ?? []
  const now = known.at(-1)
  if (!made || typeof made.definition !== 'object' || !now) return undefined
  const mine = definitionHash(definition)
  if (definitionHash(made.definition) === mine || now.hash === mine) return undefined
  const then = known.findLast(({ hash }) => hash === mine)
  return then && { then, now }
}
