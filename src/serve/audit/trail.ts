import { randomBytes } from 'node:crypto'
import {
  AUDIT_FOLDER,
  type AuditedCall,
  type AuditRecord,
  isRefused,
} from '../../query/audit/call.js'
import { redact } from '../../secrets.js'
import type { Storage } from '../../storage/storage.js'

export interface AuditOptions {
  /** Hears when calls can't be kept, once until they can again, and of how many were lost. */
  onError?: (error: unknown) => void
  /** Milliseconds after which calls are in storage. */
  every?: number
  now?: () => Date
}

const EVERY = 10_000
/** The same of calls that changed something, or were refused. */
const SOON = 1000
/** Kinds of calls that are alike, which are counted at the same time. */
const ALIKE = 1000
/** Characters of an object after which another one is begun, and milliseconds. */
const LARGEST = 256 * 1024
const LONGEST = 3_600_000
/** Characters that wait for storage; what comes on top of that is counted, and lost. */
const WAITING = 4 * 2 ** 20
/** Milliseconds and bytes of the trail that are kept. */
const KEPT_FOR = 30 * 86_400_000
const KEPT_BYTES = 256 * 2 ** 20
const CLEANED_EVERY = 3_600_000
/** Characters of a name that are kept. */
const NAME = 200

/** An object that still grows. */
interface Segment {
  begun: number
  text: string
  /** What the names of its objects begin with. */
  name: string
  path: string | undefined
}

/**
 * Notes who called what, in objects of their own: any number of servers keep theirs beside each
 * other. No request waits for it, and none fails by it.
 *
 * An object can't be appended to: while calls arrive, each next one holds all of the last one, in
 * whose place it is put.
 */
export class AuditTrail {
  private waiting: string[] = []
  private waitingSize = 0
  private lost = 0
  private segment: Segment | undefined
  /** No name is used twice, also where nothing is known of what became of the last object. */
  private number = 0
  private writing: Promise<void> = Promise.resolve()
  private timer: NodeJS.Timeout | undefined
  /** When the timer fires, in milliseconds since the process began. */
  private due = Number.POSITIVE_INFINITY
  /** Calls that are alike, by what they have in common; they are counted until they are written. */
  private readonly alike = new Map<string, AuditedCall>()
  private isFailing = false
  private cleaned = Number.NEGATIVE_INFINITY

  constructor(
    private readonly storage: Storage,
    private readonly options: AuditOptions = {},
  ) {}

  /** Notes a call; it is written later. */
  add(call: AuditedCall): void {
    const { every = EVERY } = this.options
    this.writeWithin(isTelling(call) ? Math.min(SOON, every) : every)
    if (isSigned(call) && this.alike.size < ALIKE) this.count(call)
    else this.note(call)
  }

  private writeWithin(milliseconds: number): void {
    const due = performance.now() + milliseconds
    if (due >= this.due) return
    clearTimeout(this.timer)
    this.due = due
    this.timer = setTimeout(() => void this.flush(), milliseconds)
    this.timer.unref()
  }

  /** One more of calls that are alike. */
  private count(call: AuditedCall): void {
    const { time: _, milliseconds, ...same } = call
    const key = JSON.stringify(same)
    const known = this.alike.get(key)
    const more = known?.milliseconds ?? 0
    const calls = (known?.calls ?? 0) + 1
    this.alike.set(key, { ...call, milliseconds: more + milliseconds, calls })
  }

  private note(call: AuditedCall): void {
    const line = `${JSON.stringify(withoutSecrets(call))}\n`
    if (this.waitingSize + line.length > WAITING) this.lost++
    else {
      this.waiting.push(line)
      this.waitingSize += line.length
    }
  }

  /** Writes what was noted so far; what can't be written is tried again with what comes next. */
  flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    this.due = Number.POSITIVE_INFINITY
    for (const { calls = 1, ...call } of this.alike.values())
      this.note(calls > 1 ? { ...call, calls } : call)
    this.alike.clear()
    this.writing = this.writing.then(() => this.write())
    return this.writing
  }

  private async write(): Promise<void> {
    if (this.waiting.length === 0 && this.lost === 0) return
    const [lines, size, lost] = [this.waiting, this.waitingSize, this.lost]
    this.waiting = []
    this.waitingSize = 0
    this.lost = 0
    try {
      await this.put(lost > 0 ? [...lines, this.lostLine(lost)] : lines)
      if (lost > 0)
        this.options.onError?.(new Error(`${lost} calls of the catalog are not audited`))
      this.isFailing = false
      await this.clean()
    } catch (error) {
      this.waiting = [...lines, ...this.waiting]
      this.waitingSize += size
      this.lost += lost
      if (!this.isFailing) this.options.onError?.(error)
      this.isFailing = true
    }
  }

  private now(): Date {
    return this.options.now?.() ?? new Date()
  }

  private lostLine(lost: number): string {
    return `${JSON.stringify({ time: this.now().toISOString(), lost } satisfies AuditRecord)}\n`
  }

  private async put(lines: readonly string[]): Promise<void> {
    const segment = this.segmentAt(this.now())
    const path = `${segment.name}-${String(this.number++).padStart(8, '0')}.jsonl`
    const text = segment.text + lines.join('')
    await this.storage.write(path, new TextEncoder().encode(text))
    const before = segment.path
    Object.assign(segment, { text, path })
    // Readers that find both take the later one.
    if (before !== undefined) await this.storage.remove(before).catch(() => {})
  }

  /** The object that grows: another one where it has become large or old. */
  private segmentAt(now: Date): Segment {
    const last = this.segment
    const isOver = !last || last.text.length > LARGEST || now.getTime() - last.begun > LONGEST
    if (!isOver) return last
    const start = now.toISOString()
    const id = `${start.replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`
    const name = `${AUDIT_FOLDER}${start.slice(0, 10)}/${id}`
    this.segment = { begun: now.getTime(), text: '', name, path: undefined }
    return this.segment
  }

  /** Removes what is older than the trail is kept, or more. */
  private async clean(): Promise<void> {
    const now = this.now().getTime()
    if (now - this.cleaned < CLEANED_EVERY) return
    this.cleaned = now
    const objects = (await this.storage.list(AUDIT_FOLDER)).reverse()
    let bytes = 0
    for (const { path, size, modified } of objects) {
      bytes += size
      const isOwn = path === this.segment?.path
      if (!isOwn && (bytes > KEPT_BYTES || now - modified > KEPT_FOR))
        await this.storage.remove(path)
    }
  }
}

/** Whether a call changed something, or was refused: who is killed a moment later has it kept. */
const isTelling = (call: AuditedCall) => call.commit !== undefined || isRefused(call)

/** Requests to the storage that are signed are as many as files are read. */
const isSigned = ({ route, status }: AuditedCall) =>
  status === 200 && route?.endsWith('/sign') === true

/** Names as they may be kept: one that is a secret of this process by mistake is none. */
function withoutSecrets(call: AuditedCall): AuditedCall {
  const plain = (text: string) => redact(text.slice(0, NAME))
  const { from, client, branch, reason } = call
  return {
    ...call,
    names: call.names.map(plain),
    ...(branch === undefined ? {} : { branch: plain(branch) }),
    ...(reason === undefined ? {} : { reason: plain(reason) }),
    ...(from === undefined ? {} : { from: plain(from) }),
    ...(client === undefined ? {} : { client: plain(client) }),
  }
}
