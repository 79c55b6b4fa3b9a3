import { type PgType, pgTypes } from '../../types/pg-type.js'
import { type CatalogRow, relation } from '../relation.js'
import { OWNER, type Visible } from '../visible.js'

const ARRAY_RECEIVE = 2400

const all: readonly PgType[] = Object.values(pgTypes)
const withArrays = all.filter(({ array }) => array !== 0)

function typeRow({ oid, name, size, category, array }: PgType): CatalogRow {
  return {
    oid,
    typname: name,
    typlen: size,
    typtype: size === -2 ? 'p' : 'b',
    typcategory: category,
    typelem: 0,
    typarray: array,
    typinput: `${name}in`,
    typreceive: oid + 1_000_000,
  }
}

function arrayRow({ oid, name, array }: PgType): CatalogRow {
  return {
    oid: array,
    typname: `_${name}`,
    typlen: -1,
    typtype: 'b',
    typcategory: 'A',
    typelem: oid,
    typarray: 0,
    typinput: 'array_in',
    typreceive: ARRAY_RECEIVE,
  }
}

/** Types, and how clients know them. */
export const typeRelations = {
  pg_type: relation<Visible>(
    `oid:long typname:text typnamespace:long=11 typowner:long=${OWNER} typlen:small
     typbyval:bool=false typtype:text typcategory:text typispreferred:bool=false
     typisdefined:bool=true typdelim:text=, typrelid:long=0 typsubscript:text=- typelem:long
     typarray:long typinput:text typoutput:text=- typreceive:long typsend:text=- typmodin:text=-
     typmodout:text=- typanalyze:text=- typalign:text=i typstorage:text=p typnotnull:bool=false
     typbasetype:long=0 typtypmod:int=-1 typndims:int=0 typcollation:long=0 typdefaultbin:text
     typdefault:text typacl:texts`,
    () => [...all.map(typeRow), ...withArrays.map(arrayRow)],
  ),
  pg_proc: relation<Visible>(
    `oid:long proname:text pronamespace:long=11 proowner:long=${OWNER} prolang:long=12 procost:real=1
     prorows:real=0 provariadic:long=0 prosupport:text=- prokind:text=f prosecdef:bool=false
     proleakproof:bool=false proisstrict:bool=true proretset:bool=false provolatile:text=i
     proparallel:text=s pronargs:small=1 pronargdefaults:small=0 prorettype:long=0
     proargtypes:longs proallargtypes:longs proargmodes:texts proargnames:texts
     proargdefaults:text protrftypes:longs prosrc:text= probin:text prosqlbody:text
     proconfig:texts proacl:texts proisagg:bool=false`,
    () => [
      { oid: ARRAY_RECEIVE, proname: 'array_recv' },
      ...all.map(({ oid, name }) => ({ oid: oid + 1_000_000, proname: `${name}recv` })),
    ],
  ),
}
