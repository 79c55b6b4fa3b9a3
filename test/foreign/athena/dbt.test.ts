import { execFile } from 'node:child_process'
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Asked } from '../../integration/athena/asked.js'
import { type ServedLake, servedLake } from '../../integration/athena/served.js'
import { withService } from '../../support/services.js'

const venv = process.env.MORAINE_DBT

interface Result {
  unique_id: string
  status: string
  message: string | null
}

withService('dbt-athena', [venv], () => {
  let lake: ServedLake
  let project: string
  let client: Asked
  beforeAll(async () => {
    lake = await servedLake()
    client = new Asked(lake)
    project = join(lake.folder, 'dbt')
    await cp(join(import.meta.dirname, 'dbt'), project, { recursive: true })
  })
  afterAll(() => lake?.close())

  const artifact = async (name: string) =>
    JSON.parse(await readFile(join(project, 'target', name), 'utf8'))

  /** Runs a command of dbt; what failed of it, and how many steps it had. */
  async function dbt(...args: string[]): Promise<{ failed: string[]; steps: number }> {
    const own = { DBT_PROJECT_DIR: project, DBT_PROFILES_DIR: project, NO_COLOR: '1' }
    const env = { ...lake.env('boss'), ...own }
    const program = join(venv as string, 'bin/dbt')
    const log = await promisify(execFile)(program, args, {
      cwd: project,
      env,
      maxBuffer: 2 ** 26,
    }).then(
      () => '',
      (error: { stdout?: string }) => String(error.stdout ?? error),
    )
    const { results } = (await artifact('run_results.json')) as { results: Result[] }
    const failed = results.filter(({ status }) => !['success', 'pass'].includes(status))
    const told = failed.map(
      ({ unique_id, status, message }) => `${unique_id}: ${status} ${message}`,
    )
    return { failed: told.length === 0 && log !== '' ? [log] : told, steps: results.length }
  }

  it('builds a project, builds it again with new data, and documents it', async () => {
    expect(await dbt('build')).toEqual({ failed: [], steps: 15 })
    expect(await client.rows('SELECT * FROM labels ORDER BY code')).toEqual([
      ['007', 'agent', '3.0', null, '2026-03-01 00:00:00.000'],
      ['Opera', 'Opera, "grand"', '1.5', '2026-01-01', '2026-01-01 10:00:00.000'],
      ['Plays', 'Plays\nof two lines', null, '2026-03-01', null],
      ['Rock', "Rock 'n' roll", '2.25', '2026-02-01', '2026-02-01 11:30:00.000'],
    ])
    const again = await dbt('build', '--vars', '{until: "2026-12-31", opera: Grand opera}')
    expect(again).toEqual({ failed: [], steps: 15 })
    expect(await client.rows('SELECT count(*), sum(sales) FROM daily')).toEqual([['252', '2500']])
    expect(await client.rows('SELECT * FROM log ORDER BY until')).toEqual([
      ['2026-03-31', '834', null],
      ['2026-12-31', '2500', '2026-09-28'],
    ])
    // What was overwritten is there once.
    expect(
      await client.rows("SELECT count(*), sum(sales) FROM months WHERE kind = 'Rock'"),
    ).toEqual(
      await client.rows(
        "SELECT count(DISTINCT date_trunc('month', day)), count(*) FROM recent WHERE category = 'Rock'",
      ),
    )
    expect(
      await client.rows(
        'SELECT first_run, last_run, count(*) FROM events GROUP BY 1, 2 ORDER BY 1',
      ),
    ).toEqual([
      ['2026-03-31', '2026-12-31', '9'],
      ['2026-12-31', '2026-12-31', '8'],
    ])
    expect(
      await client.rows(
        "SELECT label, dbt_valid_to IS NULL FROM label_history WHERE code = 'Opera' ORDER BY 2",
      ),
    ).toEqual([
      ['Opera', 'false'],
      ['Grand opera', 'true'],
    ])
    expect((await client.ask('SHOW TABLES IN scratch')).rows.flat()).toEqual([
      ...['categories', 'daily', 'events', 'label_history', 'labels', 'log', 'months', 'recent'],
    ])
    expect((await dbt('docs', 'generate')).failed).toEqual([])
    const { nodes, errors } = await artifact('catalog.json')
    expect(errors).toBe(null)
    expect(nodes['model.tickets.recent']).toMatchObject({
      metadata: { type: 'view', comment: 'Sales until a day.' },
      columns: { salesid: { type: 'bigint', comment: "The sale's number." } },
    })
    expect(nodes['model.tickets.daily']).toMatchObject({
      metadata: { type: 'iceberg_table', comment: "Revenue of each day; it's in euros." },
      columns: { revenue: { type: 'decimal(38,2)', comment: 'In euros.' } },
    })
    expect(lake.errors).toEqual([])
  })
})
