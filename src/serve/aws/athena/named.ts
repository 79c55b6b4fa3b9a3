import { randomUUID } from 'node:crypto'
import { MoraineError } from '../../../errors.js'
import { checkAllowance } from '../../../query/service/kept/allowance.js'
import type { Records } from '../../../query/service/kept/records.js'
import type { Caller } from '../../../query/service/request.js'
import { AwsError, invalidRequest } from '../protocol/failure.js'
import { type Fields, pageOf } from '../protocol/fields.js'

/** What each principal may keep, of named queries and of prepared statements. */
const MOST = 1000

export interface NamedQuery {
  id: string
  principal: string
  name: string
  description: string | undefined
  database: string
  query: string
  workgroup: string
}

const shownQuery = (one: NamedQuery) => ({
  ...{
    NamedQueryId: one.id,
    Name: one.name,
    Database: one.database,
    QueryString: one.query,
    WorkGroup: one.workgroup,
  },
  ...(one.description === undefined ? {} : { Description: one.description }),
})

/** Queries that have names, each for who made it. */
export class NamedQueries {
  private readonly all = new Map<string, Map<string, NamedQuery>>()

  constructor(private readonly records: Records<NamedQuery>) {}

  /** Reads those of before. */
  async load(): Promise<void> {
    for (const one of await this.records.load()) this.of({ name: one.principal }).set(one.id, one)
  }

  private of({ name }: Pick<Caller, 'name'>): Map<string, NamedQuery> {
    const known = this.all.get(name) ?? new Map<string, NamedQuery>()
    this.all.set(name, known)
    return known
  }

  async create(caller: Caller, sent: Fields): Promise<{ NamedQueryId: string }> {
    if (this.of(caller).size >= MOST)
      throw invalidRequest(`There are ${MOST} named queries: delete some`)
    return this.put({
      id: randomUUID(),
      principal: caller.name,
      name: sent.text('Name', { most: 128 }),
      description: sent.optional('Description'),
      database: sent.text('Database', { most: 255 }),
      query: sent.text('QueryString', { most: 262_144 }),
      workgroup: sent.optional('WorkGroup') ?? 'primary',
    })
  }

  get(caller: Caller, id: string) {
    return { NamedQuery: shownQuery(this.find(caller, id)) }
  }

  getMany(caller: Caller, ids: readonly string[]) {
    const own = this.of(caller)
    const missing = ids.filter((id) => !own.has(id))
    return {
      NamedQueries: ids.flatMap((id) => {
        const found = own.get(id)
        return found ? [shownQuery(found)] : []
      }),
      UnprocessedNamedQueryIds: missing.map((id) => ({
        NamedQueryId: id,
        ErrorCode: 'NOT_FOUND',
        ErrorMessage: 'There is no such query',
      })),
    }
  }

  list(caller: Caller, sent: Fields) {
    const workgroup = sent.optional('WorkGroup') ?? 'primary'
    const ids = [...this.of(caller).values()]
      .filter((one) => one.workgroup === workgroup)
      .map(({ id }) => id)
    const { items, next } = pageOf(ids, sent, { most: 50 })
    return { NamedQueryIds: items, ...next }
  }

  async update(caller: Caller, sent: Fields): Promise<object> {
    const found = this.find(caller, sent.text('NamedQueryId'))
    await this.put({
      ...found,
      name: sent.text('Name', { most: 128 }),
      query: sent.text('QueryString', { most: 262_144 }),
      description: sent.has('Description') ? sent.optional('Description') : found.description,
    })
    return {}
  }

  async delete(caller: Caller, id: string): Promise<object> {
    this.find(caller, id)
    await this.records.delete(id)
    this.of(caller).delete(id)
    return {}
  }

  private find(caller: Caller, id: string): NamedQuery {
    const found = this.of(caller).get(id)
    if (!found) throw invalidRequest(`NamedQuery ${id} was not found`)
    return found
  }

  private async put(one: NamedQuery): Promise<{ NamedQueryId: string }> {
    const own = [...this.of({ name: one.principal }).values()]
    allowed(
      one,
      own.filter(({ id }) => id !== one.id),
    )
    await this.records.put(one.id, one)
    this.of({ name: one.principal }).set(one.id, one)
    return { NamedQueryId: one.id }
  }
}

/** @throws AwsError where a principal would keep too much. */
function allowed(one: object, others: readonly object[]): void {
  try {
    checkAllowance(one, others)
  } catch (error) {
    throw error instanceof MoraineError ? invalidRequest(error.message) : error
  }
}

export interface PreparedStatement {
  name: string
  workgroup: string
  text: string
  description?: string | undefined
  modified?: number
}

/** A prepared statement, and who prepared it. */
export type KeptStatement = PreparedStatement & { principal: string }

/** Statements that are prepared, by who made them and in which workgroup. */
export class Prepared {
  private readonly all = new Map<string, KeptStatement>()

  constructor(private readonly records: Records<KeptStatement>) {}

  /** Reads those of before. */
  async load(): Promise<void> {
    for (const one of await this.records.load())
      this.all.set(this.key({ name: one.principal }, one.workgroup, one.name), one)
  }

  private key({ name: who }: Pick<Caller, 'name'>, workgroup: string, name: string): string {
    return JSON.stringify([who, workgroup, name])
  }

  async put(caller: Caller, one: PreparedStatement): Promise<void> {
    const key = this.key(caller, one.workgroup, one.name)
    const own = [...this.all.values()].filter(({ principal }) => principal === caller.name)
    if (!this.all.has(key) && own.length >= MOST)
      throw invalidRequest('There are too many prepared statements: delete some')
    if (!/^[A-Za-z_][A-Za-z0-9_@:]{0,255}$/.test(one.name))
      throw invalidRequest(`'${one.name}' is not a name of a statement`)
    const kept = { ...one, modified: Date.now() / 1000, principal: caller.name }
    allowed(
      kept,
      own.filter((other) => other !== this.all.get(key)),
    )
    await this.records.put(key, kept)
    this.all.set(key, kept)
  }

  get(caller: Caller, workgroup: string, name: string): PreparedStatement {
    const found = this.all.get(this.key(caller, workgroup, name))
    if (!found)
      throw new MoraineError(
        'query',
        `PreparedStatement ${name} was not found in workGroup ${workgroup}`,
      )
    return found
  }

  async delete(caller: Caller, workgroup: string, name: string): Promise<void> {
    const key = this.key(caller, workgroup, name)
    if (!this.all.has(key))
      throw new AwsError('ResourceNotFoundException', `PreparedStatement ${name} was not found`)
    await this.records.delete(key)
    this.all.delete(key)
  }

  list(caller: Caller, workgroup: string): PreparedStatement[] {
    return [...this.all.values()].filter(
      (one) => one.principal === caller.name && one.workgroup === workgroup,
    )
  }
}

export const shownPrepared = (one: PreparedStatement) => ({
  ...{ StatementName: one.name, QueryStatement: one.text, WorkGroupName: one.workgroup },
  LastModifiedTime: one.modified ?? 0,
  ...(one.description === undefined ? {} : { Description: one.description }),
})
