import { randomUUID } from 'node:crypto'
import { MoraineError } from '../../../errors.js'
import type { Caller } from '../../../query/service/request.js'
import { AwsError, invalidRequest } from '../protocol/failure.js'
import { type Fields, pageOf } from '../protocol/fields.js'

/** What each principal may keep. */
const MOST = 1000

interface NamedQuery {
  id: string
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

/** Queries that have names; they are kept for as long as the server runs, each for who made it. */
export class NamedQueries {
  private readonly all = new Map<string, Map<string, NamedQuery>>()

  private of({ name }: Caller): Map<string, NamedQuery> {
    const known = this.all.get(name) ?? new Map<string, NamedQuery>()
    this.all.set(name, known)
    return known
  }

  create(caller: Caller, sent: Fields): { NamedQueryId: string } {
    const own = this.of(caller)
    if (own.size >= MOST) throw invalidRequest(`There are ${MOST} named queries: delete some`)
    const one: NamedQuery = {
      id: randomUUID(),
      name: sent.text('Name', { most: 128 }),
      description: sent.optional('Description'),
      database: sent.text('Database', { most: 255 }),
      query: sent.text('QueryString', { most: 262_144 }),
      workgroup: sent.optional('WorkGroup') ?? 'primary',
    }
    own.set(one.id, one)
    return { NamedQueryId: one.id }
  }

  get(caller: Caller, id: string) {
    const found = this.of(caller).get(id)
    if (!found) throw invalidRequest(`NamedQuery ${id} was not found`)
    return { NamedQuery: shownQuery(found) }
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

  update(caller: Caller, sent: Fields) {
    const found = this.of(caller).get(sent.text('NamedQueryId'))
    if (!found) throw invalidRequest('There is no such named query')
    found.name = sent.text('Name', { most: 128 })
    found.query = sent.text('QueryString', { most: 262_144 })
    if (sent.has('Description')) found.description = sent.optional('Description')
    return {}
  }

  delete(caller: Caller, id: string) {
    if (!this.of(caller).delete(id)) throw invalidRequest(`NamedQuery ${id} was not found`)
    return {}
  }
}

export interface PreparedStatement {
  name: string
  workgroup: string
  text: string
  description?: string | undefined
  modified?: number
}

/** Statements that are prepared, by who made them and in which workgroup. */
export class Prepared {
  private readonly all = new Map<string, PreparedStatement>()

  private key({ name: who }: Caller, workgroup: string, name: string): string {
    return JSON.stringify([who, workgroup, name])
  }

  put(caller: Caller, one: PreparedStatement): void {
    if (this.all.size >= 10 * MOST)
      throw invalidRequest('There are too many prepared statements: delete some')
    if (!/^[A-Za-z_][A-Za-z0-9_@:]{0,255}$/.test(one.name))
      throw invalidRequest(`'${one.name}' is not a name of a statement`)
    this.all.set(this.key(caller, one.workgroup, one.name), { ...one, modified: Date.now() / 1000 })
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

  delete(caller: Caller, workgroup: string, name: string): void {
    if (!this.all.delete(this.key(caller, workgroup, name)))
      throw new AwsError('ResourceNotFoundException', `PreparedStatement ${name} was not found`)
  }

  list(caller: Caller, workgroup: string): PreparedStatement[] {
    const prefix = JSON.stringify([caller.name, workgroup]).slice(0, -1)
    return [...this.all].filter(([key]) => key.startsWith(`${prefix},`)).map(([, one]) => one)
  }
}

export const shownPrepared = (one: PreparedStatement) => ({
  ...{ StatementName: one.name, QueryStatement: one.text, WorkGroupName: one.workgroup },
  LastModifiedTime: one.modified ?? 0,
  ...(one.description === undefined ? {} : { Description: one.description }),
})
