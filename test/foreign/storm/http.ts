import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Session } from '../../../src/engine/engine.js'
import { realEffects, type TableEffects } from '../../../src/iceberg/effects.js'
import { parseJson, toJsonText } from '../../../src/iceberg/json.js'
import type { DataFile } from '../../../src/iceberg/spec/manifest.js'
import { currentSpec } from '../../../src/iceberg/spec/metadata.js'
import { Table } from '../../../src/iceberg/table.js'
import { pathOf, type Storage } from '../../../src/storage/storage.js'
import type { Action, Row } from './deeds.js'
import { type Hand, Refusal } from './writer.js'

/** An answer that says no. */
class Refused extends Refusal {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(`${status} ${message}`)
  }
}

/** Ids as other engines draw them: of 63 bits. */
const effects: TableEffects = {
  ...realEffects,
  snapshotId: () => randomBytes(8).readBigUInt64BE() >> 1n,
}

const columns = [
  { id: 1, name: 'writer', type: 'string', required: false },
  { id: 2, name: 'seq', type: 'long', required: false },
  { id: 3, name: 'value', type: 'long', required: false },
]
export const CREATE = {
  schema: { type: 'struct', 'schema-id': 0, fields: columns },
}

/** How often a commit is made anew on what others have committed meanwhile. */
const RETRIES = 3
/** How long the same request is sent again that got no answer, in milliseconds. */
const PATIENCE = 60_000

/** A client of the protocol itself. */
export class Client {
  constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  /**
   * Sends a request until it is answered. Its key makes sure that it is carried out once.
   *
   * @throws Refused with what the answer says.
   */
  async send(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const headers = {
      authorization: `Bearer ${this.token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(method === 'GET' ? {} : { 'idempotency-key': randomUUID() }),
    }
    const sent = { method, headers, ...(body === undefined ? {} : { body: toJsonText(body, 0) }) }
    const begun = Date.now()
    for (;;) {
      const answer = await fetch(`${this.url}/v1/${path}`, sent)
        .then(async (answer) => ({ status: answer.status, text: await answer.text() }))
        .catch(() => undefined)
      if (answer && answer.status < 500) {
        if (answer.status >= 400) throw new Refused(answer.status, messageIn(answer.text))
        return answer.text === '' ? {} : (parseJson(answer.text) as Record<string, unknown>)
      }
      if (Date.now() - begun > PATIENCE)
        throw new Error(`${method} ${path} got no answer: ${answer?.text}`)
      await sleep(200)
    }
  }
}

const messageIn = (text: string) => {
  try {
    return JSON.parse(text).error.message
  } catch {
    return text.slice(0, 200)
  }
}

/** What a commit of one table sends. */
interface Sent {
  identifier: { namespace: string[]; name: string }
  requirements: object[]
  updates: object[]
}

/**
 * A writer that speaks the protocol by itself, and writes files with Moraine's own writer. It gives
 * each request a key and sends it until it is answered, so it always knows what became of it.
 */
export class HttpHand implements Hand {
  readonly can = [
    ...(['append', 'append', 'append', 'append', 'together', 'together'] as const),
    ...(['create', 'rename', 'drop', 'replace'] as const),
  ]
  readonly createsEmpty = true

  constructor(
    private readonly client: Client,
    private readonly storage: Storage,
    private readonly session: () => Promise<Session>,
  ) {}

  async perform(action: Action): Promise<void> {
    const { client } = this
    switch (action.do) {
      case 'append':
        return this.commit([action])
      case 'replace':
        return this.commit([action], true)
      case 'together':
        return this.commit(action.parts)
      case 'create':
        await client.send('POST', 'namespaces/storm/tables', { name: action.table, ...CREATE })
        return
      case 'rename':
        await client.send('POST', 'tables/rename', {
          source: { namespace: ['storm'], name: action.table },
          destination: { namespace: ['storm'], name: action.to },
        })
        return
      case 'drop':
        await client.send('DELETE', `namespaces/storm/tables/${action.table}?purgeRequested=true`)
        return
      default:
        throw new Error(`It can't ${action.do}`)
    }
  }

  /** Writes files, and commits them on whatever is there by then. */
  private async commit(
    parts: readonly { table: string; rows: readonly Row[] }[],
    replaces = false,
  ): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const sent: Sent[] = []
      for (const part of parts) sent.push(await this.staged(part, replaces))
      try {
        const [one] = sent
        if (sent.length > 1 || !one)
          await this.client.send('POST', 'transactions/commit', { 'table-changes': sent })
        else await this.client.send('POST', `namespaces/storm/tables/${one.identifier.name}`, one)
        return
      } catch (error) {
        if (!(error instanceof Refused && error.status === 409) || attempt >= RETRIES) throw error
        await sleep(Math.random() * 100 * 2 ** attempt)
      }
    }
  }

  private async staged(part: { table: string; rows: readonly Row[] }, replaces: boolean) {
    const { table: name, rows } = part
    const loaded = await this.client.send('GET', `namespaces/storm/tables/${name}`)
    const metadata = pathOf(this.storage, String(loaded['metadata-location']))
    const table = await Table.load(this.storage, metadata as string, effects)
    const added = await this.written(table, rows)
    const staged = await table.write({ removed: replaces ? 'all' : new Set(), added })
    const snapshot = staged.snapshot as object & { 'snapshot-id': unknown }
    const id = snapshot['snapshot-id']
    return {
      identifier: { namespace: ['storm'], name },
      requirements: [
        { type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] },
        {
          type: 'assert-ref-snapshot-id',
          ref: 'main',
          'snapshot-id': table.snapshot?.['snapshot-id'] ?? null,
        },
      ],
      updates: [
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
      ],
    }
  }

  private async written(table: Table, added: readonly Row[]): Promise<DataFile[]> {
    const values = added.map(({ writer, seq, value }) => `('${writer}', ${seq}, ${value})`)
    const session = await this.session()
    await this.storage.prepare(`${table.dataFolder}/x`)
    const rows = `VALUES ${values.join(', ')}`
    return session.tables.write(`SELECT * FROM (${rows}) t(writer, seq, value)`, {
      schema: table.schema,
      spec: currentSpec(table.metadata),
      location: this.storage.locate(table.dataFolder),
      name: randomUUID(),
    })
  }
}
