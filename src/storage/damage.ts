import { MoraineError, messageOf } from '../errors.js'
import { remedyFor } from './remedy.js'
import { pathOf, type Storage, stagingOf } from './storage.js'

/** What the engine says of files that are gone. */
const MISSING = /No files found that match|No such file|Cannot open file|ENOENT|404|does not exist/i
/** What it says of files whose bytes are not those that were written. */
const DAMAGED =
  /magic bytes|decompress|corrupt|too small to be a Parquet|TProtocol|Failed to read file|Invalid (?:Input )?Error|out of range|unexpected end/i
/** The same, of errors that do not name the file. */
const NAMELESS = /TProtocolException|decompress(?:ion)? fail|corrupt/i
const FILE = /["']((?:[a-z0-9]+:\/\/|\/)[^"']+?\.(?:parquet|avro|csv|jsonl|json))["']/i

/**
 * A failure of the engine that is about a file of the lake: which one, what is wrong with it, and
 * what brings it back. `undefined` for all other failures.
 *
 * @param read the tables that were read, for errors that do not name the file.
 */
export function damageIn(
  error: unknown,
  storage: Storage,
  read: readonly string[] = [],
): MoraineError | undefined {
  const message = messageOf(error)
  if (NAMELESS.test(message) && !FILE.test(message))
    return new MoraineError(
      'corrupt',
      `A file of ${read.length > 0 ? read.join(' or ') : 'its inputs'} is damaged: ${reason(message, '')}`,
      { cause: error, hint: 'moraine verify --deep shows which file, and how to repair it.' },
    )
  const is = MISSING.test(message) ? 'is missing' : DAMAGED.test(message) ? 'is damaged' : undefined
  const file = FILE.exec(message)?.[1]
  if (!is || file === undefined) return undefined
  const path = pathInLake(file, storage)
  if (path === undefined) return undefined
  const why = is === 'is damaged' ? `: ${reason(message, file)}` : ''
  return new MoraineError('corrupt', `${path} ${is}${why}`, { cause: error, hint: remedyFor(path) })
}

/**
 * The path in storage of a file as the engine names it: where it lies, or its copy on this machine.
 */
function pathInLake(file: string, storage: Storage): string | undefined {
  const location = file.includes('://') ? file : `file://${file}`
  const path = pathOf(storage, location)
  if (path !== undefined) return path
  const copies = `${stagingOf(storage).localPath(storage.locate('x')).slice(0, -1)}`
  return file.startsWith(copies) ? file.slice(copies.length) : undefined
}

/** What the engine says, without the path that was named already. */
function reason(message: string, file: string): string {
  const [first = ''] = message.split('\n')
  const said = first.replace(/^(?:[A-Z]\w+ )+Error: /, '').replaceAll(file, '…')
  return (
    said
      .replace(/^Invalid Error: /, '')
      .replace(/(?:Failed to read file )?["']…["']:? ?/, '')
      .trim() || 'it cannot be read'
  )
}
