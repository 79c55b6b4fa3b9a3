import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repository } from '../../support/project.js'
import { python } from '../readers.js'
import { type Engine, type LakeAddress, Lines, withoutKeys } from './engine.js'
import { fromGuide } from './guide.js'

export const pyicebergParts = [python]
export const hasPyiceberg = python !== undefined && existsSync(python)

/** What the statements of tests begin with: `lake: code`. */
const statementOf = (text: string) => {
  const at = text.indexOf(': ')
  return { lake: text.slice(0, at), code: text.slice(at + 2) }
}

/**
 * PyIceberg with lakes as its catalogs, configured as the guide says; its statements are Python.
 */
export async function startPyiceberg(
  lakes: Readonly<Record<string, LakeAddress>>,
): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-pyiceberg-'))
  const file = join(folder, 'catalogs.json')
  const code = Object.entries(lakes).map(([name, lake]) => {
    const withKeys = lake.withKeys ? fromGuide('PyIceberg', 1, name, lake) : ''
    return [name, fromGuide('PyIceberg', 0, name, lake) + withKeys]
  })
  await writeFile(file, JSON.stringify(Object.fromEntries(code)))
  const script = join(repository, 'test/foreign/engines/run_pyiceberg.py')
  const child = spawn(python as string, [script, file], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: withoutKeys(),
  })
  const lines = new Lines(child)
  await lines.next()
  const ask = async (question: object) => (await lines.ask<{ value: unknown }>(question)).value
  return {
    run: async (statement) => {
      const value = await ask(statementOf(statement))
      return (Array.isArray(value) ? value : [[value]]) as unknown[][]
    },
    read: async (table, where) => {
      const [lake = '', name] = table.split(/\.(.*)/s)
      const scan = `catalog.load_table(${JSON.stringify(name)}).scan(${where === undefined ? '' : JSON.stringify(where)}).to_arrow().to_pylist()`
      return (await ask({ lake, code: scan })) as never
    },
    stop: async () => {
      await lines.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
