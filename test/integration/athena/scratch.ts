import { afterAll, beforeAll, expect } from 'vitest'
import { Asked } from './asked.js'
import { type ServedLake, servedLake } from './served.js'

/**
 * A lake for the tests of a file, served with a schema for what they make. No test may leave an
 * error inside.
 */
export function onScratch(made: (client: Asked, lake: ServedLake) => void): void {
  let lake: ServedLake
  beforeAll(async () => {
    lake = await servedLake()
    const client = new Asked(lake)
    await client.done('CREATE SCHEMA scratch')
    made(client, lake)
  })
  afterAll(async () => {
    expect(lake.errors).toEqual([])
    await lake.close()
  })
}
