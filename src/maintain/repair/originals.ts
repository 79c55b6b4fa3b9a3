import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { Bronze } from '../../define/model.js'
import type { FilesSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import type { Damage } from '../../log/verify/damage.js'
import { discoverFiles } from '../../source/files/discover.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { isPassing } from '../../storage/passing.js'
import type { Copies } from './bytes.js'

/** What datasets are made from, as far as it is still there. */
export class Originals {
  private readonly files = new Map<string, Promise<SourceFile[]>>()

  constructor(private readonly lake: Lake) {}

  bronze(name: string): Bronze | undefined {
    return this.lake.datasets.find(
      (dataset): dataset is Bronze => dataset.tier === 'bronze' && fullName(dataset) === name,
    )
  }

  /** The files that a dataset's source offers now. */
  filesOf(name: string): Promise<SourceFile[]> {
    const from = this.bronze(name)?.from
    const known = this.files.get(name)
    if (known) return known
    const found = from?.kind === 'files' ? offered(from) : Promise.resolve([])
    this.files.set(name, found)
    return found
  }

  /** Where the same bytes as those of a damaged object may be. */
  async copiesOf({ part, bytes }: Damage, state: LakeState): Promise<Copies> {
    if (part.kind !== 'batch') return {}
    const pointer = state.batches[part.dataset]?.find(({ number }) => number === part.number)
    if (part.file === 'manifest' && pointer?.archived) return { objects: [pointer.archived.path] }
    if (part.file === 'archived manifest' && pointer) return { objects: [pointer.manifest] }
    if (part.file !== 'original') return {}
    const files = await this.filesOf(part.dataset)
    const here = files.filter(
      ({ remote, archive, size }) => !remote && (archive?.size ?? size) === bytes,
    )
    return { files: [...new Set(here.map(({ path }) => path))] }
  }
}

/**
 * @throws MoraineError of kind `storage` when some of it can't be looked into: nobody may say that
 * a file is gone.
 */
async function offered(from: FilesSource): Promise<SourceFile[]> {
  const notes: string[] = []
  const files = await discoverFiles(from, notes).catch((error) => {
    if (isPassing(error)) throw error
    return []
  })
  const [closed] = notes.filter((note) => note.includes("can't be entered"))
  if (closed) throw new MoraineError('storage', closed, { retryable: true })
  return files
}
