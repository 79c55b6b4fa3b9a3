import { BIGINT, JSON_TYPE, VARCHAR } from '../types.js'
import { text } from '../write/scope.js'
import { once, type Written } from '../write/written.js'
import type { Functions, Signature, Site } from './signature.js'

/** A path that both read alike: `$.a[0]["b c"]`. */
function pathIn({ args, refused }: Site): string {
  const path = args[1]?.word ?? ''
  if (!/^\$(\.[A-Za-z_]\w*|\[\d+\]|\["[^"\\]+"\])*$/.test(path))
    throw refused(`The path '${path}' is not translated`, "Write it like '$.orders[0].id'.")
  return text(path.replace(/\["([^"]+)"\]/g, '."$1"'))
}

/** What is taken of a text that may be no JSON: then there is none. */
const taken =
  (write: (j: string, path: string) => string): Signature['write'] =>
  ([a = ''], site) => {
    const [given] = site.args as [Written]
    const path = pathIn(site)
    return once(
      { j: { sql: a, isPlain: given.isPlain ?? false } },
      ({ j = '' }) => `CASE WHEN json_valid(CAST(${j} AS VARCHAR)) THEN ${write(j, path)} END`,
    )
  }

const both = (rest: Pick<Signature, 'returns' | 'write'>): Signature[] =>
  ['text', 'json'].map((kind) => ({ takes: [kind, 'word'], ...rest }))

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
  json_array_length: ['text', 'json'].map((kind) => ({
    takes: [kind],
    returns: BIGINT,
    write: ([a = ''], { args }: Site) =>
      once(
        { j: { sql: a, isPlain: args[0]?.isPlain ?? false } },
        ({ j }) =>
          `CASE WHEN json_valid(CAST(${j} AS VARCHAR)) THEN CASE WHEN json_type(${j}) = 'ARRAY' THEN CAST(json_array_length(${j}) AS BIGINT) END END`,
      ),
  })),
}
