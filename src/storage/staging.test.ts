import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Staging } from './staging.js'
import { stagingOf } from './storage.js'

/** A bucket, of which each object has its name as its bytes. */
async function bucket(url: string) {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const here = new Set<string>()
  const fetch = async (path: string) => {
    await writeFile(join(folder, path), path)
    here.add(path)
  }
  return { url, folder, fetch, isReady: (path: string) => here.has(path), here }
}

it('one lake does not find the objects of another, though one process has both', async () => {
  const [ours, theirs] = [await bucket('s3://a/lake'), await bucket('s3://b/lake')]
  const [staging, other] = [new Staging(), new Staging()]
  staging.mount(ours)
  other.mount(theirs)
  const [location, foreign] = ['s3://a/lake/x.parquet', 's3://b/lake/x.parquet']
  expect(staging.localPath(location)).toBe(join(ours.folder, 'x.parquet'))
  expect(staging.localPath(foreign)).toBe(foreign)
  await staging.fetch([location, foreign])
  expect([ours.here.size, theirs.here.size]).toEqual([1, 0])
  await staging.fetchMentioned(`FROM read_parquet('${join(theirs.folder, 'x.parquet')}')`)
  expect(theirs.here.size).toBe(0)
  staging.expect([
    { location, sha256: 'a' },
    { location: foreign, sha256: 'b' },
  ])
  expect([staging.sums.of(location), staging.sums.of(foreign)]).toEqual(['a', undefined])
  expect(other.sums.of(location)).toBeUndefined()
})

it('two lakes at one address have copies of their own', async () => {
  const url = 's3://a/lake'
  const [one, two] = [await bucket(url), await bucket(url)]
  const [staging, other] = [new Staging(), new Staging()]
  staging.mount(one)
  other.mount(two)
  await other.fetch([`${url}/x.avro`])
  expect([one.here.size, two.here.size]).toEqual([0, 1])
})

it('what lies on this machine is where it lies', () => {
  const staging = stagingOf({})
  expect(staging.localPath('file:///data/lake/x')).toBe('/data/lake/x')
  expect(staging.readableRoots()).toEqual([])
})
