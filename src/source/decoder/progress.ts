/*
 * Where a decoder says that it gets on: its process is stopped when it does not. In any other
 * process nobody counts.
 */

let counter: Int32Array | undefined

/** From now on progress is counted in a memory that the monitor sees. */
export function countProgress(shared: Int32Array): void {
  counter = shared
}

let beyond = 0

/** Does work that Node does not count among what it waits for, as the engine's. */
export async function beyondNode<T>(work: () => Promise<T>): Promise<T> {
  beyond++
  try {
    return await work()
  } finally {
    beyond--
  }
}

/**
 * Whether this process waits for something that may still come: a file, what is unpacked, or the
 * engine, however slow its disk is.
 */
export function isWaiting(): boolean {
  return beyond > 0 || process.getActiveResourcesInfo().some((name) => /^(FS|Z)/.test(name))
}

/** Says that more of a file was read, or more of its rows were delivered. */
export function progressed(): void {
  if (counter) Atomics.add(counter, 0, 1)
}
