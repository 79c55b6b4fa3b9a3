import { BIGINT, BOOLEAN, JSON_TYPE, VARCHAR } from '../types.js'
import { text } from '../write/scope.js'
import { failsWhen, once, type Written } from '../write/written.js'
import type { Functions, Signature, Site } from './signature.js'

/** A path that both read alike: `$.a[0]["b c"]`. */
function pathIn({ args, refused }: Site): string {
  const path = args[1]?.word ?? ''
  if (!/^\$(\.[A-Za-z_]\w*|\[\d+\]|\["[^"\\]+"\])*$/.test(path))
    throw refused(`The path '${path}' is not translated`, "Write it like '$.orders[0].id'.")
  return text(path.replace(/\["([^"]+)"\]/g, '."$1"'))
}

/** A value, and whether it is JSON at all: what is taken of another text is NULL. */
const ofJson = (a: string, { args }: Site, write: (j: string) => string): string =>
  once(
    { j: { sql: a, isPlain: args[0]?.isPlain ?? false } },
    ({ j = '' }) => `CASE WHEN json_valid(CAST(${j} AS VARCHAR)) THEN ${write(j)} END`,
  )

/** What is taken of a text that may be no JSON: then there is none. */
const taken =
  (write: (j: string, path: string) => string): Signature['write'] =>
  ([a = ''], site) => {
    const path = pathIn(site)
    return ofJson(a, site, (j) => write(j, path))
  }

const both = (rest: Pick<Signature, 'returns' | 'write'>): Signature[] =>
  ['text', 'json'].map((kind) => ({ takes: [kind, 'word'], ...rest }))

/** Whether an array of JSON has a value: a text, a number or true and false. */
function contained(kinds: string, write: (one: string) => string): Signature['write'] {
  return ([a = '', value = ''], site) =>
    ofJson(a, site, (j) => {
      const items = `CAST(json_extract(${j}, '$[*]') AS JSON[])`
      const isIt = `CASE WHEN json_type("m e") IN (${kinds}) THEN ${write('"m e"')} = ${value} END`
      const found = `len(list_filter(${items}, lambda "m e": ${isIt})) > 0`
      return `CASE WHEN json_type(${j}) = 'ARRAY' AND ${value} IS NOT NULL THEN ${found} END`
    })
}

const containing: Signature[] = ['text', 'json'].flatMap((kind) => [
  {
    takes: [kind, 'text'],
    returns: BOOLEAN,
    write: contained("'VARCHAR'", (one) => `json_extract_string(${one}, '$')`),
  },
  {
    takes: [kind, 'integer'],
    returns: BOOLEAN,
    write: contained("'UBIGINT', 'BIGINT'", (one) => `CAST(${one} AS HUGEINT)`),
  },
  {
    takes: [kind, 'boolean'],
    returns: BOOLEAN,
    write: contained("'BOOLEAN'", (one) => `CAST(${one} AS BOOLEAN)`),
  },
])

export const json: Functions = {
  json_extract_scalar: both({
    returns: VARCHAR,
    write: taken(
      (j, path) =>
        `CASE WHEN json_type(${j}, ${path}) NOT IN ('OBJECT', 'ARRAY', 'NULL') THEN json_extract_string(${j}, ${path}) END`,
    ),
  }),
  json_extract: both({
    returns: JSON_TYPE,
    write: taken((j, path) => `json_extract(${j}, ${path})`),
  }),
  json_size: both({
    returns: BIGINT,
    write: taken((j, path) => {
      const of = `json_extract(${j}, ${path})`
      const size = `CASE json_type(${of}) WHEN 'ARRAY' THEN json_array_length(${of}) WHEN 'OBJECT' THEN len(json_keys(${of})) ELSE 0 END`
      return `CASE WHEN json_type(${j}, ${path}) IS NOT NULL THEN CAST(${size} AS BIGINT) END`
    }),
  }),
  json_parse: [
    {
      takes: ['text'],
      returns: JSON_TYPE,
      write: ([a = ''], { args }: Site) =>
        once(
          { j: { sql: a, isPlain: args[0]?.isPlain ?? false } },
          ({ j }) =>
            `CASE ${failsWhen(`NOT json_valid(${j})`, 'Cannot convert value to JSON')} ELSE CAST(json(${j}) AS JSON) END`,
        ),
    },
  ],
  json_format: [
    { takes: ['json'], returns: VARCHAR, write: ([a]) => `CAST(json(${a}) AS VARCHAR)` },
  ],
  is_json_scalar: ['text', 'json'].map((kind) => ({
    takes: [kind],
    returns: BOOLEAN,
    write: ([a = '']: readonly string[], { args }: Site) =>
      once({ j: args[0] as Written }, ({ j = a }) => {
        const isNone = failsWhen(`NOT json_valid(CAST(${j} AS VARCHAR))`, 'Invalid JSON value')
        return `CASE WHEN ${j} IS NULL THEN NULL ${isNone} ELSE json_type(${j}) NOT IN ('OBJECT', 'ARRAY') END`
      }),
  })),
  json_array_contains: containing,
  json_array_length: ['text', 'json'].map((kind) => ({
    takes: [kind],
    returns: BIGINT,
    write: ([a = ''], site: Site) =>
      ofJson(
        a,
        site,
        (j) =>
          `CASE WHEN json_type(${j}) = 'ARRAY' THEN CAST(json_array_length(${j}) AS BIGINT) END`,
      ),
  })),
}
