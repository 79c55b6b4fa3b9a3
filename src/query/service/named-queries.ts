import { MoraineError } from '../../errors.js'
import { checkAllowance } from './kept/allowance.js'
import type { Records } from './kept/records.js'
import type { Caller } from './request.js'

/** A query that somebody has given a name. */
export interface NamedQuery {
  name: string
  sql: string
  schema?: string
  workgroup?: string
  description?: string
  /** When it was last written, as ISO 8601. */
  modified: string
}

/** How many each principal may have. */
const MOST = 1000
const NAME = /^[A-Za-z_][\w.-]{0,127}$/

type Kept = NamedQuery & { principal: string }

/** Queries by their names, each known to whoever named it alone. */
export class NamedQueries {
  private readonly all = new Map<string, Map<string, Kept>>()

  constructor(
    private readonly records: Records<Kept>,
    private readonly now: () => Date,
  ) {}

  /** Reads those of before. */
  async load(): Promise<void> {
    for (const one of await this.records.load()) this.of(one.principal).set(one.name, one)
  }

  list({ name }: Caller): NamedQuery[] {
    const own = [...this.of(name).values()].map(shown)
    return own.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** @throws MoraineError of kind `usage` where this principal has none of this name. */
  get(caller: Caller, name: string): NamedQuery {
    const found = this.of(caller.name).get(name)
    if (found) return shown(found)
    throw new MoraineError('usage', `There is no named query ${name.slice(0, 200)}`, {
      hint: 'GET /v1/named lists those that you have.',
    })
  }

  /** @throws MoraineError of kind `usage` for a name that is none, `limit` where there are many. */
  async put(caller: Caller, query: Omit<NamedQuery, 'modified'>): Promise<NamedQuery> {
    const { name } = query
    if (!NAME.test(name))
      throw new MoraineError('usage', `'${name.slice(0, 200)}' is not a name of a query`, {
        hint: 'Begin with a letter, and go on with letters, digits, _, - and . (at most 128).',
      })
    const own = this.of(caller.name)
    if (!own.has(name) && own.size >= MOST)
      throw new MoraineError('limit', `There are ${MOST} named queries already`, {
        hint: 'Delete some.',
      })
    const kept = { ...query, principal: caller.name, modified: this.now().toISOString() }
    checkAllowance(
      kept,
      [...own.values()].filter((one) => one.name !== name),
    )
    await this.records.put(idOf(kept), kept)
    own.set(name, kept)
    return shown(kept)
  }

  async delete(caller: Caller, name: string): Promise<NamedQuery> {
    const found = this.get(caller, name)
    await this.records.delete(idOf({ name, principal: caller.name }))
    this.of(caller.name).delete(name)
    return found
  }

  private of(principal: string): Map<string, Kept> {
    const known = this.all.get(principal) ?? new Map<string, Kept>()
    this.all.set(principal, known)
    return known
  }
}

const idOf = ({ name, principal }: Pick<Kept, 'name' | 'principal'>) =>
  JSON.stringify([principal, name])

function shown({ principal: _, ...query }: Kept): NamedQuery {
  return query
}
