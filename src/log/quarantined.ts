import { quarantineKey } from '../define/watermark-keys.js'

/**
 * An object that could not be read, and was set aside so that it does not hold back what came after
 * it.
 */
export interface QuarantinedObject {
  /** By which commands know it: eight hexadecimal digits. */
  id: string
  /** The name that lineage shows. */
  name: string
  kind: 'request' | 'file'
  /** Rows, of a request. */
  rows?: number
  /** Bytes. */
  size: number
  /** Milliseconds since 1970. */
  modified: number
  /** Its bytes as they came. */
  original: { path: string; bytes: number; sha256: string }
  /**
   * The name of the batch that its rows have once they are read: it sorts at the place at which the
   * object arrived.
   */
  batch: string
  /** When it arrived. */
  arrived: string
  /** Its failures: how many, the first and the last time, and what was said the last time. */
  failures: number
  since: string
  last: string
  reason: string
  /** It failed often enough: it is not tried again by itself. */
  held: boolean
  /** A process ended while it read it: it is read in a process of its own first. */
  crashes?: true
}

/** What is in quarantine of a dataset, in the log beside its watermark. */
export interface Quarantine {
  objects: QuarantinedObject[]
}

type Watermarks = Readonly<Record<string, unknown>>

/** The objects of a dataset that are in quarantine, in the order in which they arrived. */
export function quarantinedOf(
  { watermarks }: { watermarks: Watermarks },
  dataset: string,
): readonly QuarantinedObject[] {
  return (watermarks[quarantineKey(dataset)] as Quarantine | undefined)?.objects ?? []
}

/** All objects in quarantine, by the full names of their datasets. */
export function quarantinedIn({ watermarks }: { watermarks: Watermarks }) {
  return Object.entries(watermarks).flatMap(([key, value]) =>
    key.startsWith('quarantine.') && value
      ? (value as Quarantine).objects.map((object) => ({
          dataset: key.replace(/^quarantine\./, 'bronze.'),
          object,
        }))
      : [],
  )
}

/** The watermark that says which objects are in quarantine; `null` when none is any more. */
export function quarantineOf(
  dataset: string,
  objects: readonly QuarantinedObject[],
): Record<string, Quarantine | null> {
  return { [quarantineKey(dataset)]: objects.length > 0 ? { objects: [...objects] } : null }
}
