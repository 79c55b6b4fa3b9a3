import { MoraineError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import type { LakeState } from './commit.js'
import { sha256 } from './hash.js'

interface Head {
  format: 1
  number: number
  /** SHA-256 of the state's text, which is the second line. */
  sha256: string
}

/**
 * States of a branch as they were after some commits, so that a reader need not fold all of them.
 * They are made from the log and can be made again: a damaged one is passed over.
 */
export class Checkpoints {
  private readonly folder: string

  constructor(
    private readonly storage: Storage,
    branch: string,
  ) {
    this.folder = `_moraine/checkpoints/${branch}/`
  }

  pathOf(number: number): string {
    return `${this.folder}${String(number).padStart(20, '0')}.json`
  }

  async write(state: LakeState): Promise<void> {
    const body = JSON.stringify(state)
    const head: Head = { format: 1, number: state.number, sha256: sha256(body) }
    const bytes = new TextEncoder().encode(`${JSON.stringify(head)}\n${body}\n`)
    await this.storage.createIfAbsent(this.pathOf(state.number), bytes)
  }

  /** Numbers of the commits that have a checkpoint, newest first. */
  async numbers(): Promise<number[]> {
    const objects = await this.storage.list(this.folder)
    const names = objects.map(({ path }) => /\/(\d+)\.json$/.exec(path)?.[1])
    return names.flatMap((name) => (name === undefined ? [] : [Number(name)])).reverse()
  }

  /** @throws MoraineError of kind `corrupt` when it is not what was written. */
  async read(number: number): Promise<LakeState> {
    const path = this.pathOf(number)
    const [head = '', body = ''] = new TextDecoder()
      .decode(await this.storage.read(path))
      .split('\n')
    const damaged = (why: string, cause?: unknown) =>
      new MoraineError('corrupt', `${path} is damaged: ${why}`, {
        cause,
        hint: 'Remove this object: checkpoints are made from the log, which still has everything.',
      })
    try {
      const { format, sha256: expected } = JSON.parse(head) as Head
      if (format !== 1) throw damaged(`its format ${format} is not known`)
      if (sha256(body) !== expected) throw damaged('its content does not fit its checksum')
      return JSON.parse(body)
    } catch (error) {
      throw error instanceof MoraineError ? error : damaged('it is not JSON', error)
    }
  }
}
