import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { repository } from '../../support/project.js'
import { python, sparkJar } from '../readers.js'
import { type Engine, type LakeAddress, Lines, records, selected, withoutKeys } from './engine.js'
import { fromGuide } from './guide.js'

/** What Spark reads buckets with lies beside Iceberg's own jar. */
const awsJar = sparkJar && join(dirname(sparkJar), 'iceberg-aws-bundle-1.12.0.jar')

export const sparkParts = [python, sparkJar, awsJar]
export const hasSpark = sparkParts.every((part) => part !== undefined && existsSync(part))

interface Answer {
  columns: [string, string][]
  rows: unknown[][]
}

/** Spark with lakes as its catalogs, configured as the guide says. */
export async function startSpark(lakes: Readonly<Record<string, LakeAddress>>): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-spark-'))
  const file = join(folder, 'properties.json')
  await writeFile(file, JSON.stringify(propertiesOf(lakes)))
  const script = join(repository, 'test/foreign/engines/run_spark.py')
  const jars = [sparkJar, awsJar].join(',')
  const child = spawn(python as string, [script, jars, file], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: withoutKeys(),
    // With the Java that it starts.
    detached: true,
  })
  const lines = new Lines(child)
  await lines.next()
  return {
    run: async (sql) => (await lines.ask<Answer>({ sql })).rows,
    read: async (table, where) => {
      const { columns, rows } = await lines.ask<Answer>({ sql: selected(table, where) })
      return records(
        columns.map(([name]) => name),
        rows,
      )
    },
    stop: async () => {
      if (child.pid) process.kill(-child.pid, 'SIGKILL')
      await lines.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function propertiesOf(lakes: Readonly<Record<string, LakeAddress>>): Record<string, string> {
  const lines = Object.entries(lakes).flatMap(([name, lake]) => {
    const bucket = lake.withKeys ? fromGuide('Spark', 1, name, lake) : ''
    return (fromGuide('Spark', 0, name, lake) + bucket).trim().split('\n')
  })
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf('=')
      return [line.slice(0, at), line.slice(at + 1)]
    }),
  )
}
