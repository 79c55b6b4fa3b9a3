import { describe, expect, it } from 'vitest'
import { HeldBytes } from '../query/service/held-bytes.js'
import { type BadBody, readBody } from './body.js'

/** A body whose chunks come one by one, each after a pause. */
function body(chunks: readonly number[], pause = 0): ReadableStream<Uint8Array> {
  const left = [...chunks]
  return new ReadableStream({
    async pull(controller) {
      await new Promise((done) => setTimeout(done, pause))
      const bytes = left.shift()
      if (bytes === undefined) controller.close()
      else controller.enqueue(new Uint8Array(bytes))
    },
  })
}

const refusal = (reading: Promise<unknown>) =>
  reading.then(
    () => 'read',
    (error: BadBody) => error.status,
  )

describe('a body that is received', () => {
  it('counts from its first byte, and as many bytes as came', async () => {
    const seen: number[] = []
    const held = new HeldBytes(100, (bytes) => seen.push(bytes))
    const counted = { bytes: 0 }
    expect(await readBody(body([10, 20]), { most: 1000, held }, counted)).toHaveLength(30)
    expect([seen, counted.bytes]).toEqual([[10, 30], 30])
  })

  it('is refused where others hold all that there is room for, and those go on', async () => {
    const held = new HeldBytes(100)
    const [first, second] = [{ bytes: 0 }, { bytes: 0 }]
    const slow = readBody(body([60, 10, 10], 20), { most: 1000, held }, first)
    await new Promise((done) => setTimeout(done, 30))
    expect(await refusal(readBody(body([30, 30]), { most: 1000, held }, second))).toBe(503)
    held.give(second.bytes)
    expect(await slow).toHaveLength(80)
    held.give(first.bytes)
    expect(held.hasRoom(100)).toBe(true)
  })

  it('is given up when it does not go on, or by drops, however long each of them takes', async () => {
    const held = new HeldBytes(1e6)
    const read = (stream: ReadableStream<Uint8Array>, pace: { idle: number; rate: number }) =>
      refusal(readBody(stream, { most: 1e6, held, pace }, { bytes: 0 }))
    const never = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) })
    expect(await read(never, { idle: 30, rate: 1000 })).toBe(408)
    // A byte each 20 ms is never idle, and never done.
    const drops = Array.from({ length: 1000 }, () => 1)
    expect(await read(body(drops, 20), { idle: 100, rate: 1000 })).toBe(408)
    // What is large may take its time, as long as it comes.
    expect(await read(body([400, 400, 400, 400], 20), { idle: 60, rate: 1000 })).toBe('read')
  })
})
