import { randomBytes } from 'node:crypto'
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { MoraineError } from '../errors.js'

/** The calls of the file system that writing a file takes, so that a test can let one fail. */
export interface ReplaceEffects {
  open(path: string, flags: string, mode?: number): Promise<Pick<FileHandle, Used>>
  rename(from: string, to: string): Promise<void>
}

type Used = 'writeFile' | 'sync' | 'close'

/**
 * Writes a file of the user's as a whole: beside it, synced, and renamed over it. Whatever happens
 * meanwhile, there is the file from before or the new one. A link stays one, and permissions are
 * kept.
 *
 * @throws MoraineError of kind `storage` when it can't be written; the file is as it was.
 */
export async function replaceFile(
  path: string,
  text: string | Uint8Array,
  effects: ReplaceEffects = { open, rename },
): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const folder = dirname(target)
  const mode = await stat(target).then(
    (found) => found.mode & 0o777,
    () => undefined,
  )
  const beside = join(folder, `.${basename(target)}.${randomBytes(4).toString('hex')}.tmp`)
  try {
    const file = await effects.open(beside, 'wx', mode)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await effects.rename(beside, target)
    // Some systems can't sync a folder; the rename is whole there all the same.
    await effects
      .open(folder, 'r')
      .then(async (opened) => {
        await opened.sync().catch(() => {})
        await opened.close()
      })
      .catch(() => {})
  } catch (cause) {
    await rm(beside, { force: true }).catch(() => {})
    const { code } = cause as NodeJS.ErrnoException
    throw new MoraineError('storage', `${path} can't be written: ${why(code)}`, {
      cause,
      hint: 'It is unchanged.',
    })
  }
}

function why(code = 'unknown'): string {
  const said: Record<string, string> = {
    ENOSPC: 'the disk is full',
    EDQUOT: 'the quota is exceeded',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'its file system is read-only',
    ENOENT: 'the folder does not exist',
  }
  return said[code] ?? code
}
