import { MoraineError } from '../../../../errors.js'
import type { Schema } from '../../../../iceberg/spec/types.js'
import { completedView, type ViewMetadata } from '../../../../iceberg/spec/updates/view-metadata.js'
import { type ExternalRelation, externalOf, externalRelations } from '../../../../log/external.js'
import type { AnswerColumn, Caller } from '../../../../query/service/request.js'
import type { QueryService } from '../../../../query/service/service.js'
import { columnOf } from '../../../../query/service/visible.js'
import { INTEGER, typeOfEngine } from '../../../../sql/trino/types.js'
import { isManaged } from '../../../rest/names.js'
import { isShown } from '../../../rest/relations.js'
import { drop } from '../../../rest/rename.js'
import type { LakeAccess, TableName } from '../lake-access.js'
import { fieldsOf } from '../table-definitions.js'
import { Tables } from '../tables.js'
import type { Relation } from './relation.js'

/** The dialect of the queries of views, as Iceberg's view specification names it. */
const DIALECT = 'trino'

/** What a view is made of. */
export interface ViewDefinition {
  sql: string
  /** Where its tables are looked for that are named without a schema. */
  database: string | undefined
  columns: readonly AnswerColumn[]
  replace: boolean
}

/** What is said of a view and of its columns. */
export interface ViewDescription {
  properties: Readonly<Record<string, string>>
  /** By the columns' names. */
  docs: ReadonlyMap<string, string>
}

/**
 * Views that statements make: Iceberg views of the REST catalog, in Trino's dialect. Each query
 * that names one is written with the view's query in its place: whoever asks reads by their own
 * rights.
 */
export class LakeViews {
  constructor(
    private readonly service: Pick<QueryService, 'tables'>,
    private readonly lake: LakeAccess,
  ) {}

  /** The tables and views that a caller may query. */
  async tables(caller: Caller, database?: string): Promise<Tables> {
    const [tables, views, namespaces] = await Promise.all([
      this.service.tables(caller),
      this.visible(caller),
      this.lake.main.namespaces.list({ principal: caller }, undefined),
    ])
    const schemas = namespaces.filter((one) => !isManaged(one)).map((one) => one.join('.'))
    return Tables.of([...tables, ...views], caller, { database, schemas })
  }

  private async visible({ rights }: Caller): Promise<Relation[]> {
    const views = externalRelations(await this.lake.head()).filter(
      ({ kind, namespace, name }) => kind === 'view' && rights.mayQuery([...namespace, name]),
    )
    return Promise.all(views.map((one) => this.described(one)))
  }

  private async described(at: ExternalRelation): Promise<Relation> {
    const { namespace, name } = at
    const named = { schema: namespace.join('.'), name, kind: 'view' as const }
    // One whose file is gone is shown without its columns.
    const view = await this.lake.viewAt(at).then(completedView, () => undefined)
    if (!view) return { ...named, comment: undefined, columns: [], view: {} }
    const { version, schema } = currentOf(view)
    const found = version.representations.find(
      ({ type, dialect }) => type === 'sql' && String(dialect).toLowerCase() === DIALECT,
    )
    const [database] = version['default-namespace']
    const query = found ? { sql: String(found.sql), ...(database ? { database } : {}) } : {}
    return {
      ...named,
      ...{ comment: view.properties.comment, columns: schema.fields.map(columnOf) },
      ...{ view: query, properties: view.properties },
    }
  }

  async put(caller: Caller, named: TableName, definition: ViewDefinition): Promise<void> {
    const { lake } = this
    const { views } = lake.main
    const who = { principal: caller }
    const identifier = await lake.identifier(named)
    const state = await lake.head()
    const schema = schemaOf(definition.columns)
    const version = {
      ...{ 'version-id': 1, 'timestamp-ms': Date.now(), 'schema-id': -1, summary: {} },
      representations: [{ type: 'sql', sql: definition.sql, dialect: DIALECT }],
      'default-namespace': definition.database === undefined ? [] : [definition.database],
    }
    const isThere = externalOf(state, identifier)?.kind === 'view'
    if (!definition.replace || !isThere || !isShown(who, state, identifier)) {
      const request = { name: identifier.name, schema, 'view-version': version, properties: {} }
      await views.create(who, identifier, request as never)
      return
    }
    const updates = [
      { action: 'add-schema', schema },
      { action: 'add-view-version', 'view-version': version },
      { action: 'set-current-view-version', 'view-version-id': -1 },
    ]
    await views.replace(who, identifier, { requirements: [], updates } as never)
  }

  /** Says something else of a view, whose query stays. */
  async describe(caller: Caller, named: TableName, about: ViewDescription): Promise<void> {
    const { lake } = this
    const identifier = await lake.identifier(named)
    const found = externalOf(await lake.head(), identifier)
    if (found?.kind !== 'view') throw new MoraineError('query', `View ${named.name} does not exist`)
    const view = completedView(await lake.viewAt(found))
    const { version, schema } = currentOf(view)
    const fields = schema.fields.map((one) => {
      const doc = about.docs.get(one.name.toLowerCase())
      return doc === undefined ? one : { ...one, doc }
    })
    const requirements = [{ type: 'assert-view-uuid', uuid: view['view-uuid'] }]
    const updates = [
      { action: 'set-properties', updates: about.properties },
      { action: 'add-schema', schema: { ...schema, fields } },
      { action: 'add-view-version', 'view-version': { ...version, 'schema-id': -1 } },
      { action: 'set-current-view-version', 'view-version-id': -1 },
    ]
    const request = { requirements, updates }
    await lake.main.views.replace({ principal: caller }, identifier, request as never)
  }

  async drop(caller: Caller, named: TableName): Promise<void> {
    const identifier = await this.lake.identifier(named)
    await drop(this.lake.main, { principal: caller }, 'view', identifier)
  }
}

/** @throws MoraineError of kind `query` for columns that a view can't have. */
function schemaOf(columns: readonly AnswerColumn[]): Schema {
  const definitions = columns.map(({ name, type: engine }) => {
    const type = typeOfEngine(engine)
    if (!type)
      throw new MoraineError(
        'query',
        `The column ${name} is a ${engine}, which views do not have`,
        {
          hint: 'Cast it.',
        },
      )
    // Iceberg has no smaller numbers.
    const isSmall = type.name === 'tinyint' || type.name === 'smallint'
    return { name: name.toLowerCase(), type: isSmall ? INTEGER : type, at: 0 }
  })
  return { type: 'struct', 'schema-id': 0, fields: fieldsOf(definitions) }
}

function currentOf(view: ViewMetadata) {
  const version = view.versions.find((one) => one['version-id'] === view['current-version-id'])
  const schema = view.schemas.find((one) => one['schema-id'] === version?.['schema-id'])
  if (!version || !schema) throw new MoraineError('query', 'The view has no version')
  return { version, schema }
}
