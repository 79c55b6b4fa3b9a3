import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sameLakes } from '../../support/compare-lakes.js'
import { Project, step } from '../../support/project.js'
import { processesFor } from '../../support/workers.js'

/*
 * Steps of silver and gold that are carried out by another process, which is told all by JSON: the
 * same rows, reasons and counts as in this one.
 */

describe('steps that other processes carry out', () => {
  sameLakes((file, root) => processesFor(file, root))

  it('are refused where lake.ts was changed since the run has read it', async () => {
    const lake = (least: number) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int().min(${least}) }),
})
export default defineLake({ name: 'shop', datasets: [orders] })
`
    const project = await Project.create({ 'lake.ts': lake(1), 'in/1.csv': 'id\n1\n2\n' })
    const file = join(project.folder, 'lake.ts')
    const processes = await processesFor(file, project.storage.url)
    onTestFinished(() => processes.close())
    await project.write({ 'lake.ts': lake(2) })
    const record = await project.run({ worker: processes.carryOut })
    expect(step(record, 'silver.orders').error).toMatchObject({
      kind: 'conflict',
      message: `${file} was changed while a run was building by it`,
    })
    expect((await project.state()).tables).toEqual({})
  })
})
