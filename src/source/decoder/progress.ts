/*
 * Where a decoder says that it gets on: its process is stopped when it does not. In any other process nobody counts.
 */

let counter: Int32Array | undefined

/** From now on progress is counted in a memory that the monitor sees. */
export function countProgress(shared: Int32Array): void {
  counter = shared
}

/** Says that more of a file was read, or more of its rows were delivered. */
export function progressed(): void {
  if (counter) Atomics.add(counter, 0, 1)
}
