import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { expect, onTestFinished } from 'vitest'
import type { RunRecord } from '../../src/step/events.js'
import { rowsOfLake } from './lake-rows.js'
import { Project, repository } from './project.js'
import { until } from './until.js'

/*
 * A lake whose steps wait at a gate, so that a test can end what is at work in their middle.
 */

/**
 * Checks of names wait while a file is there, and say who waits; another file ends their worker.
 */
export const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const { appendFileSync, existsSync } = process.getBuiltinModule('node:fs')
const at = (name: string) => import.meta.dirname + '/' + name
const pause = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
const waits = (text: string) => {
  if (existsSync(at('poison'))) process.kill(process.pid, 'SIGKILL')
  if (text !== 'wait' || !existsSync(at('gate'))) return true
  appendFileSync(at('waiting'), process.pid + '\\n')
  while (existsSync(at('gate'))) pause(20)
  return true
}
let slow = 0
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw, key: 'id', cursor: 'at',
  schema: z.object({ id: t.int(), name: z.string().refine(waits), at: t.date(), amount: t.decimal(9, 2) }),
})
const others = silver('others', {
  from: raw,
  schema: z.object({ id: t.int(), name: z.string().refine(() => { if (slow++ < 1) pause(700); return true }) }),
})
const total = gold('total', { query: sql\`select count(*) as n, sum(amount) as amount from \${orders}\` })
const count = gold('count', { query: sql\`select count(*) as n from \${others}\` })
export default defineLake({ name: 'faults', datasets: [total, count] })
`

export const file = (batch: number) =>
  [
    'id,name,at,amount',
    ...Array.from(
      { length: 40 },
      (_, i) => `${i + batch * 20},${i === 7 ? 'wait' : 'n'},2026-01-${10 + batch},${batch}.25`,
    ),
    'x,n,2026-01-01,1',
    '',
  ].join('\n')

/** A run in a process of its own, and what comes of it. */
export interface BegunRun {
  child: ChildProcess
  done: Promise<RunRecord | undefined>
  stderr: Promise<string>
  /** What it has written to its standard error so far. */
  said(): string
}

export function begin(project: Project, ...more: readonly string[]): BegunRun {
  const program = join(repository, 'bin/moraine.js')
  const args = [program, '-C', project.folder, '--json', 'run', ...more]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
  })
  const gone = new Promise((resolve) => child.once('close', resolve))
  const done = textOf(child.stdout).then(async (text) => {
    await gone
    if (text === '' && child.signalCode === null) throw new Error(said)
    return text === '' ? undefined : (JSON.parse(text) as RunRecord)
  })
  return { child, done, stderr: gone.then(() => said), said: () => said }
}

/** The processes that wait in a check, once there are as many; no longer than a run lives. */
export async function waiting({ folder }: Project, least = 1, run?: BegunRun): Promise<number[]> {
  let pids: number[] = []
  const wait = async () => {
    const text = await readFile(join(folder, 'waiting'), 'utf8').catch(() => '')
    pids = [...new Set(text.split('\n').slice(0, -1).map(Number))]
    return pids.length >= least
  }
  await until(() => `${least} processes wait in a check\n${run?.said()}`, wait, run?.child)
  return pids
}

/** Checks wait from now on. */
export const close = (project: Project) => project.write({ gate: '' })
export const open = (project: Project) => rm(join(project.folder, 'gate'))

export async function isWhole(project: Project): Promise<void> {
  const verify = JSON.parse((await project.cli('--json', 'verify')).stdout)
  expect(verify.problems).toEqual([])
}

/** The rows of a lake that never met a fault. */
export async function rowsOf(files: number): Promise<unknown> {
  const project = await Project.create({ 'lake.ts': definition })
  for (let i = 0; i < files; i++) {
    await project.write({ [`in/${i}.csv`]: file(i) })
    await project.run()
  }
  return withoutBatches(await rowsOfLake(join(project.folder, 'lake')))
}

/** When rows came, and in which batch, differs from lake to lake. */
function withoutBatches(rows: Awaited<ReturnType<typeof rowsOfLake>>): unknown {
  const text = JSON.stringify(rows)
  return JSON.parse(
    text
      .replace(/\d{8}T\d{6,9}Z-[0-9a-f]+/g, 'run')
      .replace(/\d{6}-[0-9a-f]{8}/g, 'batch')
      .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00/g, 'time')
      .replace(/[^'"\s,]*\/in\//g, 'in/'),
  )
}

/** All rows of a lake, comparable with those of another one. */
export const found = async (project: Project) =>
  withoutBatches(await rowsOfLake(join(project.folder, 'lake')))
