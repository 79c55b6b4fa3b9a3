import { type CatalogRelation, relation } from '../relation.js'

/** Columns of relations of `pg_catalog` that a lake has nothing for: no keys, triggers, rules. */
const catalog: Readonly<Record<string, string>> = {
  pg_attrdef: 'oid:long adrelid:long adnum:small adbin:text',
  pg_auth_members: 'roleid:long member:long grantor:long admin_option:bool',
  pg_cast:
    'oid:long castsource:long casttarget:long castfunc:long castcontext:text castmethod:text',
  pg_constraint: `oid:long conname:text connamespace:long contype:text condeferrable:bool
    condeferred:bool convalidated:bool conrelid:long contypid:long conindid:long conparentid:long
    confrelid:long confupdtype:text confdeltype:text confmatchtype:text conislocal:bool
    coninhcount:int connoinherit:bool conkey:smalls confkey:smalls conpfeqop:longs conppeqop:longs
    conffeqop:longs conexclop:longs conbin:text confdelsetcols:smalls`,
  pg_conversion: 'oid:long conname:text connamespace:long',
  pg_default_acl:
    'oid:long defaclrole:long defaclnamespace:long defaclobjtype:text defaclacl:texts',
  pg_depend: `classid:long objid:long objsubid:int refclassid:long refobjid:long refobjsubid:int
    deptype:text`,
  pg_enum: 'oid:long enumtypid:long enumsortorder:real enumlabel:text',
  pg_event_trigger: 'oid:long evtname:text evtevent:text evtowner:long evtenabled:text',
  pg_extension: `oid:long extname:text extowner:long extnamespace:long extrelocatable:bool
    extversion:text extconfig:longs extcondition:texts`,
  pg_foreign_data_wrapper: 'oid:long fdwname:text fdwowner:long fdwoptions:texts',
  pg_foreign_server:
    'oid:long srvname:text srvowner:long srvfdw:long srvtype:text srvoptions:texts',
  pg_foreign_table: 'ftrelid:long ftserver:long ftoptions:texts',
  pg_get_keywords: 'word:text catcode:text barelabel:bool catdesc:text baredesc:text',
  pg_index: `indexrelid:long indrelid:long indnatts:small indnkeyatts:small indisunique:bool
    indnullsnotdistinct:bool indisprimary:bool indisexclusion:bool indimmediate:bool
    indisclustered:bool indisvalid:bool indcheckxmin:bool indisready:bool indislive:bool
    indisreplident:bool indkey:smalls indcollation:longs indclass:longs indoption:smalls
    indexprs:text indpred:text`,
  pg_indexes: 'schemaname:text tablename:text indexname:text tablespace:text indexdef:text',
  pg_inherits: 'inhrelid:long inhparent:long inhseqno:int inhdetachpending:bool',
  pg_locks: 'locktype:text database:long relation:long pid:int mode:text granted:bool',
  pg_matviews: `schemaname:text matviewname:text matviewowner:text tablespace:text hasindexes:bool
    ispopulated:bool definition:text`,
  pg_opclass:
    'oid:long opcmethod:long opcname:text opcnamespace:long opcintype:long opcdefault:bool',
  pg_operator: 'oid:long oprname:text oprnamespace:long oprleft:long oprright:long oprresult:long',
  pg_aggregate: 'aggfnoid:long aggkind:text aggnumdirectargs:small aggtransfn:text',
  pg_partitioned_table: `partrelid:long partstrat:text partnatts:small partdefid:long
    partattrs:smalls partclass:longs partcollation:longs partexprs:text`,
  pg_policies: `schemaname:text tablename:text policyname:text permissive:text roles:texts cmd:text
    qual:text with_check:text`,
  pg_policy: `oid:long polname:text polrelid:long polcmd:text polpermissive:bool polroles:longs
    polqual:text polwithcheck:text`,
  pg_publication: `oid:long pubname:text pubowner:long puballtables:bool pubinsert:bool
    pubupdate:bool pubdelete:bool pubtruncate:bool pubviaroot:bool`,
  pg_publication_namespace: 'oid:long pnpubid:long pnnspid:long',
  pg_publication_rel: 'oid:long prpubid:long prrelid:long prqual:text prattrs:smalls',
  pg_publication_tables: 'pubname:text schemaname:text tablename:text',
  pg_range: 'rngtypid:long rngsubtype:long rngmultitypid:long rngcollation:long',
  pg_rewrite: `oid:long rulename:text ev_class:long ev_type:text ev_enabled:text is_instead:bool
    ev_qual:text ev_action:text`,
  pg_rules: 'schemaname:text tablename:text rulename:text definition:text',
  pg_seclabel: 'objoid:long classoid:long objsubid:int provider:text label:text',
  pg_sequence: `seqrelid:long seqtypid:long seqstart:long seqincrement:long seqmax:long seqmin:long
    seqcache:long seqcycle:bool`,
  pg_sequences: `schemaname:text sequencename:text sequenceowner:text data_type:text
    start_value:long min_value:long max_value:long increment_by:long cycle:bool cache_size:long
    last_value:long`,
  pg_shdescription: 'objoid:long classoid:long description:text',
  pg_stat_activity: `datid:long datname:text pid:int usesysid:long usename:text
    application_name:text client_addr:text backend_start:time query_start:time state:text query:text
    wait_event:text wait_event_type:text backend_type:text xact_start:time state_change:time`,
  pg_stat_database: 'datid:long datname:text numbackends:int xact_commit:long xact_rollback:long',
  pg_statistic_ext: `oid:long stxrelid:long stxname:text stxnamespace:long stxowner:long
    stxstattarget:int stxkeys:smalls stxkind:texts stxexprs:text`,
  pg_timezone_names: 'name:text abbrev:text utc_offset:text is_dst:bool',
  pg_trigger: `oid:long tgrelid:long tgparentid:long tgname:text tgfoid:long tgtype:small
    tgenabled:text tgisinternal:bool tgconstrrelid:long tgconstrindid:long tgconstraint:long
    tgdeferrable:bool tginitdeferred:bool tgnargs:small tgattr:smalls tgargs:text tgqual:text
    tgoldtable:text tgnewtable:text`,
  pg_user_mapping: 'oid:long umuser:long umserver:long umoptions:texts',
}

