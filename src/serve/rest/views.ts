import { randomUUID } from 'node:crypto'
import { type Json, objectOf } from '../../iceberg/spec/updates/json.js'
import { checkViewRequirements } from '../../iceberg/spec/updates/requirements.js'
import {
  applyViewUpdates,
  completedView,
  type ViewMetadata,
} from '../../iceberg/spec/updates/view-metadata.js'
import type { ExternalState } from '../../log/commit.js'
import { viewToRegister } from './access/contents.js'
import { refuseCreating, refuseWriting } from './access/rights.js'
import type { Caller } from './caller.js'
import type { MetadataFiles } from './files.js'
import type { Journal } from './journal.js'
import { changeOne, type LoadedTable } from './loaded.js'
import type { Locations } from './locations.js'
import { type Identifier, shownName } from './names.js'
import { type Namespaces, refuseManaged } from './namespaces.js'
import { existing, refuseTaken } from './relations.js'
import { changesIn, propertiesOf } from './sent.js'
import { pointTo } from './tables.js'

/** Views of other engines. */
export class Views {
  constructor(
    readonly journal: Journal,
    readonly files: MetadataFiles,
    readonly locations: Locations,
    private readonly namespaces: Namespaces,
  ) {}

  async create(caller: Caller, identifier: Identifier, request: Json): Promise<LoadedTable> {
    const uuid = randomUUID()
    const message = `create view ${shownName(identifier)}`
    refuseCreating(caller, identifier)
    return changeOne(this, { caller, message }, identifier, async (state) => {
      refuseTaken(caller, state, identifier, 'view')
      const claim = { caller, state, ...identifier }
      const version = objectOf(request, 'view-version')
      const location = this.namespaces.locationFor(claim, request.location, uuid)
      const metadata = applyViewUpdates(
        undefined,
        [
          { action: 'assign-uuid', uuid },
          { action: 'set-location', location },
          { action: 'set-properties', updates: propertiesOf(request) },
          { action: 'add-schema', schema: objectOf(request, 'schema') },
          { action: 'add-view-version', 'view-version': { ...version, 'schema-id': -1 } },
          { action: 'set-current-view-version', 'view-version-id': -1 },
        ],
        Date.now(),
      )
      this.locations.refuseElsewhere(metadata, { ...claim, own: [location] })
      const at = await this.write(metadata, undefined)
      return { changes: pointTo(identifier, { kind: 'view', ...at }), answer: { at, metadata } }
    })
  }

  async replace(caller: Caller, identifier: Identifier, request: Json): Promise<LoadedTable> {
    refuseWriting(caller, identifier, 'view')
    refuseManaged(identifier.namespace, 'replace a view')
    const { requirements, updates } = changesIn(request)
    const message = `replace view ${shownName(identifier)}`
    return changeOne(this, { caller, message }, identifier, async (state) => {
      const found = existing(state, identifier, 'view')
      const before = completedView(await this.files.json(found))
      checkViewRequirements(requirements, before)
      const metadata = applyViewUpdates(before, updates, Date.now())
      this.locations.refuseElsewhere(metadata, { caller, state, ...identifier }, before)
      const at = await this.write(metadata, found)
      return { changes: pointTo(identifier, { kind: 'view', ...at }), answer: { at, metadata } }
    })
  }

  async register(caller: Caller, identifier: Identifier, request: Json): Promise<LoadedTable> {
    const message = `register view ${shownName(identifier)}`
    refuseCreating(caller, identifier)
    return changeOne(this, { caller, message }, identifier, async (state) => {
      refuseTaken(caller, state, identifier, 'view')
      const claim = { caller, state, ...identifier }
      const { at, metadata } = await viewToRegister(request, claim, this)
      this.locations.refuseElsewhere(metadata, claim)
      return { changes: pointTo(identifier, { kind: 'view', ...at }), answer: { at, metadata } }
    })
  }

  private write(metadata: ViewMetadata, before: ExternalState | undefined) {
    const folder = this.locations.metadataFolder(metadata, metadata['view-uuid'])
    return this.files.write(folder, metadata, randomUUID(), before?.metadata)
  }
}
