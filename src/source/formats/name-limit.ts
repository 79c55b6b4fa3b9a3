import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { MoraineError } from '../../errors.js'
import { SEPARATOR, unescapeText } from '../text/canonical.js'
import { MARK } from './json-records.js'
import { type WrittenRecords, writeRecords } from './write-records.js'

/** Refuses rows that bring more names than can be columns; those that came before them are kept. */
export class NameLimit {
  private readonly names = new Set<string>()

  constructor(private readonly most: number) {}

  /**
   * Why a row of JSON can't be read; `undefined` where it can, or where it is no object, which is
   * told elsewhere.
   */
  refusal(row: string): string | undefined {
    const fresh = namesOf(row).filter((name) => !this.names.has(name))
    if (this.names.size + fresh.length > this.most)
      return `it brings the number of different names to more than ${this.most}`
    for (const name of fresh) this.names.add(name)
    return undefined
  }
}

function namesOf(row: string): string[] {
  try {
    const value = JSON.parse(row)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.keys(value)
      : []
  } catch {
    return []
  }
}

/** Rows have more names than can be columns. */
export class TooManyNames extends MoraineError {
  constructor(source: string, names: number, most: number) {
    super('source', `${source}: its rows have ${names} different names`, {
      hint: `At most ${most} names can become columns. Are the rows further inside? Set their path, such as rows: 'data.items'.`,
    })
  }
}

/**
 * Writes rows down once more, those that bring too many names as rows that could not be read.
 *
 * @param from where they were written down before.
 * @returns what was written; how many rows were refused, of how many objects.
 */
export async function writeWithinLimit(
  from: string,
  to: string,
  most: number,
): Promise<WrittenRecords & { refused: number; objects: number }> {
  const limit = new NameLimit(most)
  const counts = { refused: 0, objects: 0 }
  const records = async function* () {
    const lines = createInterface({ input: createReadStream(from), crlfDelay: 0 })
    for await (const text of lines) {
      const [line, error, raw, json] = text.split(SEPARATOR).map(unescapeText) as [
        ...[string, string, string, string],
      ]
      const row = { line: Number(line) }
      if (error !== '') {
        yield [{ ...row, error, raw }]
        continue
      }
      counts.objects++
      const refusal = limit.refusal(json)
      if (refusal !== undefined) counts.refused++
      const marked = json.includes(MARK)
      yield [
        refusal === undefined
          ? { ...row, json, ...(marked ? { marked } : {}) }
          : { ...row, error: refusal, raw: json.replaceAll(MARK, '') },
      ]
    }
  }
  return { ...(await writeRecords(records(), to, {})), ...counts }
}
