import { describe, expect, it } from 'vitest'
import { CommitLog } from '../../src/log/log.js'
import { verifyLake } from '../../src/log/verify.js'
import type { Project } from '../support/project.js'
import { change, filesOf, flipped, lakeOfAllLayers } from '../support/rot.js'
import { random, seed } from '../support/seed.js'

/** What a deep look finds without reading values: checksums alone. */
const look = async ({ storage }: Project) =>
  verifyLake(storage, new CommitLog(storage), { deep: async () => [] })

const FLIPS = Number(process.env.MORAINE_FLIPS ?? 150)

describe('a bit that flips', () => {
  it('is found wherever it is', async () => {
    const project = await lakeOfAllLayers()
    const files = await filesOf(project)
    const whole = await look(project)
    expect([whole.problems, whole.unchecked]).toEqual([[], 0])
    const next = random(seed)
    const unseen: string[] = []
    for (let i = 0; i < FLIPS; i++) {
      // Each file in turn, so that small ones are hit as often.
      const path = files[i % files.length] as string
      const at = next()
      const undo = await change(project, path, (bytes) => flipped(bytes, at))
      const { damaged } = await look(project)
      if (!damaged.some((found) => found.path === path)) unseen.push(`${path} at ${at}`)
      await undo()
    }
    expect(unseen).toEqual([])
    expect((await look(project)).problems).toEqual([])
  })
})
