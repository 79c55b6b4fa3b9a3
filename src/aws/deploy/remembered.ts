import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { replaceFile } from '../../storage/replace-file.js'
import type { Template } from './plan/stack.js'

/** What was deployed last from a folder, so that it can be compared with where nobody can ask. */
export interface Remembered {
  account: string
  region: string
  /** ISO time. */
  at: string
  stacks: { name: string; template: Template; parameters: Readonly<Record<string, string>> }[]
}

const fileOf = (folder: string, prefix: string, region: string) =>
  join(folder, '.moraine', `deployed-${prefix}-${region}.json`)

export async function remember(folder: string, prefix: string, what: Remembered): Promise<void> {
  const file = fileOf(folder, prefix, what.region)
  await mkdir(dirname(file), { recursive: true })
  await replaceFile(file, `${JSON.stringify(what)}\n`)
}

/** `undefined`: nothing was deployed from here, or it can't be read any more. */
export async function remembered(
  folder: string,
  prefix: string,
  region: string,
): Promise<Remembered | undefined> {
  try {
    return JSON.parse(await readFile(fileOf(folder, prefix, region), 'utf8')) as Remembered
  } catch {
    return undefined
  }
}
