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

/** Has an engine that was started before leave to others what they share of its memory. */
export async function shareMemory(command: Command, engine: Engine, shares: Shares): Promise<void> {
  const memory = memoryOfEngine(command, shares)
  if (askedMemory(command) !== undefined) limitDecoderMemory(memory)
  await engine.limitMemory(memory)
}

/** Bytes that each engine of a command may use, those of its workers as well. */
export function memoryOfEngine(command: Command, { engines = 1, workers = 0 }: Shares): number {
  const asked = askedMemory(command)
  const all = asked === undefined ? machineMemory() * 0.6 : asked - BESIDE - workers * BESIDE_WORKER
  return Math.max(Math.floor(all / (engines + workers)), LEAST / 4)
}

function askedMemory(command: Command): number | undefined {
  const { memory } = command.opts<{ memory?: string }>()
  if (memory) return readSize(memory, '--memory ')
  const set = variable('MORAINE_MEMORY')
  return memory === undefined && set ? readSize(set, 'MORAINE_MEMORY=') : undefined
}

/** @param given how it was given, up to its value. */
export function readSize(text: string, given: '--memory ' | 'MORAINE_MEMORY='): number {
  const bytes = bytesOf(text) ?? 0
  if (bytes >= LEAST) return bytes
  throw new MoraineError('usage', `${given}${text}: '${text}' is not a valid memory size`, {
    hint: `Give a number and a unit, at least 512MiB: ${given}2GB`,
  })
}
