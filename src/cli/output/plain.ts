import type { RunEvent } from '../../step/events.js'
import { exportLines } from './exports.js'
import { closing, stepLine } from './summary.js'
import { show } from './terminal.js'

/** What shows a run to people, by its events. */
export interface RunView {
  event(event: RunEvent): void
  /** What it waits for; nothing once that is over. */
  waiting(text: string | undefined): void
  /** The user asked to stop. */
  stopping(): void
  close(): void
}

/** A line for each step that ends: for logs and pipes. */
export class PlainView implements RunView {
  private width = 0

  event(event: RunEvent): void {
    if (event.type === 'run-started')
      this.width = Math.max(0, ...event.datasets.map(({ name }) => name.length))
    if (event.type === 'step-finished') this.line(stepLine(event.result, this.width))
    if (event.type === 'run-finished') this.line(closing(event.record))
    if (event.type === 'exported') for (const line of exportLines(event.result)) this.line(line)
  }

  waiting(text: string | undefined): void {
    if (text !== undefined) this.line(text)
  }

  stopping(): void {
    this.line('Stopping …')
  }

  close(): void {}

  private line(text: string): void {
    show(`${text}\n`)
  }
}
