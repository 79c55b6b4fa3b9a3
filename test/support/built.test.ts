import { mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { isBuilt } from './built.js'
import { temporaryFolder } from './project.js'

const read = ['src/a/b.ts', 'src/c.ts', 'bundle.mjs', 'package.json', 'package-lock.json']
const made = ['tsconfig.json', 'tsconfig.build.json']
const written = ['dist/index.js', 'dist/engine/spark/runner.py']

async function put(folder: string, name: string, at: number): Promise<void> {
  const path = join(folder, name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, '')
  await utimes(path, at, at)
}

/** Something that was built at 2000 from what was there at 1000. */
async function built(): Promise<string> {
  const folder = await temporaryFolder()
  for (const name of [...read, ...made]) await put(folder, name, 1000)
  for (const name of written) await put(folder, name, 2000)
  for (const name of ['src', 'src/a']) await utimes(join(folder, name), 1000, 1000)
  return folder
}

it('takes a build that is younger than all that it was made of', async () => {
  expect(isBuilt(await built())).toBe(true)
})

it.each([...read, ...made, 'src/a/new.ts'])(
  'wants another one when %s is written',
  async (name) => {
    const folder = await built()
    await put(folder, name, 3000)
    expect(isBuilt(folder)).toBe(false)
  },
)

it('wants another one when a file is gone', async () => {
  const folder = await built()
  await rm(join(folder, 'src/a/b.ts'))
  expect(isBuilt(folder)).toBe(false)
})

it('wants one where there is none, or one that stopped halfway', async () => {
  const folder = await built()
  await rm(join(folder, 'dist/engine/spark/runner.py'))
  expect(isBuilt(folder)).toBe(false)
  await rm(join(folder, 'dist'), { recursive: true })
  expect(isBuilt(folder)).toBe(false)
})

it('wants another one where an older build was left in part', async () => {
  const folder = await built()
  await put(folder, 'dist/index.js', 500)
  expect(isBuilt(folder)).toBe(false)
})
