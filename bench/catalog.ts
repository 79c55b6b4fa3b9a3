import { loadavg } from 'node:os'
import type { Outcome } from './catalog/clients.js'
import { memoryOfAnHour } from './catalog/hour.js'
import { NAMESPACE, openLake } from './catalog/lake.js'
import { CLIENTS, type Scenario, scenarios } from './catalog/scenarios.js'
import { Server } from './catalog/served.js'

const TABLES = 10_000
const SECONDS = 20

/** What a scenario gave, of the catalog and of the floor below it. */
interface Measured {
  scenario: Scenario
  ours: Outcome
  floor: Outcome
  /** Processor time of the server for each, in milliseconds. */
  cpu: number
  /** MiB of the server before, after, and at most so far. */
  memory: [before: number, after: number, peak: number]
}

/**
 * npm run bench -- catalog [--against NAME] [--scale N] [--json]: `moraine serve --catalog` on a
 * lake of 10,000 tables in a folder, with 8 clients that do what they do as fast as they are
 * answered; beside it a bare server that answers as much, and makes as much durable. With
 * `--against hour` they do all of it for an hour, and what is told is the server's memory.
 */
export async function catalog(scale: number, only: string | undefined, json: boolean) {
  if (only === 'hour') return memoryOfAnHour(scale, json)
  const chosen = scenarios.filter(({ name }) => only === undefined || name === only)
  if (chosen.length === 0)
    throw new Error(`There is: hour, ${scenarios.map(({ name }) => name).join(', ')}`)
  const { folder, tables } = await openLake(Math.max(200, Math.round(TABLES * scale)))
  const server = await Server.moraine(folder)
  const measured: Measured[] = []
  try {
    for (const scenario of chosen) {
      const task = { ...scenario.task(tables), clients: CLIENTS, namespace: NAMESPACE }
      const seconds = Math.max(3, SECONDS * scale)
      const before = server.takes
      const ours = await server.run({ ...task, seconds })
      const { now, peak, cpu } = server.takes
      const floor = await onFloor({ ...task, seconds: Math.max(3, seconds / 4) }, ours.characters)
      const each = ((cpu - before.cpu) * 1000) / Math.max(1, ours.done + ours.refused)
      const memory: Measured['memory'] = [before.now, now, peak]
      measured.push({ scenario, ours, floor, cpu: each, memory })
      if (!json) console.log(told(measured.at(-1) as Measured))
    }
  } finally {
    await server.stop()
  }
  const busy = loadavg().map((load) => load.toFixed(1))
  if (json) console.log(JSON.stringify({ load: busy, measured }, null, 2))
  else console.log(`load of the machine: ${busy.join(', ')}`)
}

async function onFloor(task: Parameters<Server['run']>[0], characters: number): Promise<Outcome> {
  const server = await Server.floor(characters)
  try {
    return await server.run(task)
  } finally {
    await server.stop()
  }
}

function told({ scenario, ours, floor, cpu, memory }: Measured): string {
  const { title, rate, p99 } = scenario
  const [a, b] = [ours.done / ours.seconds, floor.done / floor.seconds]
  const per = (value: number) =>
    value < 50 ? `${(value * 60).toFixed(0)}/min` : `${value.toFixed(0)}/s`
  const ms = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} ms`
  const goals = [
    ...(rate ? [`${(a / rate).toFixed(1)} × of ${per(rate)}`] : []),
    ...(p99 ? [`${ours.p99 <= p99 ? 'within' : 'NOT within'} ${p99} ms`] : []),
  ]
  const retried = ours.refused > 0 ? `; ${ours.refused} refused, ${ours.givenUp} given up` : ''
  return [
    `${title.padEnd(30)} ${per(a).padStart(10)}  p50 ${ms(ours.p50)}, p99 ${ms(ours.p99)}, most ${ms(ours.most)}${retried}`,
    `${''.padEnd(30)} ${per(b).padStart(10)}  p50 ${ms(floor.p50)}, p99 ${ms(floor.p99)}  the floor: ${(a / b).toFixed(2)} × of it`,
    `${''.padEnd(30)} ${goals.join(', ')}; ${ms(cpu)} CPU each; memory ${memory.map((mib) => mib.toFixed(0)).join(' → ')} MiB`,
  ].join('\n')
}
