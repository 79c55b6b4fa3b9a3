import { tableFolder } from '../../../iceberg/table-folder.js'
import type { LakeState } from '../../../log/commit.js'
import { externalRelations } from '../../../log/external.js'
import type { CommitLog } from '../../../log/log.js'
import type { Caller } from '../../../query/service/request.js'
import type { Storage } from '../../../storage/storage.js'
import type { LakeLink } from './store.js'

/** The bucket under which files of the lake's tables are shown, for reading alone. */
export const LAKE_BUCKET = 'moraine-lake'

/** Bytes of a file that are read together: an answer has no more of them in memory. */
const TOGETHER = 4 << 20

/** A file of the lake, read as its bytes are taken. */
export interface LakeFile {
  /** Bytes. */
  size: number
  /** @param to the last byte that is meant. */
  read(from: number, to: number): AsyncIterable<Uint8Array>
}

/** Files of tables that a caller may read: all others are not there. */
export class LakeFiles {
  constructor(
    private readonly storage: Storage,
    private readonly log: CommitLog,
  ) {}

  /** A file of a table that is in the lake now; `undefined` for all others. */
  async open(caller: Caller, path: string): Promise<LakeFile | undefined> {
    return (await this.isShown(caller, path)) ? this.file(path) : undefined
  }

  /** A file that an object of the caller stands for. */
  async linked({ rights }: Caller, { path, levels }: LakeLink): Promise<LakeFile | undefined> {
    return rights.may('read', levels) ? this.file(path) : undefined
  }

  private async file(path: string): Promise<LakeFile | undefined> {
    const { storage } = this
    const found = await storage.stat(path)
    if (!found) return undefined
    return {
      size: found.size,
      async *read(from, to) {
        for (let at = from; at <= to; at += TOGETHER)
          yield await storage.range(path, at, Math.min(TOGETHER, to + 1 - at))
      },
    }
  }

  /** Whether files of tables that a caller may query may lie where keys begin so. */
  async hasFilesUnder({ rights }: Caller, prefix: string): Promise<boolean> {
    const shown = foldersIn(await this.log.head()).filter(({ levels }) => rights.mayQuery(levels))
    return shown.some(
      ({ folder }) => `${folder}/`.startsWith(prefix) || prefix.startsWith(`${folder}/`),
    )
  }

  async isShown({ rights }: Caller, path: string): Promise<boolean> {
    if (/(^|\/)\.{0,2}(\/|$)|\\/.test(path)) return false
    const state = await this.log.head()
    return foldersIn(state).some(
      ({ folder, levels }) => path.startsWith(`${folder}/data/`) && rights.may('read', levels),
    )
  }
}

function foldersIn(state: LakeState): { folder: string; levels: string[] }[] {
  const own = Object.entries(state.tables).map(([name, { metadata }]) => ({
    folder: tableFolder(metadata),
    levels: [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)],
  }))
  const external = externalRelations(state)
    .filter(({ kind }) => kind === 'table')
    .map(({ namespace, name, metadata }) => ({
      folder: tableFolder(metadata),
      levels: [...namespace, name],
    }))
  return [...own, ...external]
}
