import { Session } from 'node:inspector'

/*
 * What of our code, and of the libraries that decode for us, an input runs: by V8's own counters,
 * which every version of Node has.
 */

interface Counted {
  result: {
    scriptId: string
    url: string
    functions: {
      functionName: string
      ranges: { startOffset: number; endOffset: number; count: number }[]
    }[]
  }[]
}

/** Scripts that decode. */
const OURS = /\/src\/|\/dist\/|node_modules\/(avsc|saxes|yauzl|fzstd|snappyjs|lossless-json)\//

export class Coverage {
  private readonly seen = new Set<string>()

  private constructor(private readonly session: Session) {}

  static async start(): Promise<Coverage> {
    const session = new Session()
    session.connect()
    const coverage = new Coverage(session)
    await coverage.post('Profiler.enable')
    await coverage.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    return coverage
  }

  /** How many pieces of code ran since the last call that never ran before, or never so often. */
  async fresh(): Promise<number> {
    const { result } = await this.post<Counted>('Profiler.takePreciseCoverage')
    const before = this.seen.size
    for (const { url, functions } of result) {
      if (!OURS.test(url)) continue
      for (const { ranges } of functions)
        for (const { startOffset, endOffset, count } of ranges) {
          // How often, by powers of four: loops that run once more are nothing new.
          if (count === 0) continue
          const times = Math.floor(Math.log2(count) / 2)
          this.seen.add(`${url}:${startOffset}:${endOffset}:${times}`)
        }
    }
    return this.seen.size - before
  }

  private post<T>(method: string, params: object = {}): Promise<T> {
    return new Promise((resolve, reject) =>
      this.session.post(method, params, (error, result) =>
        error ? reject(error) : resolve(result as T),
      ),
    )
  }
}
