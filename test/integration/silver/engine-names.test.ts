import { expect, it } from 'vitest'
import { Project, step } from '../../support/project.js'

/* What the engine calls the file of a row and its place there, a table may call something else. */

const lake = (column: string) => `
import { bronze, defineLake, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const logs = silver('logs', {
  from: bronze('logs', { from: files('in/*.csv') }),
  select: { ${column}: 'name' },
  schema: z.object({ id: t.int(), ${column}: z.string(), day: t.date() }),
  key: 'id', cursor: 'day', history: true,
})
export default defineLake({ name: 'logs', datasets: [logs] })
`

const csv = (from: number, to: number, word: string, day: string) =>
  `id,name,day\n${Array.from({ length: to - from }, (_, i) => `${from + i},${word}${from + i},${day}`).join('\n')}\n`

it.each(['filename', 'FileName', 'file_row_number'])(
  'a table has a column %s, whether files are written again or rows listed as deleted',
  async (column) => {
    const project = await Project.create({
      'lake.ts': lake(column),
      'in/1.csv': csv(0, 100, 'a', '2026-01-01'),
    })
    const ran = async (rewriteUpTo?: number) => {
      const record = await project.run(rewriteUpTo === undefined ? {} : { rewriteUpTo })
      expect(step(record, 'silver.logs')?.error?.message).toBeUndefined()
    }
    const words = async () =>
      (await project.query(`select id, "${column}" as w from silver.logs order by id`)).map(
        ({ id, w }) => `${id} ${w}`,
      )
    await ran()
    const expected = Array.from({ length: 100 }, (_, i) => `${i} a${i}`)
    expect(await words()).toEqual(expected)
    await project.write({ 'in/2.csv': csv(3, 5, 'b', '2026-01-02') })
    await ran(0)
    expected.splice(3, 2, '3 b3', '4 b4')
    expect(await words()).toEqual(expected)
    // The file's deleted rows are left out as they are read once more.
    await project.write({ 'in/3.csv': csv(4, 6, 'c', '2026-01-03') })
    await ran()
    expected.splice(4, 2, '4 c4', '5 c5')
    expect(await words()).toEqual(expected)
    expect(await project.query('select count(*) as n from history.logs')).toEqual([{ n: 104n }])
    expect((await project.cli('optimize')).code).toBe(0)
    expect(await words()).toEqual(expected)
  },
)
