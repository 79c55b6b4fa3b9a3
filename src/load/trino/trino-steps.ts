import { fullName, schemaOf } from '../../define/dataset.js'
import type { TrinoEngine } from '../../define/engines/trino.js'
import { inputsOf } from '../../define/inputs.js'
import { historiesIn, quoteName } from '../../define/sql/sql.js'
import { TrinoSession } from '../../engine/trino/client.js'
import { MoraineError } from '../../errors.js'
import { buildGoldElsewhere, type Filling, type GoldEngine } from '../../gold/elsewhere.js'
import type { TablePointer } from '../../iceberg/table.js'
import type { TableState } from '../../log/commit.js'
import { ownValue } from '../../own-value.js'
import { definitionOf } from '../../plan/fingerprint.js'
import { executeStep } from '../../run/execute-step.js'
import { OUTSIDE } from '../../sql/bound/years.js'
import { currentUser, hash, type StepWorker } from '../../step/context.js'
import { refuseUnencrypted } from './encrypted.js'

/** A branch of a run's own, on which an engine builds tables by the lake's catalog. */
export interface Room {
  readonly branch: string
  token(): Promise<string>
  show(tables: Record<string, TableState | null>): Promise<void>
  tables(): Promise<Record<string, TableState>>
  close(): Promise<void>
}

/** Opens a room for the tables of a step. */
export type OpenRoom = (request: {
  run: string
  author: string
  tables: readonly string[]
  /** The name of the principal for which the step acts in the catalog. */
  as: string | undefined
}) => Promise<Room>

/** The engines of a lake that are Trino. */
export class TrinoSteps {
  private readonly begun = new Map<TrinoEngine, StepWorker>()

  constructor(private readonly openRoom: OpenRoom | undefined) {}

  /** Who carries out the steps of gold on one of them. */
  of(engine: TrinoEngine): StepWorker {
    const { openRoom } = this
    if (!openRoom) throw new MoraineError('usage', 'Gold is built on Trino by commands alone')
    refuseUnencrypted(engine)
    const steps = this.begun.get(engine) ?? stepsOnTrino(engine, openRoom)
    this.begun.set(engine, steps)
    return steps
  }
}

/**
 * Has gold computed by Trino, on a branch of the step's own: Trino fills a table without rows, and
 * its files become those of the next version, which the run publishes with all others.
 */
function stepsOnTrino(engine: TrinoEngine, openRoom: OpenRoom): StepWorker {
  let rooms = 0
  return (resources, dataset, task) =>
    executeStep(resources, dataset, task, async (context, gold, decision) => {
      const name = fullName(gold)
      const run = `${context.run}-${++rooms}`
      const room = await openRoom({ run, author: currentUser(), tables: [name], as: engine.as })
      try {
        return await buildGoldElsewhere(context, gold, decision, onTrino(engine, room))
      } finally {
        await room.close()
      }
    })
}

/** How a gold dataset's query names tables of the lake on a branch. */
const tablesOn =
  ({ catalog }: TrinoEngine, branch: string) =>
  (schema: string, name: string): string =>
    `${quoteName(catalog)}.${quoteName(branch === '' ? schema : `${schema}@${branch}`)}.${quoteName(name)}`

function onTrino(engine: TrinoEngine, room: Room): GoldEngine {
  const table = tablesOn(engine, room.branch)
  return {
    target: 'trino',
    title: 'Trino',
    table,
    fill: async (filling) => {
      await room.show(shownTo(filling))
      const session = await TrinoSession.open({
        url: engine.url,
        user: engine.user ?? 'moraine',
        password: typeof engine.password === 'function' ? await engine.password() : engine.password,
        allowUnencrypted: engine.allowUnencrypted,
        source: room.branch,
        token: await room.token(),
      })
      const { context, dataset, columns, sql } = filling
      await holdColumns(session, filling, table(schemaOf(dataset), dataset.name))
      const name = fullName(dataset)
      const into = `${table(schemaOf(dataset), dataset.name)} (${columns.map(quoteName).join(', ')})`
      await session
        .run(`INSERT INTO ${into}\n${sql}`, {
          signal: context.signal,
          progress: (percent) => context.progress(name, { percent }),
        })
        .catch((error) => {
          throw atDataset(error, filling)
        })
      return filledTable(room, name, filling)
    },
  }
}

/**
 * Holds what own SQL gives against the columns of the table: another type would be cast in silence.
 */
async function holdColumns(
  session: TrinoSession,
  { context: { signal }, dataset, own, columns }: Filling,
  table: string,
): Promise<void> {
  if (!own) return
  const refused = (message: string, hint: string) =>
    new MoraineError('definition', `${fullName(dataset)}: ${message}`, { place: own.place, hint })
  const given = await session.describe(own.sql, { signal }).catch((error) => {
    throw error instanceof MoraineError && error.kind === 'definition'
      ? refused(error.message, "Change the SQL of sql.for('trino')`…`.")
      : error
  })
  // Trino knows names in small letters alone.
  const said = (all: readonly string[]) =>
    all
      .map((one) => one.toLowerCase())
      .sort()
      .join(', ')
  const [names, listed] = [said(given.map(({ name }) => name)), said(columns)]
  if (names !== listed)
    throw refused(
      `its SQL for Trino gives the columns ${names}, and the dataset has ${listed}`,
      'Name each with AS, as the dataset does.',
    )
  for (const { name, type } of await session.describe(`SELECT * FROM ${table}`, { signal })) {
    const found = given.find((one) => one.name.toLowerCase() === name)?.type ?? ''
    // A text of a certain length is one of any.
    if (found !== type && !(type === 'varchar' && found.startsWith('varchar(')))
      throw refused(
        `its SQL for Trino gives '${name}' as ${found}, and the dataset has ${type}`,
        `Write CAST(… AS ${type}) AS ${name}, or declare the column as what it is.`,
      )
  }
}

/** Says to which dataset an error of Trino belongs. */
function atDataset(error: unknown, { dataset, own }: Filling): unknown {
  if (!(error instanceof MoraineError)) return error
  const { kind, message, hint, retryable } = error
  if (!own && message.includes(OUTSIDE))
    return new MoraineError(
      kind,
      `${fullName(dataset)} counts with days or times that Trino counts otherwise, such as 'infinity': ${message}`,
      {
        place: dataset.query.place,
        hint: "Let DuckDB compute it: engine: duckdb(), imported from moraine; or leave such values out where the query counts: CASE WHEN until <= DATE '9999-12-31' THEN until END",
      },
    )
  return new MoraineError(kind, message, {
    retryable,
    ...(hint ? { hint } : {}),
    ...(hint ? {} : { place: own?.place ?? dataset.query.place }),
  })
}

/** The table as Trino has left it: as it was, where the query has no rows. */
async function filledTable(room: Room, name: string, { empty }: Filling): Promise<TablePointer> {
  const built = ownValue(await room.tables(), name)
  return built ?? empty
}

/** What the branch is to show: the inputs as the run sees them, and the table without rows. */
function shownTo({ context, dataset, empty }: Filling): Record<string, TableState> {
  const { tables } = context.relations.view
  const inputs = [
    ...inputsOf(dataset).map(fullName),
    ...historiesIn(dataset.query).map(({ name }) => `history.${name}`),
  ]
  const seen = inputs.flatMap((name) => {
    const state = ownValue(tables, name)
    return state ? [[name, state] as const] : []
  })
  const none = { definition: definitionOf(dataset, hash), rows: 0, bytes: 0, files: 0 }
  return { ...Object.fromEntries(seen), [fullName(dataset)]: { ...empty, ...none } }
}
