import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { refreshBranch } from '../../../src/log/branch/refresh.js'
import { CommitLog } from '../../../src/log/log.js'
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

/** A lake with some tables of other engines, and what asks its catalog. */
async function shared(...tables: string[]) {
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
  await ask('POST', 'namespaces', { namespace: ['ml'] })
  for (const name of tables) await ask('POST', 'namespaces/ml/tables', { name, schema })
  const set = (branch: string, table: string, owner: string) =>
    ask('POST', `${branch}namespaces/ml/tables/${table}`, {
      requirements: [],
      updates: [{ action: 'set-properties', updates: { owner } }],
    })
  return { project, ask, set }
}

const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }

it('a comparison tells of tables that other engines made, changed and dropped on a branch', async () => {
  const { project, ask, set } = await shared('old', 'scores')
  expect((await project.cli('branch', 'create', 'dev')).code).toBe(0)
  await ask('POST', 'dev/namespaces/ml/tables', { name: 'fresh', schema })
  await set('dev/', 'scores', 'ada')
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

it('what engines wrote on main since is not lost to what they wrote on a branch', async () => {
  const { project, ask, set } = await shared('scores', 'dropped', 'kept', 'gone')
  expect((await project.cli('branch', 'create', 'dev')).code).toBe(0)
  await set('dev/', 'scores', 'ada')
  await set('', 'scores', 'bob')
  await ask('DELETE', 'dev/namespaces/ml/tables/dropped')
  await set('', 'dropped', 'bob')
  await set('dev/', 'kept', 'ada')
  await ask('DELETE', 'namespaces/ml/tables/kept')
  // To the same end is no conflict.
  for (const branch of ['dev/', '']) await ask('DELETE', `${branch}namespaces/ml/tables/gone`)
  await ask('POST', 'dev/namespaces/ml/properties', { updates: { team: 'ada' } })
  await ask('POST', 'namespaces/ml/properties', { updates: { team: 'bob' } })
  const before = await project.state()
  const shown = (await project.cli('branch', 'show', 'dev')).stdout
  expect(shown).toContain('main has another external table ml.scores by now')
  expect(shown).not.toContain('branch refresh')
  for (const command of [
    ['promote', 'dev'],
    ['branch', 'refresh', 'dev'],
    ['promote', 'dev', '--refresh'],
  ]) {
    const { code, stderr } = await project.cli(...command)
    expect([command, code]).toEqual([command, 1])
    for (const name of ['scores', 'dropped', 'kept'])
      expect(stderr).toContain(`external table ml.${name}`)
    expect(stderr).toContain('namespace ml')
    expect(stderr).not.toContain('ml.gone')
    expect(stderr).toContain('so no run can bring them up to date: write to a new branch')
  }
  expect(await project.state()).toEqual(before)
})

it('a branch that stays when it is published goes on where main stands still', async () => {
  const { project, set } = await shared('scores')
  await project.cli('branch', 'create', 'dev')
  await set('dev/', 'scores', 'ada')
  expect((await project.cli('promote', 'dev', '--keep')).code).toBe(0)
  expect((await project.cli('branch', 'refresh', 'dev')).code).toBe(0)
  await set('dev/', 'scores', 'eve')
  expect((await project.cli('promote', 'dev')).code).toBe(0)
})

it('what engines write while a branch is brought up to date takes nothing from main', async () => {
  const { project, set } = await shared('scores', 'other')
  await project.cli('branch', 'create', 'dev')
  await set('', 'scores', 'bob')
  const log = new CommitLog(project.storage)
  const fork = log.fork.bind(log)
  log.fork = async (...of) => {
    await set('dev/', 'scores', 'ada')
    return fork(...of)
  }
  const refreshed = refreshBranch(log, 'dev', { author: 'ada', run: null })
  await expect(refreshed).rejects.toThrow(
    'Other engines have changed external table ml.scores while the branch was brought to commit',
  )
  const main = await project.state()
  expect((await project.cli('promote', 'dev')).code).toBe(0)
  expect((await project.state()).external).toEqual(main.external)
})
