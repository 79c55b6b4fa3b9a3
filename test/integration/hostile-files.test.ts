import { expect, it } from 'vitest'
import { hostileAvro } from '../support/hostile-avro.js'
import { Project } from '../support/project.js'

const lake = (pattern: string) => `
import { bronze, defineLake, silver, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('x', { from: files('${pattern}') })
export const x = silver('x', { from: raw, schema: z.object({ a: z.string() }) })
export default defineLake({ name: 'hostile', datasets: [x] })
`

const discarded = 'SELECT _source_file AS file, reasons[1] AS why FROM discarded.x ORDER BY 1'

it('files made to hang or to crash their reader are a discarded row each; what is beside them is read', async () => {
  const hostile = Object.values(hostileAvro)
  const project = await Project.create({
    'lake.ts': lake('in'),
    'in/00.csv': 'a\n1\n',
    ...Object.fromEntries(hostile.map(({ bytes }, i) => [`in/${i + 10}.avro`, bytes])),
    'in/99.csv': 'a\n2\n',
  })
  expect((await project.run()).outcome).toBe('done')
  expect(await project.query('SELECT a FROM silver.x ORDER BY a')).toEqual([{ a: '1' }, { a: '2' }])
  expect(await project.query(discarded)).toEqual(
    hostile.map(({ said }, i) => ({
      file: `in/${i + 10}.avro`,
      why: expect.stringContaining(said),
    })),
  )
})
