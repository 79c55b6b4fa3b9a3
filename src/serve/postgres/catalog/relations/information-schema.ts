import { type PgColumnType, titleOf } from '../../types/column-type.js'
import { type CatalogRow, relation } from '../relation.js'
import type { CatalogColumn, CatalogTable, Visible } from '../visible.js'

function columnRow(
  { database }: Visible,
  { schema, name: table }: CatalogTable,
  { name, number, nullable, pg }: CatalogColumn,
): CatalogRow {
  return {
    table_catalog: database,
    udt_catalog: database,
    table_schema: schema,
    table_name: table,
    column_name: name,
    ordinal_position: number,
    is_nullable: nullable ? 'YES' : 'NO',
    ...typeOf(pg),
  }
}

/** Bits of numbers without digits after the point; decimal digits of numeric. */
const precisions: Readonly<Record<string, [precision: number, radix: number, scale?: number]>> = {
  int2: [16, 2, 0],
  int4: [32, 2, 0],
  int8: [64, 2, 0],
  float4: [24, 2],
  float8: [53, 2],
}

function typeOf(pg: PgColumnType): CatalogRow {
  const { type, isArray, modifier } = pg
  const digits = modifier - 4
  const [precision = null, radix = null, scale = null] = isArray
    ? []
    : modifier >= 0
      ? [Math.floor(digits / 65_536), 10, digits % 65_536]
      : (precisions[type.name] ?? [])
  const hasTime = !isArray && /^(time|interval)/.test(type.name)
  return {
    data_type: isArray ? 'ARRAY' : titleOf({ ...pg, modifier: -1 }),
    udt_name: `${isArray ? '_' : ''}${type.name}`,
    numeric_precision: precision,
    numeric_precision_radix: radix,
    numeric_scale: scale,
    datetime_precision: isArray ? null : hasTime ? 6 : type.name === 'date' ? 0 : null,
  }
}

/** The standard's own views of what there is. */
export const informationSchema = {
  schemata: relation<Visible>(
    `catalog_name:text schema_name:text schema_owner:text default_character_set_catalog:text
     default_character_set_schema:text default_character_set_name:text sql_path:text`,
    ({ database, user, schemas }) =>
      schemas.map(({ name }) => ({
        catalog_name: database,
        schema_name: name,
        schema_owner: user,
      })),
  ),
  tables: relation<Visible>(
    `table_catalog:text table_schema:text table_name:text table_type:text
     self_referencing_column_name:text reference_generation:text user_defined_type_catalog:text
     user_defined_type_schema:text user_defined_type_name:text is_insertable_into:text=NO
     is_typed:text=NO commit_action:text`,
    ({ database, tables }) =>
      tables.map(({ schema, name, kind }) => ({
        table_catalog: database,
        table_schema: schema,
        table_name: name,
        table_type: kind === 'view' ? 'VIEW' : 'BASE TABLE',
      })),
  ),
  views: relation<Visible>(
    `table_catalog:text table_schema:text table_name:text view_definition:text
     check_option:text=NONE is_updatable:text=NO is_insertable_into:text=NO`,
    ({ database, tables }) =>
      tables
        .filter(({ kind }) => kind === 'view')
        .map(({ schema, name }) => ({
          table_catalog: database,
          table_schema: schema,
          table_name: name,
        })),
  ),
  columns: relation<Visible>(
    `table_catalog:text table_schema:text table_name:text column_name:text ordinal_position:int
     column_default:text is_nullable:text data_type:text character_maximum_length:int
     character_octet_length:int numeric_precision:int numeric_precision_radix:int numeric_scale:int
     datetime_precision:int interval_type:text interval_precision:int character_set_catalog:text
     character_set_schema:text character_set_name:text collation_catalog:text collation_schema:text
     collation_name:text domain_catalog:text domain_schema:text domain_name:text udt_catalog:text
     udt_schema:text=pg_catalog udt_name:text scope_catalog:text scope_schema:text scope_name:text
     maximum_cardinality:int dtd_identifier:text is_self_referencing:text=NO is_identity:text=NO
     identity_generation:text identity_start:text identity_increment:text identity_maximum:text
     identity_minimum:text identity_cycle:text=NO is_generated:text=NEVER
     generation_expression:text is_updatable:text=NO`,
    (visible) =>
      visible.tables.flatMap((table) =>
        table.columns.map((column) => columnRow(visible, table, column)),
      ),
  ),
  table_privileges: relation<Visible>(
    `grantor:text grantee:text table_catalog:text table_schema:text table_name:text
     privilege_type:text=SELECT is_grantable:text=NO with_hierarchy:text=YES`,
    ({ database, user, tables }) =>
      tables.map(({ schema, name }) => ({
        grantor: user,
        grantee: user,
        table_catalog: database,
        table_schema: schema,
        table_name: name,
      })),
  ),
  enabled_roles: relation<Visible>('role_name:text', ({ user }) => [{ role_name: user }]),
  information_schema_catalog_name: relation<Visible>('catalog_name:text', ({ database }) => [
    { catalog_name: database },
  ]),
}
