import type { Lake } from '../define/lake.js'
import type { AnyDataset } from '../define/model.js'
import type { Engine } from '../engine/engine.js'
import type { CommitLog } from '../log/log.js'
import type { ScheduleEvent } from '../schedule/scheduler.js'
import type { StepWorker, TryApart } from '../step/context.js'
import type { RunEvent } from '../step/events.js'
import type { JavaScript } from '../step/javascript.js'
import type { Storage } from '../storage/storage.js'
import type { AlertMessage } from './alerts.js'
import type { HealthEvent } from './storage-health.js'

export type DaemonEvent =
  | ScheduleEvent
  | HealthEvent
  /** What should be known of what a dataset's source holds; each of them is told once. */
  | { type: 'notes'; dataset: string; notes: string[] }
  | { type: 'run'; job: string; run: string; event: RunEvent }
  | { type: 'alert'; alert: AlertMessage }

export interface DaemonOptions {
  lake: Lake
  storage: Storage
  /** The log of the lake that is served. */
  log: CommitLog
  /** The same storage, of which calls fail at once. */
  impatient?: Storage
  startEngine: () => Promise<Engine>
  javascript: JavaScript
  /** Who carries out steps of silver and gold, where not all are this process's. */
  worker?: StepWorker
  /** For which datasets that is so. */
  elsewhere?: (dataset: AnyDataset) => boolean
  /** Steps of a run that are under way at the same time. */
  stepsAtOnce?: number
  /** Reads objects at which processes ended in processes of their own. */
  tryApart?: TryApart
  /** Jobs that run at the same time. */
  concurrency: number
  /** Milliseconds between two looks for what has arrived without a sign. */
  sweep: number
  onEvent: (event: DaemonEvent) => void
}
