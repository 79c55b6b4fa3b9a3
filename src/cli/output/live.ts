import type { RunEvent, StepResult } from '../../step/events.js'
import colors from './colors.js'
import { exportLines } from './exports.js'
import { count, duration } from './format.js'
import type { RunView } from './plain.js'
import { closing, stepLine } from './summary.js'
import { ESC, printable, show } from './terminal.js'

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const INTERVAL = 100

interface Line {
  dataset: string
  inputs: string[]
  started?: number
  rows?: number
  percent?: number
  result?: StepResult
}

/** The graph as lines that change while it runs: what waits, what works, what has ended. */
export class LiveView implements RunView {
  private lines: Line[] = []
  private drawn = 0
  private frame = 0
  private note = ''
  private begun = performance.now()
  private timer: NodeJS.Timeout | undefined

  event(event: RunEvent): void {
    switch (event.type) {
      case 'run-started':
        this.lines = event.datasets.map(({ name, inputs }) => ({ dataset: name, inputs }))
        show(`${ESC}[?25l`)
        this.timer = setInterval(() => this.draw(), INTERVAL)
        break
      case 'step-started':
        this.change(event.dataset, { started: performance.now() })
        break
      case 'step-progress':
        this.change(event.dataset, event)
        break
      case 'step-finished':
        this.change(event.result.dataset, { result: event.result })
        break
      case 'run-finished':
        this.close()
        show(`${closing(event.record)}\n`)
        break
      case 'exported':
        show(`${exportLines(event.result).join('\n')}\n`)
    }
  }

  waiting(text: string | undefined): void {
    if (this.timer) this.note = text ?? ''
    else if (text !== undefined) show(`${text}\n`, process.stderr)
  }

  stopping(): void {
    this.note = 'Stopping … (press Ctrl-C again to stop at once)'
  }

  close(): void {
    if (!this.timer) return
    clearInterval(this.timer)
    this.timer = undefined
    this.note = ''
    this.draw(true)
    show(`${ESC}[?25h`)
  }

  private change(dataset: string, what: Partial<Line>): void {
    const line = this.lines.find((l) => l.dataset === dataset)
    if (line) Object.assign(line, what)
  }

  /** Draws over what was drawn; on a small screen only what is not over yet. */
  private draw(last = false): void {
    this.frame++
    const width = Math.max(0, ...this.lines.map((line) => line.dataset.length))
    const room = last ? Number.POSITIVE_INFINITY : (process.stdout.rows ?? 24) - 3
    const all = this.lines.map((line) => ({ line, text: this.text(line, width) }))
    const active = all.length > room ? all.filter(({ line }) => !line.result).slice(0, room) : all
    const ended = this.lines.filter((line) => line.result).length
    const elapsed = duration((performance.now() - this.begun) / 1000)
    const foot = last
      ? []
      : [colors.dim(`${ended} of ${this.lines.length} steps, ${elapsed}  ${this.note}`)]
    const rows = [...active.map(({ text }) => text), ...foot]
    const up = this.drawn > 0 ? `${ESC}[${this.drawn}A` : ''
    show(`${up}${rows.map((row) => `${ESC}[2K${last ? row : fit(row)}\n`).join('')}${ESC}[0J`)
    this.drawn = rows.length
  }

  private text(line: Line, width: number): string {
    if (line.result) return stepLine(line.result, width)
    const name = line.dataset.padEnd(width)
    if (line.started === undefined) {
      const open = line.inputs.filter((name) =>
        this.lines.some((l) => l.dataset === name && !l.result),
      )
      return colors.dim(
        `  ${name}  ${open.length > 0 ? `waiting for ${open.join(', ')}` : 'waits'}`,
      )
    }
    const seconds = (performance.now() - line.started) / 1000
    const rows = line.rows
      ? [`${count(line.rows)} rows`, `${count(Math.round(line.rows / seconds))} rows/s`]
      : []
    const percent = line.percent ? [`${Math.floor(line.percent)} %`] : []
    const spinner = colors.cyan(frames[this.frame % frames.length] as string)
    return `${spinner} ${name}  ${[...percent, ...rows, duration(seconds)].join(', ')}`
  }
}

/** What paints: ESC, and what follows to its end. */
const PAINT = new RegExp(`(${ESC}\\[[0-9;]*m)`)

/** Cuts a line to the screen's width; colours take no room. */
function fit(text: string): string {
  const columns = process.stdout.columns ?? 80
  let cells = 0
  let out = ''
  for (const part of printable(text).split(PAINT)) {
    if (part.startsWith(ESC)) out += part
    else {
      out += part.slice(0, Math.max(0, columns - 1 - cells))
      cells += part.length
    }
  }
  return out
}
