import { randomBytes } from 'node:crypto'
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { MoraineError } from '../errors.js'

/** The calls of the file system that writing a file takes, so that a test can let one fail. */
export interface ReplaceEffects {
  open(path: string, flags: string, mode?: number): Promise<Pick<FileHandle, Used>>
  rename(from: string, to: string): Promise<void>
}

interface ReplaceOptions {
  effects?: ReplaceEffects
  /** Leaves the file as it was, until the very end; its reason is thrown. */
  signal?: AbortSignal
}

type Used = 'writeFile' | 'sync' | 'close'

/**
 * Writes a file of the user's as a whole: beside it, synced, and renamed over it. Whatever happens
 * meanwhile, there is the file from before or the new one. A link stays one, and permissions are
 * kept. What a text in parts throws is thrown as it is.
 *
 * @throws MoraineError of kind `storage` when it can't be written; the file is as it was.
 */
export async function replaceFile(
  path: string,
  text: string | Uint8Array | AsyncIterable<string | Uint8Array>,
  { effects = { open, rename }, signal }: ReplaceOptions = {},
): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const folder = dirname(target)
  const before = await stat(target).catch(() => undefined)
  // A device or a folder would be replaced by a file.
  if (before && !before.isFile())
    throw new MoraineError('storage', `${path} can't be written: it is not a file`, {
      hint: 'Name a file.',
    })
  const mode = before && before.mode & 0o777
  const beside = join(folder, `.${basename(target)}.${randomBytes(4).toString('hex')}.tmp`)
  let own: { error: unknown } | undefined
  const heard = typeof text === 'string' || text instanceof Uint8Array ? text : parts(text)
  async function* parts(of: AsyncIterable<string | Uint8Array>) {
    try {
      yield* of
    } catch (error) {
      own = { error }
      throw error
    }
  }
  try {
    const file = await effects.open(beside, 'wx', mode)
    try {
      await file.writeFile(heard)
      await file.sync()
    } finally {
      await file.close()
    }
    signal?.throwIfAborted()
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
    if (own) throw own.error
    if (cause instanceof MoraineError || signal?.aborted) throw cause
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
