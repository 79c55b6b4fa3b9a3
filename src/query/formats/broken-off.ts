import { inspect } from 'node:util'

/**
 * Why an answer breaks off that has begun. What sends answers prints errors as they are shown, so
 * this one shows a line: no stack, and nothing of what was asked or read.
 */
export class BrokenOff extends Error {
  override readonly name = 'BrokenOff'

  /** @param why what a log may say of it. */
  constructor(
    private readonly why: string,
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
  }

  [inspect.custom](): string {
    return `An answer broke off: ${this.why}`
  }
}

/** Parts of an answer, which say no more of their failure than that. */
export async function* brokenOff<T>(parts: AsyncIterable<T>, why: string): AsyncGenerator<T> {
  try {
    yield* parts
  } catch (error) {
    throw new BrokenOff(why, error)
  }
}
