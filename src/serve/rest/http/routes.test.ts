import { expect, it } from 'vitest'
import { SharedLake } from '../../../../test/support/shared-lake.js'
import { toJsonText } from '../../../iceberg/json.js'

it('a load without old snapshots has the current one, also of metadata that list no branches', async () => {
  const lake = await SharedLake.create()
  const { metadata } = await lake.table('external/ml/old', 'a', 'b')
  const { refs: _, ...old } = metadata as typeof metadata & { refs?: unknown }
  expect(old.snapshots).toHaveLength(2)
  for (const [name, file] of [
    ['listed', metadata],
    ['unlisted', old],
  ] as const) {
    const path = `external/ml/${name}/metadata/v1.metadata.json`
    const text = toJsonText({ ...file, location: lake.storage.locate(`external/ml/${name}`) })
    await lake.storage.write(path, new TextEncoder().encode(text))
    const body = { name, 'metadata-location': lake.storage.locate(path) }
    await lake.made('operator', 'namespaces/ml/register', body)
    const { json } = await lake.ask('ml', 'GET', `namespaces/ml/tables/${name}?snapshots=refs`)
    const { 'current-snapshot-id': current, snapshots } = json.metadata
    const ids = snapshots.map((one: Record<string, unknown>) => one['snapshot-id'])
    expect([name, ids]).toEqual([name, [current]])
  }
})
