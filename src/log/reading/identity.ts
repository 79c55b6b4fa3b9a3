import { randomUUID } from 'node:crypto'
import { MoraineError } from '../../errors.js'
import { createOnce } from '../../storage/retry.js'
import { encodeSealed } from '../../storage/sealed.js'
import type { Storage } from '../../storage/storage.js'

/** Where a lake in a folder says which one it is; lakes of earlier versions say nothing. */
export const IDENTITY = '_moraine/lake.json'

const known = new WeakMap<object, LakeIdentity>()

/**
 * Which lake lies in a folder, from before its first commit on: another disk may be mounted in its
 * place, and two lakes without a commit are otherwise alike. A bucket is always the same.
 */
export class LakeIdentity {
  private text: string | undefined
  /** It has had commits, which say from then on which lake it is. */
  private isSettled = false

  /** The one that all who use a storage share. */
  static of(storage: Storage): LakeIdentity {
    const origin = storage.origin ?? storage
    const found = known.get(origin) ?? new LakeIdentity()
    known.set(origin, found)
    return found
  }

  /** Remembers which lake lies there, where it says so. */
  async learn(storage: Storage): Promise<void> {
    if (isFolder(storage)) this.text ??= await textOf(storage)
  }

  /**
   * Remembers which lake lies there, and has it say so; later, that it is still this one.
   *
   * @throws MoraineError of kind `storage` when it is not.
   */
  async begin(storage: Storage): Promise<void> {
    if (!isFolder(storage)) return
    if (this.text !== undefined) return this.check(this.text, storage)
    this.text = await textOf(storage)
    if (this.text !== undefined) return
    const bytes = encodeSealed({ format: 2, id: randomUUID() })
    const isNew = await createOnce(storage, IDENTITY, bytes)
    this.text ??= isNew ? decode(bytes) : await textOf(storage)
  }

  /**
   * Says that its commits were read: from here on those are compared, and it is the same lake also
   * without what it said before.
   */
  settle(): void {
    this.isSettled = true
  }

  /** @throws MoraineError of kind `storage` when it is known to be another lake. */
  async refuseOther(storage: Storage): Promise<void> {
    if (!isFolder(storage) || this.text === undefined || this.isSettled) return
    await this.check(this.text, storage)
  }

  private async check(text: string, storage: Storage): Promise<void> {
    const found = await textOf(storage)
    if (found === text) return
    const why = found === undefined ? `it has no ${IDENTITY}` : `its ${IDENTITY} is a different one`
    throw otherLake(storage, why)
  }
}

const isFolder = ({ url }: Storage) => url.startsWith('file:')
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

async function textOf(storage: Storage): Promise<string | undefined> {
  const bytes = await storage.readIfPresent(IDENTITY)
  return bytes && decode(bytes)
}

/** What is said to who finds another lake than the one that was there before. */
export function otherLake({ url }: Storage, why: string): MoraineError {
  return new MoraineError(
    'storage',
    `Another lake lies in ${url.replace(/^file:\/\//, '')}: ${why}`,
    {
      hint: 'Was another disk mounted, or a folder renamed? Put the lake back that was there before. If it was replaced on purpose, as by a backup, start the command again.',
    },
  )
}
