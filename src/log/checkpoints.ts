import { MoraineError } from '../errors.js'
import { sha256 } from '../storage/checksum.js'
import type { Storage } from '../storage/storage.js'
import { Anchors } from './anchors.js'
import type { LakeState } from './commit.js'
import { stateInPlainWords } from './format/earlier-words.js'

/** Numbers of commits that have a checkpoint, or an anchor. */
export interface KnownNumbers {
  checkpoints: readonly number[]
  anchors: readonly number[]
}

/**
 * 1: in the words of earlier versions. A program that knows no other passes over the checkpoint,
 * and reads commits.
 */
type Format = 1 | 2

interface Head {
  format: Format
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
  readonly anchors: Anchors

  constructor(
    private readonly storage: Storage,
    readonly branch: string,
  ) {
    this.folder = `_moraine/checkpoints/${branch}/`
    this.anchors = new Anchors(storage, this.folder)
  }

  pathOf(number: number): string {
    return `${this.folder}${String(number).padStart(20, '0')}.json`
  }

  async write(state: LakeState): Promise<void> {
    await this.storage.createIfAbsent(this.pathOf(state.number), encodeCheckpoint(state))
  }

  /**
   * Whether the checkpoint of a state is it, to the last bit.
   *
   * @throws MoraineError of kind `corrupt` when it is not what was written.
   */
  async isOf(state: LakeState): Promise<boolean> {
    const { format, written } = await this.written(state.number)
    const kept = inPlainWords(written, format)
    if (JSON.stringify(kept) !== JSON.stringify(state)) return false
    const bytes = await this.storage.read(this.pathOf(state.number))
    return Buffer.compare(bytes, encodeCheckpoint(written, format)) === 0
  }

  /** Commits that something outside of the log tells of, newest first of each kind. */
  async known(): Promise<KnownNumbers> {
    const objects = await this.storage.list(this.folder)
    const numbers = (ending: RegExp) =>
      objects.flatMap(({ path }) => {
        const name = ending.exec(path)?.[1]
        return name === undefined ? [] : [Number(name)]
      })
    return {
      checkpoints: numbers(/\/(\d+)\.json$/).reverse(),
      anchors: numbers(/\/(\d+)\.head$/).reverse(),
    }
  }

  /** @throws MoraineError of kind `corrupt` when it is not what was written. */
  async read(number: number): Promise<LakeState> {
    const { format, written } = await this.written(number)
    return inPlainWords(written, format)
  }

  /** A state as it was written. */
  private async written(number: number): Promise<{ format: Format; written: LakeState }> {
    const path = this.pathOf(number)
    const [head = '', body = ''] = new TextDecoder()
      .decode(await this.storage.read(path))
      .split('\n')
    const damaged = (why: string, cause?: unknown) =>
      new MoraineError('corrupt', `${path} is damaged: ${why}`, {
        cause,
        path,
        hint: 'Remove this object: checkpoints are rebuilt from the log, which is complete.',
      })
    try {
      const { format, sha256: expected } = JSON.parse(head) as Head
      if (format !== 1 && format !== 2) throw damaged(`its format ${format} is unknown`)
      if (sha256(body) !== expected) throw damaged('its content does not match its checksum')
      return { format, written: JSON.parse(body) }
    } catch (error) {
      throw error instanceof MoraineError ? error : damaged('it is not JSON', error)
    }
  }
}

const inPlainWords = (state: LakeState, format: Format) =>
  format === 1 ? stateInPlainWords(state) : state

/** A checkpoint as it lies in storage. */
export function encodeCheckpoint(state: LakeState, format: Format = 2): Uint8Array {
  const body = JSON.stringify(state)
  const head: Head = { format, number: state.number, sha256: sha256(body) }
  return new TextEncoder().encode(`${JSON.stringify(head)}\n${body}\n`)
}
