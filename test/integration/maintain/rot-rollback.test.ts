import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Table } from '../../../src/iceberg/table.js'
import type { Project } from '../../support/project.js'
import { change, lakeOfAllLayers } from '../../support/rot.js'

const scribble = (bytes: Buffer) => bytes.fill(0x5a, 40, 60)

/** Damages what a batch is kept in, has it mended, and takes in more. */
async function mended(): Promise<{ project: Project; before: number; path: string }> {
  const project = await lakeOfAllLayers()
  const state = await project.state()
  const { manifest = '' } = state.batches['bronze.visits']?.[0] ?? {}
  const { files } = JSON.parse(String(await readFile(join(project.folder, 'lake', manifest))))
  await change(project, files[0].data, scribble)
  const done = await project.cli('repair', '--yes')
  expect([done.code, done.stdout]).toEqual([0, expect.stringContaining('No problems are left')])
  await project.write({ 'lake/bronze/landing/visits/3.csv': 'page,n\n/late,9\n' })
  await project.run()
  return { project, before: state.number, path: files[0].data }
}

describe('a rollback past a repair', () => {
  it.each([[[]], [['--undo-intake', '--allow-loss']]])(
    'keeps the batch that repair has made (%s)',
    async (options) => {
      const { project, before } = await mended()
      const back = await project.cli('rollback', '--to', String(before), ...options)
      expect([back.code, back.stderr]).toEqual([0, ''])
      const verified = await project.cli('verify', '--head', '--deep')
      expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining('✔')])
      // Tables can be made anew from it, and its rows are what they were.
      expect((await project.cli('run', 'silver.visits', '--full')).code).toBe(0)
      const pages = 'select page, n from silver.visits order by all'
      const late = options.length === 0 ? [{ page: '/late', n: 9 }] : []
      expect(await project.query(pages)).toEqual([
        { page: '/a', n: 1 },
        { page: '/a', n: 4 },
        { page: '/b', n: 2 },
        { page: '/c', n: 1 },
        ...late,
      ])
    },
  )

  it('to a table that was damaged is refused with its file, until that is as it was', async () => {
    const project = await lakeOfAllLayers()
    const state = await project.state()
    const rates = state.tables['silver.rates']
    const table = await Table.load(project.storage, rates as { metadata: string })
    const [{ file } = never()] = await table.plan()
    const path = table.pathOf(file.path)
    const undo = await change(project, path, scribble)
    expect((await project.cli('repair', '--yes')).code).toBe(0)
    const refused = await project.cli('rollback', '--to', String(state.number))
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining(`${path} is damaged`),
    ])
    await undo()
    expect((await project.cli('rollback', '--to', String(state.number))).code).toBe(0)
    expect((await project.cli('verify', '--head', '--deep')).code).toBe(0)
  })
})

function never(): never {
  throw new Error('there is none')
}
