import type { Machine } from './protocol.js'

/*
 * Tasks are carried out by workers: processes with an engine of their own, on this machine or on
 * others. Whoever schedules them knows nothing of what a task is: a text in, a text out.
 */

/** One piece of work. */
export interface WorkerTask {
  /** Names it among all tasks that are carried out at the same time. */
  readonly id: string
  /** One JSON document, as `decodeStep` reads it. */
  readonly text: string
}

/** What became of a task. Of tasks that were tried several times, one attempt counts. */
export type WorkerOutcome = AnsweredTask | LostTask

export interface AnsweredTask {
  readonly id: string
  /** What the worker gave, as `decodeReply` reads it; that a step failed is an answer, too. */
  readonly reply: string
  /** The attempt that answered, from 1. */
  readonly attempt: number
  /** The worker that answered, for people: `pid 4711 on ida`. */
  readonly where: string
}

/** A task that got no answer, however often it was tried. */
export interface LostTask {
  readonly id: string
  /** What ended its last attempt, for people: `pid 4711 on ida ended: SIGKILL`. */
  readonly lost: string
}

/** What happens meanwhile. */
export type WorkerEvent =
  /** A worker is there, and what it runs on. */
  | { type: 'ready'; where: string; duckdb: string; machine: Machine }
  /** A worker begins with a task. */
  | { type: 'started'; task: string; attempt: number; where: string }
  /** How far a task has come. */
  | { type: 'progress'; task: string; rows?: number; percent?: number }
  /** A line that a worker wrote; `task` is what it was at. */
  | { type: 'log'; text: string; where: string; task?: string }
  /** A worker ended without a word, as when its machine does: its task begins again elsewhere. */
  | { type: 'vanished'; task: string; attempt: number; where: string }
  /** An attempt got no answer; the task is tried again unless it was the last one. */
  | { type: 'failed'; task: string; attempt: number; why: string }

export interface MapOptions {
  /** Ends all attempts at once; the outcomes then end with its reason. */
  signal: AbortSignal
  onEvent?: (event: WorkerEvent) => void
}

/** Carries out tasks, many at the same time. Several `map`s share the slots. */
export interface Workers {
  /** How many tasks are carried out at the same time, at most. */
  readonly slots: number
  /**
   * Has tasks carried out and gives their outcomes as they come, in any order, one for each task.
   * Takes tasks only as slots become free, so that neither tasks nor outcomes pile up. Whoever
   * stops reading outcomes ends the attempts that still go on.
   *
   * @throws MoraineError of kind `conflict` where workers have another version of Moraine, of its
   *   engine or of the definition; what the signal says once it is aborted.
   */
  map(
    tasks: Iterable<WorkerTask> | AsyncIterable<WorkerTask>,
    options: MapOptions,
  ): AsyncIterable<WorkerOutcome>
  /** Ends all workers, whatever they are doing; resolves when nothing of them is left. */
  close(): Promise<void>
}

/** How often a task is tried that gets no answer. */
export const ATTEMPTS = 3
