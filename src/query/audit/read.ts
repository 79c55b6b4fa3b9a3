import type { Storage, StoredObject } from '../../storage/storage.js'
import { readAll } from '../system/system-table.js'
import { AUDIT_FOLDER, type AuditRecord } from './call.js'

/** What names of objects end with: how often one was put in the place of another. */
const NUMBER = /-\d{8}\.jsonl$/

/**
 * The audit trail of all servers, the newest calls first.
 *
 * @param since nothing from before it.
 */
export async function* auditTrail(storage: Storage, since?: Date): AsyncGenerator<AuditRecord> {
  const from = since?.toISOString()
  // What began the day before may have ended that day.
  const first = since && new Date(since.getTime() - 86_400_000).toISOString().slice(0, 10)
  const days = (await auditDays(storage)).reverse()
  for (const day of days) {
    if (first && day < first) return
    const records: AuditRecord[] = []
    const objects = await auditObjects(storage, day)
    for await (const some of readAll(objects, (one) => recordsOf(storage, one)))
      for (const one of some) if (!from || one.time >= from) records.push(one)
    yield* records.sort((a, b) => (a.time < b.time ? 1 : -1))
  }
}

/** Days of which something is kept, the oldest first. */
export const auditDays = (storage: Storage): Promise<string[]> => storage.folders(AUDIT_FOLDER)

/** An object of the trail; one that grows is put in the place of another, with a name like it. */
interface AuditObject {
  begin: string
  path: string
  size: number
}

/** What is kept of a day. */
export async function auditObjects(storage: Storage, day: string): Promise<AuditObject[]> {
  const newest = new Map<string, StoredObject>()
  const objects = await storage.list(`${AUDIT_FOLDER}${day}/`)
  for (const one of objects)
    if (NUMBER.test(one.path)) newest.set(one.path.replace(NUMBER, ''), one)
  return [...newest].map(([begin, { path, size }]) => ({ begin, path, size }))
}

/** The calls of an object. */
export const recordsOf = async (
  storage: Storage,
  { begin, path }: AuditObject,
): Promise<AuditRecord[]> => linesOf(await textOf(storage, begin, path))

/** The text of an object, or of the one that was put in its place meanwhile. */
async function textOf(storage: Storage, begin: string, path: string): Promise<string> {
  const bytes = await storage.readIfPresent(path)
  if (bytes) return new TextDecoder().decode(bytes)
  const next = (await storage.list(begin)).at(-1)
  return next && next.path !== path ? textOf(storage, begin, next.path) : ''
}

/** What is on each line; a line that is damaged hides no others. */
function linesOf(text: string): AuditRecord[] {
  return text.split('\n').flatMap((line) => {
    try {
      const record = JSON.parse(line) as AuditRecord
      return typeof record?.time === 'string' ? [record] : []
    } catch {
      return []
    }
  })
}
