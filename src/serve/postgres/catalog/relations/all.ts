import type { CatalogRelation } from '../relation.js'
import type { Visible } from '../visible.js'
import { clusterRelations } from './cluster.js'
import { emptyCatalog, emptyStandard } from './empty.js'
import { informationSchema } from './information-schema.js'
import { tableRelations } from './tables.js'
import { typeRelations } from './types.js'

type Relations = Readonly<Record<string, CatalogRelation<Visible>>>

/** All relations of the catalogs, by their schemas. */
const schemas: Readonly<Record<string, Relations>> = {
  pg_catalog: {
    ...tableRelations,
    ...typeRelations,
    ...clusterRelations,
    ...emptyCatalog,
  },
  information_schema: { ...informationSchema, ...emptyStandard },
}

/** A relation of a catalog; `undefined` where there is none of this name. */
export function catalogRelation(
  schema: string,
  name: string,
): CatalogRelation<Visible> | undefined {
  const relations = Object.hasOwn(schemas, schema) ? schemas[schema] : undefined
  return relations && Object.hasOwn(relations, name) ? relations[name] : undefined
}
