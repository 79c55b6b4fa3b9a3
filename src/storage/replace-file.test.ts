import { spawn } from 'node:child_process'
import {
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { repository } from '../../test/support/project.js'
import { abortController } from '../signals.js'
import { type ReplaceEffects, replaceFile } from './replace-file.js'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-replace-'))
  path = join(folder, 'lake.ts')
  await writeFile(path, 'before', { mode: 0o640 })
  onTestFinished(() => rm(folder, { recursive: true }))
})

const failing = (code: string) => Promise.reject(Object.assign(new Error(code), { code }))

it('what is stopped, or fails by itself, says why and leaves the file as it was', async () => {
  const stop = abortController()
  const reason = new Error('stopped')
  async function* stopped() {
    yield 'after'
    stop.abort(reason)
  }
  await expect(replaceFile(path, stopped(), { signal: stop.signal })).rejects.toBe(reason)
  const own = new RangeError('no such row')
  async function* failing() {
    yield 'after'
    throw own
  }
  await expect(replaceFile(path, failing())).rejects.toBe(own)
  expect(await readFile(path, 'utf8')).toBe('before')
  expect(await readdir(folder)).toEqual(['lake.ts'])
})

it.each([
  ['ENOSPC', 'writeFile', 'the disk is full'],
  ['ENOSPC', 'sync', 'the disk is full'],
  ['EACCES', 'rename', 'permission denied'],
] as const)('%s at %s leaves the file as it was, and nothing beside it', async (code, at, said) => {
  const effects: ReplaceEffects = {
    open: async (...args) => {
      const file = await open(...args)
      return {
        writeFile: async (text) => {
          if (at !== 'writeFile') return file.writeFile(text)
          // A full disk takes what there is room for.
          await file.writeFile(String(text).slice(0, 3))
          return failing(code)
        },
        sync: () => (at === 'sync' ? failing(code) : file.sync()),
        close: () => file.close(),
      }
    },
    rename: (from, to) => (at === 'rename' ? failing(code) : rename(from, to)),
  }
  await expect(replaceFile(path, 'after', { effects })).rejects.toMatchObject({
    kind: 'storage',
    message: `${path} can't be written: ${said}`,
  })
  expect(await readFile(path, 'utf8')).toBe('before')
  expect(await readdir(folder)).toEqual(['lake.ts'])
})

it('keeps permissions, and what a link leads to', async () => {
  const link = join(folder, 'link.ts')
  await symlink(path, link)
  await replaceFile(link, 'after')
  expect(await readFile(path, 'utf8')).toBe('after')
  expect(await readFile(link, 'utf8')).toBe('after')
  expect((await stat(path)).mode & 0o777).toBe(0o640)
  expect((await readdir(folder)).sort()).toEqual(['lake.ts', 'link.ts'])
})

it('a process that is killed while it writes leaves one of the two texts, whole', async () => {
  const size = 2 ** 22
  const texts = ['a'.repeat(size), 'b'.repeat(size)]
  const module = pathToFileURL(join(repository, 'src/storage/replace-file.ts'))
  const script = `import { replaceFile } from ${JSON.stringify(module)}
    const texts = ['a'.repeat(${size}), 'b'.repeat(${size})]
    for (let i = 0; ; i++) {
      await replaceFile(${JSON.stringify(path)}, texts[i % 2])
      process.stdout.write('.')
    }`
  for (let round = 0; round < 6; round++) {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script],
      {
        cwd: repository,
      },
    )
    const ended = new Promise((done) => child.once('exit', done))
    await new Promise((done) => child.stdout.once('data', done))
    await new Promise((done) => setTimeout(done, round * 7))
    child.kill('SIGKILL')
    await ended
    expect(texts.includes(await readFile(path, 'utf8'))).toBe(true)
  }
})
