import { relation } from '../relation.js'
import { OWNER, type Visible } from '../visible.js'

/** The user, its settings, and what there is one of. */
export const clusterRelations = {
  pg_roles: relation<Visible>(
    `oid:long rolname:text rolsuper:bool=false rolinherit:bool=true rolcreaterole:bool=false
     rolcreatedb:bool=false rolcanlogin:bool=true rolreplication:bool=false rolconnlimit:int=-1
     rolpassword:text=******** rolvaliduntil:time rolbypassrls:bool=false rolconfig:texts`,
    ({ user }) => [{ oid: OWNER, rolname: user }],
  ),
  pg_user: relation<Visible>(
    `usename:text usesysid:long usecreatedb:bool=false usesuper:bool=false userepl:bool=false
     usebypassrls:bool=false passwd:text=******** valuntil:time useconfig:texts`,
    ({ user }) => [{ usename: user, usesysid: OWNER }],
  ),
  pg_settings: relation<Visible>(
    `name:text setting:text unit:text category:text short_desc:text extra_desc:text
     context:text=user vartype:text=string source:text=default min_val:text max_val:text
     enumvals:texts boot_val:text reset_val:text sourcefile:text sourceline:int
     pending_restart:bool=false`,
    ({ settings }) => settings.map(([name, setting]) => ({ name, setting })),
  ),
  pg_am: relation<Visible>('oid:long amname:text amhandler:text=- amtype:text=t', () => [
    { oid: 2, amname: 'heap' },
  ]),
  pg_tablespace: relation<Visible>(
    `oid:long spcname:text spcowner:long=${OWNER} spcacl:texts spcoptions:texts`,
    () => [{ oid: 1663, spcname: 'pg_default' }],
  ),
  pg_collation: relation<Visible>(
    `oid:long collname:text collnamespace:long=11 collowner:long=${OWNER} collprovider:text=c
     collisdeterministic:bool=true collencoding:int=-1 collcollate:text=C collctype:text=C
     colliculocale:text collversion:text`,
    () => [{ oid: 100, collname: 'default' }],
  ),
  pg_language: relation<Visible>(
    'oid:long lanname:text lanowner:long=10 lanispl:bool=false lanpltrusted:bool=true',
    () => [{ oid: 12, lanname: 'internal' }],
  ),
}
