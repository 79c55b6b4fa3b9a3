import type { Storage } from '../../storage/storage.js'
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
  const days = (await storage.folders(AUDIT_FOLDER)).reverse()
  for (const day of days) {
    if (first && day < first) return
    const records = (await recordsOf(storage, day)).filter(({ time }) => !from || time >= from)
    yield* records.sort((a, b) => (a.time < b.time ? 1 : -1))
  }
}

async function recordsOf(storage: Storage, day: string): Promise<AuditRecord[]> {
  const newest = new Map<string, string>()
  const objects = await storage.list(`${AUDIT_FOLDER}${day}/`)
  for (const { path } of objects) if (NUMBER.test(path)) newest.set(path.replace(NUMBER, ''), path)
  const found = [...newest].map(([begin, path]) => textOf(storage, begin, path))
  return (await Promise.all(found)).flatMap(linesOf)
}

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
