import type { Bronze } from '../../define/model.js'
import type { DatabaseKind, DatabaseSource } from '../../define/source.js'
import { abortController } from '../../signals.js'
import type { SourceDialect } from './dialect.js'
import type { Reader } from './reader.js'
import { settled } from './settled.js'

/**
 * The databases of one run: each is opened once, so that all of its tables are read from one
 * snapshot.
 */
export class Databases implements AsyncDisposable {
  private readonly readers = new Map<unknown, Promise<Reader>>()
  private readonly closing = abortController()

  private constructor(private readonly sources: readonly DatabaseSource[]) {}

  /** The databases of all datasets that will be read. */
  static of(datasets: readonly Bronze[]): Databases {
    return new Databases(
      datasets.flatMap(({ from }) => {
        const read = from.kind === 'inbox' ? from.feed : from
        return read?.kind === 'database' ? [read] : []
      }),
    )
  }

  reader(source: DatabaseSource): Promise<Reader> {
    const key = keyOf(source)
    const known = this.readers.get(key)
    if (known) return known
    const opened = open(
      source,
      this.sources.filter((other) => keyOf(other) === key),
      this.closing.signal,
    )
    this.readers.set(key, opened)
    // One that could not be opened is tried again by who asks next.
    opened.catch(() => this.readers.delete(key))
    return opened
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort()
    await Promise.all(
      [...this.readers.values()].map((reader) =>
        reader.then(
          (r) => r.close(),
          () => {},
        ),
      ),
    )
    this.readers.clear()
  }
}

/** What tells one database from another: where its address is secret, who was told of it. */
export function keyOf({ database, connection }: DatabaseSource): unknown {
  const { password, ...rest } = connection
  if (typeof rest.url === 'function') return connection
  return JSON.stringify([database, rest, typeof password === 'string' ? password : null])
}

const dialects: Readonly<Record<DatabaseKind, () => Promise<SourceDialect>>> = {
  postgres: async () => (await import('./postgres/dialect.js')).postgres,
  mysql: async () => (await import('./mysql/dialect.js')).mysql,
  sqlserver: async () => (await import('./sqlserver/dialect.js')).sqlserver,
}

async function open(
  { database, connection, place }: DatabaseSource,
  sources: readonly DatabaseSource[],
  signal: AbortSignal,
): Promise<Reader> {
  const wanted = { sources, place, signal }
  const { openReader } = await import('./database-reader.js')
  return openReader(await dialects[database](), await settled(connection), wanted)
}
