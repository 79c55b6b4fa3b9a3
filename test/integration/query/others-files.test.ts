import { expect, it } from 'vitest'
import { allRights, parseGrant, type Rights, rightsOf } from '../../../src/define/access/rights.js'
import { parseJson } from '../../../src/iceberg/json.js'
import { limitsOf } from '../../../src/query/limits.js'
import { queryRows } from '../../../src/query/query.js'
import { OtherEngine } from '../../support/other-engine.js'
import { Project } from '../../support/project.js'

/*
 * Whoever is given credentials for the folder of a table can write anything there, also in the
 * place of a manifest that the catalog has looked at.
 */

const grants = (...texts: string[]) => texts.flatMap((text) => parseGrant(text) ?? [])

async function twoTeams() {
  const project = await Project.create({})
  for (const [team, row] of [
    ['ml', "SELECT 1::BIGINT AS id, 'own' AS word"],
    ['hr', "SELECT 2::BIGINT AS id, 'secret' AS word"],
  ] as const) {
    const engine = new OtherEngine(project.storage, 'scores', [team])
    await engine.shape([
      { name: 'id', type: { kind: 'bigint' } },
      { name: 'word', type: { kind: 'string' } },
    ])
    await engine.append(row)
  }
  const state = await project.state()
  const listOf = async (team: string) => {
    const { metadata = '' } = state.external?.relations[`${team}\u001fscores`] ?? {}
    const bytes = await project.storage.read(metadata)
    const { snapshots } = parseJson(new TextDecoder().decode(bytes)) as any
    return (snapshots.at(-1)['manifest-list'] as string).slice(project.storage.url.length + 1)
  }
  const words = async (rights: Rights) => {
    const options = { limits: limitsOf(), rights }
    const rows = await queryRows(project.storage, state, 'select word from ml.scores', options)
    return rows.map(({ word }) => word)
  }
  return { project, listOf, words }
}

it('a table whose manifests were overwritten leads to no rows that may not be read', async () => {
  const { project, listOf, words } = await twoTeams()
  const ml = rightsOf([], grants('ml.*'))
  const both = rightsOf(grants('hr.scores'), grants('ml.*'))
  for (const rights of [ml, both, allRights]) expect(await words(rights)).toEqual(['own'])
  const { storage } = project
  await storage.restore(await listOf('ml'), await storage.read(await listOf('hr')))
  await expect(words(ml)).rejects.toThrow(
    /^ml\.scores cannot be read: it names external\/hr\/.*, which lies in a table that may not be read$/,
  )
  // They may have what they could ask for anyway.
  for (const rights of [both, allRights]) expect(await words(rights)).toEqual(['secret'])
})
