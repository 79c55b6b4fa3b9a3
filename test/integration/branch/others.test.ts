import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { catalog } from '../../../src/serve/rest/catalog.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { Project } from '../../support/project.js'

/* What other engines make on a branch is published with it: so it is shown before. */

const lake = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const shops = silver('shops', { from: bronze('shops', { from: files('in/*.csv') }), key: 'id', schema: z.object({ id: t.int() }) })
export default defineLake({ name: 'others', datasets: [shops] })
`

it('a comparison tells of tables that other engines made, changed and dropped on a branch', async () => {
  const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': 'id\n1\n' })
  await project.run()
  const storage = new LocalStorage(join(project.folder, 'lake'))
  const ask = async (method: string, path: string, body?: object) => {
    const answer = await catalog(storage, { token: 'x', isLocal: () => true }).request(
      `/v1/${path}`,
      {
        method,
        headers: { authorization: 'Bearer x' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      },
    )
    expect([path, Math.floor(answer.status / 100)]).toEqual([path, 2])
  }
  const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }
  await ask('POST', 'namespaces', { namespace: ['ml'] })
  for (const name of ['old', 'scores']) await ask('POST', 'namespaces/ml/tables', { name, schema })
  expect((await project.cli('branch', 'create', 'dev')).code).toBe(0)
  await ask('POST', 'dev/namespaces/ml/tables', { name: 'fresh', schema })
  await ask('POST', 'dev/namespaces/ml/tables/scores', {
    requirements: [],
    updates: [{ action: 'set-properties', updates: { owner: 'ada' } }],
  })
  await ask('DELETE', 'dev/namespaces/ml/tables/old')
  const { stdout } = await project.cli('diff', 'dev')
  expect(stdout.split('\n').filter((line) => line.startsWith('!'))).toEqual([
    '! ml.fresh, a table of other engines, was made; its rows are not compared.',
    '! ml.old, a table of other engines, was dropped.',
    '! ml.scores, a table of other engines, was changed; its rows are not compared.',
  ])
  const told = JSON.parse((await project.cli('--json', 'diff', 'dev')).stdout)
  expect(told.others).toContainEqual({ name: 'ml.old', kind: 'table', change: 'removed' })
  const markdown = await project.cli(
    'diff',
    'dev',
    '--markdown',
    '--html',
    join(project.folder, 'diff.html'),
    '--exit-code',
  )
  expect(markdown.code).toBe(2)
  for (const text of [markdown.stdout, await readFile(join(project.folder, 'diff.html'), 'utf8')])
    expect(text).toContain('ml.fresh, a table of other engines, was made')
  expect((await project.cli('promote', 'dev')).code).toBe(0)
  const { external } = await project.state()
  expect(Object.keys(external?.relations ?? {}).sort()).toEqual(['ml\u001ffresh', 'ml\u001fscores'])
})
