import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import { Project } from '../support/project.js'
import { lake } from './orders-lake.js'

const rows = (...ids: number[]) => `id,note\n${ids.map((id) => `${id},note ${id}\n`).join('')}`

async function idsIn(file: string): Promise<string> {
  const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' })
  const connection = await instance.connect()
  const sql = "select string_agg(cast(id as varchar), ' ' order by id) from orders"
  const [[ids] = []] = (await connection.runAndReadAll(sql)).getRows()
  connection.closeSync()
  instance.closeSync()
  return String(ids)
}

const kinds = [
  {
    name: 'a folder',
    target: "folder('out', { format: 'csv' })",
    ids: async (project: string) => {
      const latest = join(project, 'out/orders/_latest.json')
      const { entries } = JSON.parse(await readFile(latest, 'utf8')) as {
        entries: { url: string }[]
      }
      const texts = await Promise.all(
        entries.map(({ url }) =>
          readFile(join(project, 'out/orders', url.slice(url.indexOf('data/'))), 'utf8'),
        ),
      )
      const lines = texts.flatMap((text) => text.trim().split('\n').slice(1))
      return lines
        .map((line) => Number(line.split(',')[0]))
        .sort((a, b) => a - b)
        .join(' ')
    },
  },
  {
    name: 'a file of DuckDB',
    target: "duckdbFile('out.duckdb')",
    ids: (project: string) => idsIn(join(project, 'out.duckdb')),
  },
]

describe.each(kinds)('what $name has of a lake', ({ target, ids }) => {
  it('goes back with it behind what was exported, and forward again', async () => {
    const project = await Project.create({
      'lake.ts': lake(target),
      'in/1.csv': rows(1, 2, 3, 4, 5),
    })
    const has = () => ids(project.folder)
    await project.run()
    expect((await project.cli('export')).code).toBe(0)
    const { number } = await project.state()
    await project.write({ 'in/2.csv': rows(6) })
    await project.run()
    expect((await project.cli('export')).code).toBe(0)
    expect(await has()).toBe('1 2 3 4 5 6')
    const back = await project.cli('rollback', '--to', String(number), '--undo-intake')
    expect(back.code, back.stderr).toBe(0)
    const exported = await project.cli('export')
    expect(exported.code, exported.stdout).toBe(0)
    expect(await has()).toBe('1 2 3 4 5')
    expect((await project.cli('export')).stdout).toContain('it has the rows of commit')
    await project.run()
    expect((await project.cli('export')).code).toBe(0)
    expect(await has()).toBe('1 2 3 4 5 6')
  })

  it('is loaded anew where vacuum has removed the version that was exported', async () => {
    const project = await Project.create({
      'lake.ts': lake(target),
      'in/1.csv': rows(1, 2, 3, 4, 5),
    })
    await project.run()
    expect((await project.cli('export')).code).toBe(0)
    for (const id of [6, 7]) {
      await project.write({ [`in/${id}.csv`]: rows(id) })
      await project.run()
    }
    await project.cli('optimize')
    const gone = await project.cli('vacuum', '--history', '0s', '--grace', '0s', '--delete')
    expect(gone.code, gone.stderr).toBe(0)
    const exported = await project.cli('export')
    expect(exported.code, exported.stdout).toBe(0)
    expect(await ids(project.folder)).toBe('1 2 3 4 5 6 7')
    expect((await project.cli('export', '--full')).code).toBe(0)
    expect(await ids(project.folder)).toBe('1 2 3 4 5 6 7')
  })
})
