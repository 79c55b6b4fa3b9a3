import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Project, repository } from '../../../test/support/project.js'
import { packSpark } from './pack-spark.js'

it('has the program, the definition with its files, and the packages that a job loads', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('regions', { from: files('regions.csv') })
export default defineLake({ name: 'shop', datasets: [silver('regions', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })] })`,
    'regions.csv': 'id\n1\n',
  })
  const of = { file: join(project.folder, 'lake.ts'), lake: await project.load() }
  await expect(packSpark(of, 'darwin-arm64')).rejects.toThrow(
    'Jobs of Glue run on linux-x64, and their package would be made of the Node of darwin-arm64',
  )
  const packed = await packSpark(of, 'linux-x64')
  expect(Buffer.from(packed.get('.spark/runner.py') ?? '').toString()).toBe(
    readFileSync(join(repository, 'src/engine/spark/runner.py'), 'utf8'),
  )
  const folder = mkdtempSync(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const listed = (name: string) => {
    const path = join(folder, 'archive.tar.gz')
    writeFileSync(path, packed.get(name) ?? '')
    return execFileSync('tar', ['-tzf', path], { encoding: 'utf8' }).trim().split('\n')
  }
  expect(listed('.spark/lake.tar.gz')).toEqual(['lake.mjs', 'project/regions.csv'])
  expect(listed('.spark/moraine-spark.tar.gz')).toEqual(
    expect.arrayContaining([
      'node',
      'bin/moraine.js',
      'node_modules/@aws-sdk/client-sqs/package.json',
      'node_modules/@aws-sdk/client-secrets-manager/package.json',
    ]),
  )
})
