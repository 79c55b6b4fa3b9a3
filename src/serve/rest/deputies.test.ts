import { describe, expect, it } from 'vitest'
import {
  at,
  lastSnapshot,
  type Name,
  root,
  SharedLake,
  schema,
  version,
} from '../../../test/support/shared-lake.js'
import { CommitLog } from '../../log/log.js'

/*
 * The catalog may read and write all of the lake: a principal must not have it do for it what it
 * may not do itself.
 */

describe('a table of one’s own', () => {
  const location = (path: string) => `${root}/${path}`
  /** Where tables lie that the principal `ml` has no right to. */
  const others = async (lake: SharedLake) => {
    const { metadata } = await lake.metadata('hr', 'hr.scores')
    const path = (metadata.location as string).slice(`${root}/`.length)
    return ['silver/orders', 'discarded/orders', 'external/hr', path, `${path}/metadata`]
  }

  it('is not put where tables of others lie', async () => {
    const lake = await SharedLake.create()
    for (const path of [...(await others(lake)), 'external', 'external/', 'external//ml', 'gold']) {
      const body = { name: 't', schema, location: location(path) }
      const create = lake.ask('ml', 'POST', 'namespaces/ml/tables', body)
      const view = { ...body, name: 'w', properties: {}, 'view-version': version }
      const moves = ['location', 'write.data.path', 'write.metadata.path'].map((name) =>
        lake.ask('ml', 'POST', 'namespaces/ml/tables/scores', {
          updates: [
            name === 'location'
              ? { action: 'set-location', location: location(path) }
              : { action: 'set-properties', updates: { [name]: location(path) } },
          ],
        }),
      )
      const answers = await Promise.all([
        create,
        lake.ask('ml', 'POST', 'namespaces/ml/tables', { ...body, 'stage-create': true }),
        lake.ask('ml', 'POST', 'namespaces/ml/views', view),
        lake.ask('ml', 'POST', 'namespaces/ml/views/v', {
          updates: [{ action: 'set-location', location: location(path) }],
        }),
        lake.ask('ml', 'POST', 'namespaces/ml/properties', {
          updates: { location: location(path) },
        }),
        lake.ask('ml', 'POST', 'namespaces', {
          namespace: ['ml', 'below'],
          properties: { location: location(path) },
        }),
        ...moves,
      ])
      for (const { status } of answers) expect([400, 403]).toContain(status)
    }
  })

  it('is put below its namespace, where it lies already, and where the catalog would put it', async () => {
    const lake = await SharedLake.create()
    const body = { name: 't', schema, location: location('external/ml/mine') }
    await lake.made('ml', 'namespaces/ml/tables', body)
    const staged = await lake
      .made('narrow', 'namespaces/ml/tables', {
        name: 'other',
        schema,
        'stage-create': true,
      })
      .catch(() => undefined)
    expect(staged).toBeUndefined()
    await lake.ask('ml', 'DELETE', 'namespaces/ml/tables/scores')
    const { metadata } = await lake.made('narrow', 'namespaces/ml/tables', {
      name: 'scores',
      schema,
      'stage-create': true,
    })
    const updates = [
      { action: 'assign-uuid', uuid: metadata['table-uuid'] },
      { action: 'set-location', location: metadata.location },
      { action: 'add-schema', schema: metadata.schemas[0] },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: { fields: [] } },
      { action: 'set-default-spec', 'spec-id': -1 },
      { action: 'add-sort-order', 'sort-order': { fields: [] } },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
      { action: 'set-properties', updates: { 'write.data.path': `${metadata.location}/x` } },
    ]
    const create = { requirements: [{ type: 'assert-create' }], updates }
    const done = await lake.ask('narrow', 'POST', 'namespaces/ml/tables/scores', create)
    expect(done.status).toBe(200)
    const set = [{ action: 'set-location', location: location('external/ml/mine') }]
    const moved = await lake.ask('narrow', 'POST', 'namespaces/ml/tables/scores', { updates: set })
    expect(moved.status).toBe(403)
  })

  it('names no files of tables that may not be read, by lists, manifests or statistics', async () => {
    const lake = await SharedLake.create()
    const own = (await lake.metadata('ml', 'ml.scores')).metadata.location.slice(`${root}/`.length)
    const append = async (name: string, ...files: string[]) =>
      lake.append('ml', 'ml.scores', lastSnapshot(await lake.table(`${own}/${name}`, ...files)))
    // A whole snapshot of another table.
    const silver = await lake.table('silver/orders', 'b')
    const hr = await lake.table('external/hr/secret-0123456789ab', 'b')
    for (const table of [silver, hr])
      expect((await lake.append('ml', 'ml.scores', lastSnapshot(table))).status).not.toBe(200)
    // A list of one's own that has manifests of one's own that name data of others.
    for (const path of ['silver/orders/data/a.parquet', 'discarded/orders/data/a.parquet']) {
      const { status, json } = await append('w', path)
      expect(status).toBe(403)
      expect(json.error.message).toContain(`ml may not use the location ${root}/${path}`)
    }
    expect((await append('x', 'external/hr/scores/data/a.parquet')).status).toBe(403)
    // What may be read may be named, too: a table of gold by its files.
    expect((await append('y', 'gold/daily/data/a.parquet')).status).toBe(200)
    expect((await append('z', 'external/ml/loose.parquet')).status).toBe(200)
    // What lies in other folders of the same namespace may be named by who may write all of it.
    const narrow = await lake.table(`${own}/n`, 'external/ml/loose.parquet')
    expect((await lake.append('narrow', 'ml.scores', lastSnapshot(narrow))).status).toBe(403)
    const statistics = {
      action: 'set-statistics',
      statistics: {
        'snapshot-id': 1,
        'statistics-path': location('silver/orders/metadata/stats.puffin'),
        'file-size-in-bytes': 1,
        'file-footer-size-in-bytes': 1,
        'blob-metadata': [],
      },
    }
    const { status } = await lake.ask('ml', 'POST', 'namespaces/ml/tables/scores', {
      updates: [statistics],
    })
    expect(status).toBe(403)
  })

  it('names no files of others under the id of a snapshot that it had', async () => {
    const lake = await SharedLake.create()
    const own = (await lake.metadata('ml', 'ml.scores')).metadata.location.slice(`${root}/`.length)
    const mine = lastSnapshot(await lake.table(`${own}/mine`, 'a'))
    expect((await lake.append('narrow', 'ml.scores', mine)).status).toBe(200)
    const [hr, silver] = [
      await lake.table('external/hr/secret-0123456789ab', 'b'),
      await lake.table('silver/orders', 'b'),
    ]
    const led = await lake.table(`${own}/led`, 'external/hr/secret-0123456789ab/data/b.parquet')
    const id = mine['snapshot-id']
    for (const table of [hr, silver, led]) {
      const snapshot = { ...lastSnapshot(table), 'snapshot-id': id, 'sequence-number': 2 }
      const updates = [
        { action: 'remove-snapshots', 'snapshot-ids': [id] },
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
      ]
      const answer = await lake.ask('narrow', 'POST', 'namespaces/ml/tables/scores', { updates })
      expect([400, 403]).toContain(answer.status)
    }
    const { metadata } = await lake.metadata('ml', 'ml.scores')
    expect(metadata.snapshots).toMatchObject([{ 'manifest-list': mine['manifest-list'] }])
  })

  it('is not registered from the metadata of another table, nor from what names its files', async () => {
    const lake = await SharedLake.create()
    const register = (name: string, at: string, who: Name = 'ml') =>
      lake.ask(who, 'POST', 'namespaces/ml/register', { name, 'metadata-location': at })
    const hr = (await lake.metadata('hr', 'hr.scores'))['metadata-location']
    const { tables } = await new CommitLog(lake.storage).head()
    const silver = location(tables['silver.orders']?.metadata as string)
    for (const at of [hr, silver]) expect([400, 403]).toContain((await register('t', at)).status)
    // Whether a file is there is not told of places of others.
    const guess = await register('t', hr.replace(/[^/]+$/, 'guess.metadata.json'))
    expect(guess.status).toBe(403)
    expect(guess.json.error.message.replace('guess', 'x')).toBe(
      (await register('t', hr.replace(/[^/]+$/, 'x.metadata.json'))).json.error.message,
    )
    const evil = await lake.table('external/ml/evil', 'silver/orders/data/a.parquet')
    expect((await register('evil', location(evil.file as string))).status).toBe(403)
    const copied = await lake.storage.read(tables['silver.orders']?.metadata as string)
    await lake.storage.write('external/ml/copy/metadata/1.metadata.json', copied)
    expect([400, 403]).toContain(
      (await register('c', location('external/ml/copy/metadata/1.metadata.json'))).status,
    )
    const good = await lake.table('external/ml/good', 'a')
    expect((await register('good', location(good.file as string), 'narrow')).status).toBe(403)
    expect((await register('good', location(good.file as string))).status).toBe(200)
  })

  it('keeps its rows to itself when it has moved to another namespace', async () => {
    const lake = await SharedLake.create()
    const before = await lake.metadata('ml', 'ml.scores')
    const path = before.metadata.location.slice(`${root}/`.length)
    const rename = { source: at('scores', 'ml'), destination: at('moved', 'hr') }
    expect((await lake.ask('operator', 'POST', 'tables/rename', rename)).status).toBe(204)
    expect((await lake.ask('ml', 'GET', 'namespaces/hr/tables/moved')).status).toBe(404)
    const body = { name: 'again', 'metadata-location': before['metadata-location'] }
    expect((await lake.ask('ml', 'POST', 'namespaces/ml/register', body)).status).toBe(403)
    for (const place of [path, `${path}/data`, 'external/ml'])
      expect(
        (
          await lake.ask('ml', 'POST', 'namespaces/ml/tables', {
            name: 'scores',
            schema,
            location: location(place),
          })
        ).status,
      ).toBe(403)
    // It goes on where it lies.
    const more = await lake.table(`${path}/more`, 'a')
    expect((await lake.append('hr', 'hr.moved', lastSnapshot(more))).status).toBe(200)
  })
})
