import type { Lake } from '../define/lake.js'
import type { Session } from '../engine/engine.js'
import type { LakeState } from '../log/commit.js'
import { externalRelations } from '../log/external.js'
import { Externals } from '../step/external/externals.js'
import type { Storage } from '../storage/storage.js'
import { type CatalogEntry, describeLake } from './describe.js'
import { describeExternal } from './external.js'
import { withInputs } from './external-inputs.js'
import { type Registered, registeredSources } from './registry.js'

/**
 * All that is in a lake: sources that a crawl has found, datasets, and what other engines keep.
 *
 * @param names of what is asked for: of other engines, nothing else is read.
 */
export async function allEntries(
  session: Session,
  { lake, storage }: { lake: Lake; storage: Storage },
  state: LakeState,
  names?: readonly string[],
): Promise<CatalogEntry[]> {
  const foreign = externalRelations(state).filter((one) => !names || names.includes(one.fullName))
  const sources = (await registeredSources(storage, state)).flatMap(sourceEntries)
  const externals = await Externals.of(storage, state, lake.datasets, { files: false })
  const datasets = await describeLake(session, lake, storage, state)
  const described = await describeExternal(storage, foreign)
  return [...sources, ...datasets, ...withInputs(lake, externals, described, datasets)]
}

/** Tables that a crawl has registered, as entries of the catalog. */
function sourceEntries({ name, place, crawled, tables }: Registered): CatalogEntry[] {
  return tables.map((table) => ({
    name: `source.${name}.${table.name}`,
    tier: 'source',
    description: table.deprecated ? 'It no longer exists in its source.' : table.at,
    owner: null,
    tags: table.deprecated ? ['deprecated'] : [],
    columns: table.columns.map((column) => ({
      name: column.name,
      type: column.native ?? column.schema,
      description: column.note ?? null,
      from: [],
      to: [],
    })),
    key: table.key,
    partitions: [],
    from: [],
    to: [],
    rows: table.rows,
    bytes: null,
    files: null,
    changed: crawled,
    location: place,
    metadata: null,
  }))
}
