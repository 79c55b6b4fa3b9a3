import { setTimeout as sleep } from 'node:timers/promises'
import { isOpenToOthers } from '../../define/access/encrypted.js'
import { type ErrorKind, MoraineError, messageOf } from '../../errors.js'
import { importPeer } from '../../peers.js'
import { orAborted } from '../../signals.js'

/** Where a Trino is, and who asks. */
export interface TrinoAddress {
  url: string
  user: string
  password?: string | undefined
  /** By what Trino tells sessions apart. */
  source: string
  /** The token that it shows to the catalog of the lake. */
  token: string
  /** Whether all of this may be sent where others can read it. */
  allowUnencrypted?: boolean | undefined
}

interface AskedOf {
  method?: string
  url: string
  data?: string
}

/** The part of the client that is used, with what it says of progress and of addresses. */
interface Requests {
  request<T>(config: AskedOf & typeof DIRECT): Promise<T>
}

/** What Trino says of a statement: https://trino.io/docs/current/develop/client-protocol.html */
interface Page {
  id: string
  nextUri?: string
  data?: unknown[][]
  columns?: ResultColumn[]
  stats?: { state: string; progressPercentage?: number }
  error?: { message: string; errorName: string; errorType?: string }
}

/** A column as Trino describes it: `decimal(18,2)`. */
interface ResultColumn {
  name: string
  type: string
}

export interface StatementOptions {
  signal: AbortSignal
  /** Is told how far a statement is, in percent. */
  progress?: (percent: number) => void
}

/**
 * A redirect would take the token along, to whomever it leads; and to a proxy of the environment
 * the client sends what is meant to be encrypted as it is.
 */
const DIRECT = { maxRedirects: 0, proxy: false } as const

/** Answers of servers that are busy, or stand before one that is. */
const BUSY = [429, 502, 503, 504]
const TRIES = 10
const PAUSE = 200

/** A session of Trino. */
export class TrinoSession {
  private constructor(
    private readonly client: Requests,
    private readonly url: string,
    private readonly allowUnencrypted: boolean,
  ) {}

  static async open({
    url,
    user,
    password,
    source,
    token,
    allowUnencrypted = false,
  }: TrinoAddress): Promise<TrinoSession> {
    if (password !== undefined && !url.startsWith('https:'))
      throw new MoraineError('usage', `Trino at ${url} has a password, which is only sent by https`)
    const { BasicAuth, Trino } = await importPeer('trino-client')
    const trino = Trino.create({
      server: url,
      source,
      extraCredential: { token },
      extraHeaders: { 'X-Trino-User': user, 'X-Trino-Time-Zone': 'UTC' },
      ...(password === undefined ? {} : { auth: new BasicAuth(user, password) }),
    })
    // Its own iterator keeps how far a statement is to itself until there are rows.
    const { client } = trino as unknown as { client: Requests }
    return new TrinoSession(client, url, allowUnencrypted && password === undefined)
  }

  /**
   * Runs a statement to its end; who cancels it ends it in Trino, too.
   *
   * @returns the rows that it gives.
   * @throws MoraineError of kind `engine` with Trino's own message, and nothing of the request.
   */
  async run(statement: string, options: StatementOptions): Promise<unknown[][]> {
    return (await this.result(statement, options)).rows
  }

  /**
   * The columns of a query, of which no row is computed.
   *
   * @throws MoraineError of kind `definition` where it is the query that Trino refuses.
   */
  async describe(query: string, options: StatementOptions): Promise<ResultColumn[]> {
    const sql = `SELECT * FROM (\n${query}\n) LIMIT 0`
    return (await this.result(sql, { ...options, refused: 'definition' })).columns
  }

  private async result(
    statement: string,
    { signal, progress, refused = 'engine' }: StatementOptions & { refused?: ErrorKind },
  ): Promise<{ rows: unknown[][]; columns: ResultColumn[] }> {
    signal.throwIfAborted()
    const rows: unknown[][] = []
    let columns: ResultColumn[] = []
    let page = await this.ask({ method: 'POST', url: '/v1/statement', data: statement })
    try {
      for (;;) {
        if (page.error) throw failed(page.error, refused)
        rows.push(...(page.data ?? []))
        columns = page.columns ?? columns
        const { progressPercentage: percent } = page.stats ?? {}
        if (percent) progress?.(percent)
        const { nextUri: url } = page
        if (url === undefined) return { rows, columns }
        signal.throwIfAborted()
        page = await orAborted(signal, () => this.ask({ url }))
      }
    } catch (error) {
      if (page.nextUri !== undefined) await this.cancel(page.nextUri)
      throw error
    }
  }

  private async cancel(url: string): Promise<void> {
    if (this.leaks(url)) return
    await this.client.request({ method: 'DELETE', url, ...DIRECT }).catch(() => {})
  }

  /** Whether an address that Trino gives would have others read what each request has with it. */
  private leaks(url: string): boolean {
    return !this.allowUnencrypted && isOpenToOthers(url)
  }

  /** What went wrong is told without the request, whose headers have tokens. */
  private async ask(config: AskedOf): Promise<Page> {
    if (this.leaks(config.url))
      throw new MoraineError(
        'engine',
        `Trino at ${this.url} goes on at ${new URL(config.url).origin}, which is unencrypted`,
        {
          hint: 'Nothing was sent there. Behind a proxy that encrypts, set http-server.process-forwarded=true in the config.properties of Trino, and have the proxy send X-Forwarded-Proto.',
        },
      )
    for (let tried = 1; ; tried++) {
      try {
        return await this.client.request<Page>({ ...config, ...DIRECT })
      } catch (error) {
        const { response } = error as { response?: { status: number } }
        if (response && BUSY.includes(response.status) && tried < TRIES) {
          await sleep(PAUSE * tried)
          continue
        }
        throw new MoraineError(
          'engine',
          `Trino at ${this.url} ${saidOf(error, response?.status)}`,
          {
            retryable: true,
            hint: 'The table is unchanged. Look whether Trino runs there, and start the run again.',
          },
        )
      }
    }
  }
}

function saidOf(error: unknown, status: number | undefined): string {
  if (status === 401 || status === 403) return `refuses the user (${status})`
  if (status !== undefined) return `answered ${status}`
  const { code } = error as { code?: string }
  return `does not answer: ${code ?? messageOf(error)}`
}

/** @param refused the kind of an error that is the statement's own. */
const failed = (
  { message, errorName, errorType }: NonNullable<Page['error']>,
  refused: ErrorKind,
) => {
  const kind = errorType === 'USER_ERROR' ? refused : 'engine'
  return new MoraineError(kind, `Trino: ${message} (${errorName})`)
}
