import { decode } from '../decoder/client.js'
import type { Reads } from '../decoder/job-types.js'
import { SMALL_TEXT } from '../decoder/limits.js'
import { recordsOf } from './document.js'
import { type WrittenRecords, writeRecords } from './write-records.js'

/**
 * Writes the rows of a file down: in place where it is a small text, otherwise in a process that
 * can be stopped.
 */
export function writeFileRecords(
  { file, source, inspection }: Reads,
  to: string,
  { signal, lead }: { signal?: AbortSignal | undefined; lead?: string },
): Promise<WrittenRecords> {
  const led = lead === undefined ? {} : { lead }
  if (inspection.bytes <= SMALL_TEXT && source.layout?.kind !== 'avro')
    return writeRecords(
      recordsOf(file, source, inspection, { ...(signal ? { signal } : {}) }),
      to,
      led,
    )
  const { readers: _, ...own } = source
  return decode('records', file, { source: own, inspection, to, ...led }, signal)
}
