import { expect } from 'vitest'
import { canonical, type Engine } from '../engine.js'

/** A statement, and what comes of it. */
export interface Step {
  do: string
  gives?: unknown[][]
  /** What the engine's own message says. */
  refused?: string
  /** What it says where its credentials let it remove nothing. */
  denied?: string
  /** The name for the first value, by which later statements have it. */
  as?: string
}

/** What an engine does to a lake, by what that shows. */
export type Story = Readonly<Record<string, readonly Step[]>>

export const does = (statement: string): Step => ({ do: statement })
export const gives = (statement: string, ...rows: unknown[][]): Step => ({
  do: statement,
  gives: rows,
})
export const remembers = (as: string, statement: string): Step => ({ do: statement, as })

export const MANAGED = 'lake.ts'
export const OUTSIDE = 'is not below'
export const refuses = (refused: string, ...statements: string[]): Step[] =>
  statements.map((statement) => ({ do: statement, refused }))

/**
 * Who has credentials of the catalog can't put files into tables of the lake, and hears so before
 * the catalog is asked.
 */
const DENIED =
  /access.?denied|forbidden|\b403\b|^Error committing write|Failed to close manifest writer/i

/**
 * Has an engine run statements, with a lake's name and with what earlier steps have said.
 *
 * @param withKeys whether it has keys of its own, or can do without.
 */
export async function play(
  engine: Engine,
  lake: string,
  steps: readonly Step[],
  withKeys: boolean,
): Promise<void> {
  const said: Record<string, string> = { lake }
  for (const step of steps) {
    const statement = step.do.replace(/\{(\w+)\}/g, (text, name) => said[name] ?? text)
    const outcome = await engine.run(statement).then(
      (rows) => ({ rows, message: undefined }),
      (error: Error) => ({ rows: [], message: error.message }),
    )
    const refused = step.refused ?? (withKeys ? undefined : step.denied)
    if (refused !== undefined) {
      if (withKeys || !DENIED.test(outcome.message ?? ''))
        expect(outcome.message, statement).toContain(refused)
      continue
    }
    expect(outcome.message, statement).toBeUndefined()
    if (step.gives) expect(canonical(outcome.rows), statement).toEqual(step.gives)
    if (step.as) said[step.as] = String(outcome.rows[0]?.[0])
  }
}

/** What is left of the table `kept` that each of the engines has made, filled and changed. */
export const KEPT = [
  [1, 'merged', '2024-01-01', '1.50', '2024-01-01T10:00:00.000000Z'],
  [11, 'a', '2024-01-01', '1.50', '2024-01-01T10:00:00.000000Z'],
  [13, null, null, null, null],
  [50, 'evolved', '2024-03-01', null, null],
  [99, 'new', null, null, null],
].map(([id, title, day, amount, moment]) => ({ id, title, day, amount, moment }))
