import { readFileSync } from 'node:fs'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { Engine, FileEngine, Session } from '../../src/engine/engine.js'
import { SqlError } from '../../src/engine/sql-error.js'
import { runLake } from '../../src/run/execute.js'
import type { RunOptions } from '../../src/run/options.js'
import type { RunRecord } from '../../src/step/events.js'
import type { Storage } from '../../src/storage/storage.js'
import type { Project } from './project.js'

/** What a text must hold for the decoder of {@link poisoned} to fail. */
export const POISON = 'P0IS0N'

/** What it says then: a mistake of the engine, as nobody has foreseen it. */
export const FAILURE = 'Not implemented Error: Unsupported encoding of column 3'

/** An engine whose decoder fails on texts that hold {@link POISON}, and on no others. */
export function poisoned(engine: Engine, marker = POISON, message = FAILURE): Engine {
  let isLost = false
  const lose = () => {
    isLost = /INTERNAL Error/.test(message)
  }
  return {
    async open() {
      if (isLost) throw new SqlError('', new Error(LOST))
      return refusing(await engine.open(), marker, message, lose)
    },
    confine: (locations) => engine.confine(locations),
    confineToFiles: (locations) => engine.confineToFiles(locations),
    limitMemory: (bytes) => engine.limitMemory(bytes),
    extensionsFrom: (folder) => engine.extensionsFrom(folder),
    close: () => engine.close(),
  }
}

const LOST = 'FATAL Error: database has been invalidated because of a previous fatal error'

/** A session whose engine can't read a text. */
function refusing(session: Session, marker: string, message: string, lose: () => void): Session {
  const files = refusingFiles(session.files, marker, message, lose)
  return new Proxy(session, {
    get(target, name) {
      if (name === 'files') return files
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function refusingFiles(
  session: FileEngine,
  marker: string,
  message: string,
  lose: () => void,
): FileEngine {
  return new Proxy(session, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== 'text') return value.bind(target)
      return (path: string, ...rest: unknown[]) => {
        if (readFileSync(path, 'utf8').includes(marker)) {
          lose()
          throw new SqlError('', new Error(message))
        }
        return value.call(target, path, ...rest)
      }
    },
  })
}

/** A run of a project whose decoder fails on what holds a marker. */
export async function runPoisoned(
  project: Project,
  options: Omit<RunOptions, 'storage' | 'engine'> & {
    storage?: Storage
    marker?: string
    message?: string
  } = {},
): Promise<RunRecord> {
  const { storage = project.storage, marker, message, ...rest } = options
  const engine = await DuckDB.start({ threads: 2 })
  try {
    const failing = poisoned(engine, marker, message)
    return await runLake(await project.load(), { storage, engine: failing, ...rest })
  } finally {
    await engine.close()
  }
}

/**
 * TypeScript for the head of a `lake.ts`: in its processes, writing down JSON that holds {@link
 * POISON} fails as a decoder does which has a mistake. Lines of JSON are not written down where the
 * engine can read them as they are: what is to fail is a list.
 */
export const failingDecoder = `
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
const real = fs.createWriteStream
fs.createWriteStream = ((path: string, ...rest: never[]) => {
  const stream = real(path, ...rest)
  const write = stream.write.bind(stream)
  stream.write = ((chunk: unknown, ...more: never[]) => {
    if (!path.endsWith('records') || !String(chunk).includes('${POISON}')) return write(chunk as never, ...more)
    stream.destroy(new Error('${FAILURE}'))
    return false
  }) as never
  return stream
}) as never
syncBuiltinESMExports()
`
