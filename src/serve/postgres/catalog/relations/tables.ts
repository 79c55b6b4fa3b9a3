import { oidOf } from '../../types/column-type.js'
import { relation } from '../relation.js'
import { DATABASE, OWNER, type Visible } from '../visible.js'

/** Schemas, tables and their columns. */
export const tableRelations = {
  pg_namespace: relation<Visible>(
    `oid:long nspname:text nspowner:long=${OWNER} nspacl:texts`,
    ({ schemas }) => schemas.map(({ oid, name }) => ({ oid, nspname: name })),
  ),
  pg_class: relation<Visible>(
    `oid:long relname:text relnamespace:long reltype:long=0 reloftype:long=0 relowner:long=${OWNER}
     relam:long=0 relfilenode:long=0 reltablespace:long=0 relpages:int=0 reltuples:real=-1
     relallvisible:int=0 reltoastrelid:long=0 relhasindex:bool=false relisshared:bool=false
     relpersistence:text=p relkind:text relnatts:small relchecks:small=0 relhasrules:bool=false
     relhastriggers:bool=false relhassubclass:bool=false relrowsecurity:bool=false
     relforcerowsecurity:bool=false relispopulated:bool=true relreplident:text=d
     relispartition:bool=false relrewrite:long=0 relfrozenxid:long=0 relminmxid:long=0 relacl:texts
     reloptions:texts relpartbound:text relhasoids:bool=false relhaspkey:bool=false`,
    ({ tables, user }) =>
      tables.map(({ oid, name, namespace, kind, columns }) => ({
        relacl: [`${user}=r/${user}`],
        oid,
        relname: name,
        relnamespace: namespace,
        relkind: kind === 'view' ? 'v' : 'r',
        relnatts: columns.length,
      })),
  ),
  pg_attribute: relation<Visible>(
    `attrelid:long attname:text atttypid:long attstattarget:int=-1 attlen:small attnum:small
     attndims:int attcacheoff:int=-1 atttypmod:int attbyval:bool=false attalign:text=i
     attstorage:text=p attcompression:text= attnotnull:bool atthasdef:bool=false
     atthasmissing:bool=false attidentity:text= attgenerated:text= attisdropped:bool=false
     attislocal:bool=true attinhcount:int=0 attcollation:long=0 attacl:texts attoptions:texts
     attfdwoptions:texts attmissingval:text`,
    ({ tables }) =>
      tables.flatMap(({ oid, columns }) =>
        columns.map(({ name, number, nullable, pg }) => ({
          attrelid: oid,
          attname: name,
          atttypid: oidOf(pg),
          attlen: pg.isArray ? -1 : pg.type.size,
          attnum: number,
          attndims: pg.isArray ? 1 : 0,
          atttypmod: pg.modifier,
          attnotnull: !nullable,
        })),
      ),
  ),
  pg_description: relation<Visible>(
    'objoid:long classoid:long=1259 objsubid:int description:text',
    ({ tables }) =>
      tables.flatMap(({ oid, comment, columns }) => [
        ...(comment ? [{ objoid: oid, objsubid: 0, description: comment }] : []),
        ...columns.flatMap(({ number, comment: text }) =>
          text ? [{ objoid: oid, objsubid: number, description: text }] : [],
        ),
      ]),
  ),
  pg_tables: relation<Visible>(
    `schemaname:text tablename:text tableowner:text tablespace:text hasindexes:bool=false
     hasrules:bool=false hastriggers:bool=false rowsecurity:bool=false`,
    ({ tables, user }) =>
      tables
        .filter(({ kind }) => kind === 'table')
        .map(({ schema, name }) => ({ schemaname: schema, tablename: name, tableowner: user })),
  ),
  pg_views: relation<Visible>(
    'schemaname:text viewname:text viewowner:text definition:text',
    ({ tables, user }) =>
      tables
        .filter(({ kind }) => kind === 'view')
        .map(({ schema, name }) => ({ schemaname: schema, viewname: name, viewowner: user })),
  ),
  pg_stat_user_tables: relation<Visible>(
    'relid:long schemaname:text relname:text seq_scan:long=0 n_live_tup:long=0 n_dead_tup:long=0',
    ({ tables }) =>
      tables.map(({ oid, schema, name }) => ({ relid: oid, schemaname: schema, relname: name })),
  ),
  pg_database: relation<Visible>(
    `oid:long datname:text datdba:long=${OWNER} encoding:int=6 datlocprovider:text=c
     datistemplate:bool=false datallowconn:bool=true datconnlimit:int=-1 datlastsysoid:long=0
     datfrozenxid:long=0 datminmxid:long=0 dattablespace:long=1663 datcollate:text=C
     datctype:text=C daticulocale:text datcollversion:text datacl:texts`,
    ({ database }) => [{ oid: DATABASE, datname: database }],
  ),
}
