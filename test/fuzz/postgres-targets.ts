import { rewriteCatalog } from '../../src/serve/postgres/catalog/rewrite.js'
import { visibleOf } from '../../src/serve/postgres/catalog/visible.js'
import { PgError } from '../../src/serve/postgres/pg-error.js'
import { commandOf } from '../../src/serve/postgres/sql/command.js'
import { withParameterTypes } from '../../src/serve/postgres/sql/parameters.js'
import { statementsOf, textOf, tokensOf } from '../../src/serve/postgres/sql/tokens.js'
import { parameterOf } from '../../src/serve/postgres/types/parameter.js'
import { pgTypes } from '../../src/serve/postgres/types/pg-type.js'
import { Frames } from '../../src/serve/postgres/wire/frames.js'
import { readMessage } from '../../src/serve/postgres/wire/read-message.js'
import { type Target, target } from './target.js'

const isTold = (error: unknown) => error instanceof PgError

/** Bytes that a message may have in these tests. */
const LONGEST = 2000

function message(type: string, ...parts: (string | number[])[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\0`) : Buffer.from(part))),
  )
  const head = Buffer.alloc(4)
  head.writeInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(type), head, body])
}

const oids = Object.values(pgTypes).flatMap(({ oid, array }) => [oid, array])

/** What a client sends, cut as the network may cut it; values are read as of each type. */
function conversation(bytes: Buffer): void {
  const frames = new Frames(LONGEST)
  frames.isStarting = false
  for (let at = 0; at < bytes.length; at += 7) {
    frames.add(bytes.subarray(at, at + 7))
    for (let frame = frames.next(); frame; frame = frames.next()) {
      const read = readMessage(frame)
      if (read.type !== 'bind') continue
      for (const value of read.values)
        for (const format of [0, 1])
          for (const oid of oids) {
            try {
              parameterOf(oid, format, value)
            } catch (error) {
              if (!isTold(error)) throw error
            }
          }
    }
    if (frames.held > LONGEST + 7) throw new Error('More is held than a message may have')
  }
}

const statements = [
  "select c.oid::regclass, pg_catalog.format_type(a.atttypid, -1) FROM pg_catalog.pg_class c WHERE c.relname OPERATOR(pg_catalog.~) '^(a)$' COLLATE pg_catalog.default",
  "WITH x AS (SELECT $1::regclass) SELECT CAST('gold.daily' AS regclass), $2::text[] FROM x, information_schema.columns -- ok",
  "COPY (SELECT 'a''b', E'\\n', $$x$$ /* a /* b */ c */) TO STDOUT WITH (FORMAT csv, HEADER, DELIMITER ';')",
  'SET search_path TO silver, \'x\'; begin; select "a""b" :: "char"; rollback to savepoint x',
]

const visible = visibleOf({
  tables: [
    {
      ...{ schema: 'gold', name: 'daily', kind: 'table', comment: undefined },
      columns: [{ name: 'day', type: 'DATE', nullable: false, comment: undefined }],
    },
  ],
  ...{ database: 'shop', user: 'ada', path: ['gold'], settings: [] },
})

/** A statement as a session takes it apart. */
function statement(bytes: Buffer): void {
  const sql = bytes.toString()
  if (textOf(tokensOf(sql)) !== sql) throw new Error('A part of the text was lost')
  for (const one of statementsOf(sql)) {
    try {
      commandOf(one)
      rewriteCatalog(withParameterTypes(one, [23, 1009]), visible)
    } catch (error) {
      if (!isTold(error)) throw error
    }
  }
}

/** Parsers of what clients of PostgreSQL send. */
export const postgres: Record<string, Target> = {
  'postgres-messages': target(
    () => [
      Buffer.concat([message('Q', 'select 1'), message('X')]),
      Buffer.concat([
        message('P', 's', 'select $1', [0, 1, 0, 0, 0, 23]),
        message('B', '', 's', [0, 1, 0, 1, 0, 1, 0, 0, 0, 4, 0, 0, 0, 5, 0, 1, 0, 1]),
        message('D', [80], ''),
        message('E', '', [0, 0, 0, 10]),
        message('S'),
      ]),
      message('B', '', '', [0, 0, 0, 1, 0, 0, 0, 5, 123, 49, 44, 50, 125, 0, 0]),
    ],
    conversation,
    isTold,
  ),
  'postgres-statement': target(
    () => statements.map((sql) => Buffer.from(sql)),
    statement,
    () => false,
  ),
}
