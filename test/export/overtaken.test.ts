import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { expect, it } from 'vitest'
import { chosenBy, exportChosen } from '../../src/export/export-lake.js'
import { Lakehouse } from '../../src/load/lakehouse.js'
import { Project } from '../support/project.js'
import { lake } from './orders-lake.js'

async function rowsIn(file: string): Promise<number> {
  const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' })
  const connection = await instance.connect()
  const [[count] = []] = (await connection.runAndReadAll('select count(*) from orders')).getRows()
  connection.closeSync()
  instance.closeSync()
  return Number(count)
}

const kinds = [
  {
    name: 'a folder',
    target: "folder('out')",
    rows: async (project: string) =>
      JSON.parse(await readFile(join(project, 'out/orders/_latest.json'), 'utf8')).moraine.rows,
  },
  {
    name: 'a file of DuckDB',
    target: "duckdbFile('out.duckdb')",
    rows: (project: string) => rowsIn(join(project, 'out.duckdb')),
  },
]

it.each(kinds)(
  'an export that was overtaken leaves $name as the later one has made it',
  async ({ target, rows }) => {
    const project = await Project.create({
      'lake.ts': lake(target),
      'in/1.csv': 'id,note\n1,one\n2,two\n3,three\n',
    })
    await project.run()
    expect((await project.cli('export')).code).toBe(0)
    await project.write({ 'in/2.csv': 'id,note\n4,four\n' })
    await project.run()
    const house = Lakehouse.at(join(project.folder, 'lake'))
    const { storage, log } = house
    const loaded = await project.load()
    const of = {
      ...{ lake: loaded, storage, log },
      // It has looked at the lake; until it begins, others come by.
      startEngine: async () => {
        await project.write({ 'in/3.csv': 'id,note\n5,five\n' })
        await project.run()
        expect((await project.cli('export')).stdout).toContain('5')
        return house.startEngine()
      },
    }
    const [result] = await exportChosen(of, chosenBy(loaded, []))
    expect(await rows(project.folder)).toBe(5)
    const { number } = await project.state()
    expect(result).toMatchObject({ outcome: 'unchanged', commit: number, rows: 5 })
  },
)
