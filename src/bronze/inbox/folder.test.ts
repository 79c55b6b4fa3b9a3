import { mkdtemp, open, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { SourceFile } from '../../source/files/source-file.js'
import { FolderInbox } from './folder.js'

it.runIf(process.platform === 'linux')(
  'a file that another one takes the place of after it was looked at is not taken before it is complete',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'a.csv')
    await writeFile(path, 'id\n1')
    const drop = new FolderInbox(folder, 0)
    const { ready } = await drop.look()
    expect(ready.map(({ name }) => name)).toEqual(['a.csv'])
    // Whoever wrote it begins again, and pauses.
    await rm(path)
    const writer = await open(path, 'w')
    await writer.appendFile('id\n1')
    expect(await drop.claim(ready[0] as SourceFile)).toBe(undefined)
    expect(await drop.look()).toMatchObject({ ready: [], unfinished: 1 })
    await writer.appendFile('234\n')
    await writer.close()
    const [file] = (await drop.look()).ready
    const claimed = await drop.claim(file as SourceFile)
    expect(await readFile(claimed?.path ?? '', 'utf8')).toBe('id\n1234\n')
    expect(claimed?.name).toBe('a.csv')
  },
)

it('a file whose time is in the future is taken where none is waited for', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'a.csv')
  await writeFile(path, 'id\n1\n')
  const ahead = new Date(Date.now() + 86_400_000)
  await utimes(path, ahead, ahead)
  const { ready } = await new FolderInbox(folder, 0).look()
  expect(ready.map(({ name }) => name)).toEqual(['a.csv'])
})
