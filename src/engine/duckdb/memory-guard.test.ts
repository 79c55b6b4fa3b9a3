import { describe, expect, it } from 'vitest'
import { machineMemory } from '../../process/memory.js'
import { MemoryExcess } from '../stopped.js'
import { DuckDB } from './duckdb.js'
import { MemoryGuard } from './memory-guard.js'

/** A guard of a process that holds as much as a test says. */
function holding(held: () => number) {
  const said: string[] = []
  return { guard: new MemoryGuard(1000, 2000, { held, end: (m) => said.push(m) }), said }
}

describe('the memory of a process', () => {
  it('is left alone while it is within what it should be', () => {
    const { guard, said } = holding(() => 1000)
    expect([guard.excess(), said]).toEqual([undefined, []])
  })

  it('stops statements, and ends the process where that does not help', () => {
    let held = 1500
    const { guard, said } = holding(() => held)
    expect(guard.excess()).toBeInstanceOf(MemoryExcess)
    expect(said).toEqual([])
    held = 2500
    guard.excess()
    expect(said).toEqual([expect.stringContaining('Moraine stopped: it used 2.4 KiB')])
  })

  it('is that of the machine where nothing else is said', () => {
    const held = machineMemory() * 0.92
    const { last } = MemoryGuard.within() as unknown as { last: number }
    expect(last).toBeGreaterThan(held)
    expect(last).toBeLessThan(machineMemory())
  })

  it('stops a statement of the engine, and the next one works', async () => {
    let held = 0
    const { guard } = holding(() => held)
    const engine = await DuckDB.start({ threads: 2, guard })
    try {
      const session = await engine.open()
      const asked = session.rows('SELECT count(*) FROM range(10000000000) a, range(10000000000) b')
      held = 1500
      await expect(asked).rejects.toThrow(MemoryExcess)
      held = 0
      expect(await session.rows('SELECT 1 AS n')).toEqual([{ n: 1 }])
    } finally {
      await engine.close()
    }
  })
})
