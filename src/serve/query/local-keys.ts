import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MoraineError } from '../../errors.js'
import { isObject } from '../../iceberg/spec/updates/json.js'
import type { LocalKeys } from '../principals.js'

const NAMES = ['name', 'accessKeyId', 'secretAccessKey', 'password', 'token'] as const

/**
 * Keys for whoever works on this machine, where `lake.ts` has no principals: made once, in a file
 * that nobody else may read.
 *
 * @throws MoraineError of kind `usage` for a file that is something else.
 */
export async function localKeys(file: string): Promise<LocalKeys> {
  const keys: LocalKeys = {
    name: 'local',
    accessKeyId: `MORAINE${randomBytes(8).toString('hex').toUpperCase().slice(0, 13)}`,
    secretAccessKey: randomBytes(30).toString('base64url'),
    password: randomBytes(18).toString('base64url'),
    token: randomBytes(24).toString('base64url'),
  }
  await mkdir(dirname(file), { recursive: true })
  try {
    const created = await open(file, 'wx', 0o600)
    await created.writeFile(`${JSON.stringify(keys, null, 2)}\n`)
    await created.sync()
    await created.close()
    return keys
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  await chmod(file, 0o600)
  return keysIn(await readFile(file, 'utf8'), file)
}

function keysIn(text: string, file: string): LocalKeys {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    found = undefined
  }
  const isWhole =
    isObject(found) &&
    NAMES.every((name) => typeof found[name] === 'string' && String(found[name]).length > 4)
  if (!isWhole)
    throw new MoraineError('usage', `${file} does not hold the keys of this machine`, {
      hint: 'Remove it: moraine serve --query makes new keys.',
    })
  return found as unknown as LocalKeys
}
