import { filesOfAllSnapshots, foreignMetadata } from '../../iceberg/all-files.js'
import { isBelow } from '../../storage/paths.js'
import type { Storage } from '../../storage/storage.js'
import type { External, ExternalChanges, LakeState } from '../commit.js'
import { type ExternalRelation, externalRelations } from '../external.js'
import type { Part } from './damage.js'
import type { Findings } from './findings.js'

/** Looks at an object that the log refers to. */
type LookAt = (
  what: string,
  part: Part,
  path: string,
  expected: { sha256?: string },
) => Promise<boolean>

/** Whether a file of the lake may be missing, and is. */
type IsGone = (path: string) => Promise<boolean>

/**
 * Looks at what other engines keep in the lake: the log knows their metadata files and the
 * checksums of those, and the metadata all else.
 */
export class ExternalChecks {
  /** Snapshots and manifests that were looked at. */
  private readonly seen = new Set<string>()

  constructor(
    private readonly storage: Storage,
    private readonly findings: Findings,
    private readonly look: LookAt,
    /** Whether the files are looked at that metadata lead to. */
    private readonly isDeep: boolean,
  ) {}

  /** All that a state has, by the checksums of their metadata too. */
  async state(state: Pick<LakeState, 'external'>): Promise<void> {
    for (const relation of externalRelations(state))
      await this.relation(relation, relation.fullName, async () => false)
  }

  /**
   * What an earlier commit wrote, as far as it is there: an engine may have removed files of what
   * it dropped since.
   */
  async changes({ relations = {} }: ExternalChanges = {}, of: string): Promise<void> {
    const there = Object.entries(relations).filter((entry) => entry[1] !== null)
    const external = { namespaces: {}, relations: Object.fromEntries(there) } as External
    for (const relation of externalRelations({ external }))
      await this.relation(relation, `${relation.fullName}${of}`, this.isMissing)
  }

  private readonly isMissing: IsGone = async (path) => !(await this.storage.stat(path))

  private async relation(relation: ExternalRelation, what: string, isGone: IsGone) {
    const { metadata, sha256, fullName, kind } = relation
    if (this.seen.has(metadata) || (await isGone(metadata))) return
    this.seen.add(metadata)
    const part = { kind: 'external', relation: fullName } as const
    if (!(await this.look(what, part, metadata, { sha256 }))) return
    await this.findings.guarded(what, part, async () => {
      await foreignMetadata(this.storage, relation)
      if (this.isDeep && kind === 'table') await this.files(relation, { what, part, isGone })
    })
  }

  private async files(
    relation: ExternalRelation,
    { what, part, isGone }: { what: string; part: Part; isGone: IsGone },
  ): Promise<void> {
    const snapshots: string[] = []
    const known = {
      snapshot: (id: string) => {
        snapshots.push(id)
        return this.seen.has(`${relation.fullName} ${id}`)
      },
      isGone,
      damaged: (error: unknown) => this.findings.failed(what, error, part),
    }
    const files = filesOfAllSnapshots(this.storage, relation, known)
    for await (const { path, bytes, leadsOn } of files) {
      // What lies outside of the lake is not its own; what leads on is read, and was counted.
      if (path === undefined || !isBelow(path) || this.seen.has(path)) continue
      this.seen.add(path)
      const found = await this.storage.stat(path)
      const why = found
        ? bytes === undefined || found.size === bytes
          ? undefined
          : `has ${found.size} bytes instead of ${bytes}`
        : 'is missing'
      if (why === undefined || (!found && (leadsOn || (await isGone(path))))) continue
      const is = found ? 'damaged' : 'missing'
      this.findings.found(`${what}: ${path} ${why}`, { path, is, why, part })
    }
    for (const id of snapshots) this.seen.add(`${relation.fullName} ${id}`)
  }
}