const KEYS = 'constraint_catalog:text constraint_schema:text constraint_name:text'
const TABLE = 'table_catalog:text table_schema:text table_name:text'

/** The same of `information_schema`. */
const standard: Readonly<Record<string, string>> = {
  applicable_roles: 'grantee:text role_name:text is_grantable:text',
  character_sets: 'character_set_catalog:text character_set_schema:text character_set_name:text',
  check_constraints: `${KEYS} check_clause:text`,
  column_privileges: `grantor:text grantee:text ${TABLE} column_name:text privilege_type:text
    is_grantable:text`,
  constraint_column_usage: `${TABLE} column_name:text ${KEYS}`,
  constraint_table_usage: `${TABLE} ${KEYS}`,
  domains: 'domain_catalog:text domain_schema:text domain_name:text data_type:text',
  element_types: 'object_catalog:text object_schema:text object_name:text object_type:text',
  key_column_usage: `${KEYS} ${TABLE} column_name:text ordinal_position:int
    position_in_unique_constraint:int`,
  parameters: `specific_catalog:text specific_schema:text specific_name:text ordinal_position:int
    parameter_mode:text parameter_name:text data_type:text`,
  referential_constraints: `${KEYS} unique_constraint_catalog:text unique_constraint_schema:text
    unique_constraint_name:text match_option:text update_rule:text delete_rule:text`,
  role_table_grants: `grantor:text grantee:text ${TABLE} privilege_type:text is_grantable:text`,
  routines: `specific_catalog:text specific_schema:text specific_name:text routine_catalog:text
    routine_schema:text routine_name:text routine_type:text data_type:text external_language:text
    routine_definition:text`,
  sequences: 'sequence_catalog:text sequence_schema:text sequence_name:text data_type:text',
  table_constraints: `${KEYS} ${TABLE} constraint_type:text is_deferrable:text
    initially_deferred:text enforced:text`,
  triggers: `trigger_catalog:text trigger_schema:text trigger_name:text event_manipulation:text
    event_object_catalog:text event_object_schema:text event_object_table:text`,
}

const relations = (texts: Readonly<Record<string, string>>): Record<string, CatalogRelation> =>
  Object.fromEntries(Object.entries(texts).map(([name, columns]) => [name, relation(columns)]))

export const emptyCatalog = relations(catalog)
export const emptyStandard = relations(standard)
