import type { Command } from 'commander'
import { bytesOf } from '../define/size.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/open.js'
import { MoraineError } from '../errors.js'
import type { Lakehouse } from '../load/lakehouse.js'
import { machineMemory } from '../process/memory.js'
import { variable } from '../settings.js'
import { limitDecoderMemory } from '../source/decoder/limits.js'

/** What the process needs beside the engine: Node, and what the engine does not count. */
const BESIDE = 400 * 2 ** 20
/** The same of a worker, which does less. */
const BESIDE_WORKER = 150 * 2 ** 20
/** Below this nothing runs. */
const LEAST = 512 * 2 ** 20

/** Gives a command the option that {@link startEngine} reads. */
export function withMemory(command: Command): Command {
  return command.option(
    '--memory <size>',
    'memory limit, such as 2GB; larger work spills to disk (default: 60 % of the machine)',
  )
}

/** What shares the memory of a command. */
export interface Shares {
  /** Engines of the command's own process. */
  engines?: number
  /** Processes that carry out steps, each with an engine of its own. */
  workers?: number
}

/**
 * Starts one of the engines within the memory that the command line or MORAINE_MEMORY says, with
 * the extensions of DuckDB in MORAINE_EXTENSIONS, or else its own folder.
 */
export async function startEngine(
  command: Command,
  { staging }: Pick<Lakehouse, 'staging'>,
  shares: Shares = {},
): Promise<Engine> {
  const extensions = variable('MORAINE_EXTENSIONS')
  const asked = askedMemory(command)
  const memory = memoryOfEngine(command, shares)
  if (asked !== undefined) limitDecoderMemory(memory)
  // How far a step is, only a terminal shows.
  const watched = process.stdout.isTTY
  return openEngine({ staging, extensions, memory, process: asked, watched })
}

/** Bytes that each engine of a command may use, those of its workers as well. */
export function memoryOfEngine(command: Command, { engines = 1, workers = 0 }: Shares): number {
  const asked = askedMemory(command)
  const all = asked === undefined ? machineMemory() * 0.6 : asked - BESIDE - workers * BESIDE_WORKER
  return Math.max(Math.floor(all / (engines + workers)), LEAST / 4)
}

function askedMemory(command: Command): number | undefined {
  const text = command.opts<{ memory?: string }>().memory ?? variable('MORAINE_MEMORY')
  return text ? readSize(text) : undefined
}

function readSize(text: string): number {
  const bytes = bytesOf(text) ?? 0
  if (bytes >= LEAST) return bytes
  throw new MoraineError('usage', `'${text}' is not a valid memory size`, {
    hint: 'Give a number and a unit, at least 512MiB: --memory 2GB',
  })
}
