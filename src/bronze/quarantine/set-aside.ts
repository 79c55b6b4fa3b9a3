import { randomBytes } from 'node:crypto'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import { messageOf } from '../../errors.js'
import { type QuarantinedObject, quarantinedOf, quarantineOf } from '../../log/quarantined.js'
import { redact } from '../../secrets.js'
import type { RunContext } from '../../step/context.js'
import { commitRows, type NewBatch, newBatch } from '../batch-commit.js'
import type { Intake } from '../offer.js'
import { ProcessEnded } from './reading.js'

/** An object that can't be read, and what is to be kept of it. */
export interface Unread {
  name: string
  kind: QuarantinedObject['kind']
  rows?: number
  size: number
  modified: number
  /** Keeps its bytes, beside the batch that holds its place. */
  keep(batch: NewBatch): Promise<QuarantinedObject['original']>
  /**
   * Its name in the lake, by its SHA-256; `undefined` where it is there already. Without it, as it
   * is called.
   */
  nameFor?: (sha256: string) => string | undefined
  error: unknown
  /** Where it came from, as the batch says. */
  source?: object
  /** How far the dataset was read, this object included. */
  watermark: unknown
  archive?: (batch: string) => string
}

/** Characters of a reason that are kept. */
const LONGEST = 500

/**
 * Sets an object aside in one commit: a batch without rows holds its place, so that its rows come
 * where they belong once it can be read, and what is behind it goes on.
 */
export async function setAside(
  context: RunContext,
  done: Intake,
  dataset: Bronze,
  unread: Unread,
): Promise<Intake> {
  const name = fullName(dataset)
  const batch = newBatch(context, done.state, dataset)
  const original = await unread.keep(batch)
  const time = context.started.toISOString()
  const { kind, rows, size, modified, source, watermark, archive } = unread
  const own = unread.nameFor ? unread.nameFor(original.sha256) : unread.name
  if (own === undefined)
    return {
      ...done,
      notes: [...done.notes, `${unread.name} arrived again and was ingested only once`],
    }
  const object: QuarantinedObject = {
    id: randomBytes(4).toString('hex'),
    name: own,
    kind,
    ...(rows === undefined ? {} : { rows }),
    size,
    modified,
    original,
    batch: `${batch.batch}.1`,
    arrived: time,
    failures: 1,
    since: time,
    last: time,
    reason: reasonOf(unread.error),
    held: context.quarantineAfter <= 1,
    ...(unread.error instanceof ProcessEnded ? { crashes: true as const } : {}),
  }
  const { sha256 } = original
  const result = await commitRows(context, done, {
    dataset,
    batch,
    files: [],
    columns: [],
    ...(source ? { source } : {}),
    watermark,
    more: {},
    quarantined: [{ name: own, size, modified, sha256 }],
    also: quarantineOf(name, [...quarantinedOf(done.state, name), object]),
    message: `quarantine ${own} of ${name}: it can't be read`,
    ...(archive ? { copy: archive(batch.batch) } : {}),
  })
  return { ...result, notes: done.notes, setAside: [...(done.setAside ?? []), object] }
}

/** What went wrong, in one line that is not too long. */
export function reasonOf(error: unknown): string {
  const [first = ''] = redact(messageOf(error)).split('\n')
  return first.length > LONGEST ? `${first.slice(0, LONGEST - 1)}…` : first
}
