import { PgError } from '../pg-error.js'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Reads the parts of one message, in their order. */
export class Fields {
  private at = 0

  constructor(private readonly body: Buffer) {}

  get isAtEnd(): boolean {
    return this.at >= this.body.length
  }

  int16(): number {
    return this.take(2).readInt16BE()
  }

  int32(): number {
    return this.take(4).readInt32BE()
  }

  /** A count, which is never negative. */
  count(): number {
    return this.take(2).readUInt16BE()
  }

  byte(): string {
    return String.fromCharCode(this.take(1)[0] as number)
  }

  bytes(length: number): Buffer {
    if (length < 0) throw broken()
    return this.take(length)
  }

  /** A text that a zero byte ends. */
  text(): string {
    const end = this.body.indexOf(0, this.at)
    if (end < 0) throw broken()
    const bytes = this.take(end - this.at)
    this.at++
    return textOf(bytes)
  }

  rest(): Buffer {
    return this.take(this.body.length - this.at)
  }

  /** @throws PgError where something follows. */
  end(): void {
    if (!this.isAtEnd) throw broken()
  }

  private take(length: number): Buffer {
    if (this.at + length > this.body.length) throw broken()
    const part = this.body.subarray(this.at, this.at + length)
    this.at += length
    return part
  }
}

/** @throws PgError for what is not UTF-8. */
export function textOf(bytes: Buffer): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new PgError('22021', 'The message has a text that is not valid UTF-8', { cause })
  }
}

const broken = () =>
  new PgError('08P01', 'The message does not have the parts that its type says', { fatal: true })
