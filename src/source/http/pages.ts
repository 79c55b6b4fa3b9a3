import { createHash } from 'node:crypto'
import type { HttpSource, Paging, PagingUntil } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import type { JsonRecord } from '../formats/json-records.js'
import { type Answer, type HttpClient, Passing } from './client.js'
import { type Content, contentOf } from './content.js'
import { flagIn, isObject, lookUp, saying } from './document.js'
import { refuseFailure } from './failure.js'
import { type MoreSign, nextLink, signsOfMore } from './more.js'
import { identityOf, type PageRequest, type ParamValue, Requests } from './requests.js'

/** A page of rows. */
export interface Page {
  number: number
  rows: JsonRecord[]
}

/** Pages without a row, one after the other, of an API that says that there is more. */
const MOST_EMPTY = 100

/**
 * The pages of an API, one after the other.
 *
 * @param since from where on rows are asked for, as their cursor tells it.
 * @param wasRead whether rows of it were read before, so that it is no mistake of the definition
 *   where some can't be.
 * @param warn is told what may be wrong once all pages were read.
 * @throws MoraineError of kind `source` when an answer is not what it should be, the pages have no
 *   end, or there is more than was found.
 */
export async function* pagesOf(
  source: HttpSource,
  client: HttpClient,
  since: ParamValue | undefined,
  {
    wasRead = false,
    warn = () => {},
  }: { wasRead?: boolean; warn?: (message: string) => void } = {},
): AsyncGenerator<Page> {
  const requests = await Requests.of(source, client)
  const reading = new Reading(source, requests)
  let next: PageRequest | undefined = await requests.first(client, since)
  for (let number = 1; next; number++) {
    const place = `${next.url.origin}${next.url.pathname}, page ${number}`
    if (number > source.pages) throw endless(place, `there are more than ${source.pages} pages`)
    const request = requests.toSend(next)
    reading.begin(identityOf(request), place)
    const mayBeMissing = number > 1 && ends(source.paging).includes('not found')
    const check = source.graphql ? refuseErrors : () => {}
    const answer = await client.ask(request, { mayBeMissing, check })
    if (!answer) {
      reading.refuseMore()
      break
    }
    const content = await contentOf(answer, source, place, wasRead || number > 1)
    reading.take(answer, content)
    yield { number, rows: content.rows }
    next = reading.next(next)
  }
  for (const message of reading.warnings()) warn(message)
}

const ends = (paging: Paging | undefined): readonly PagingUntil[] => [paging?.until ?? []].flat()

/** What was read so far, and what follows from it. */
class Reading {
  private readonly asked = new Set<string>()
  private readonly seen = new Set<string>()
  private place = ''
  private rows = 0
  private pages = 0
  private filled = 0
  private empty = 0
  private shape: string | undefined
  private answer!: Answer
  private content!: Content
  /** What is around the rows of the last answer, once it was asked for. */
  private document: { value: unknown } | undefined
  /** Paths that are looked for in answers, and whether one ever was there. */
  private readonly paths = new Map<string, boolean>()

  constructor(
    private readonly source: HttpSource,
    private readonly requests: Requests,
  ) {}

  begin(identity: string, place: string): void {
    // The first request can't have been made before.
    if (this.asked.has(identity)) throw endless(this.place, 'its next page has been read before')
    this.asked.add(identity)
    this.place = place
  }

  take(answer: Answer, content: Content): void {
    const { source, place } = this
    const { rows, found } = content
    this.pages++
    if (content.format === 'json') {
      refuseFailure(answer, rows.length, source, place)
      this.refuseOtherShape(answer)
    }
    const isNothing = answer.status === 204
    // A place in JSON is there even where there are no rows; an element of XML is not.
    if (!found && !isNothing && content.format !== 'xml') throw this.noRows()
    if (source.rows !== undefined) this.noted(source.rows, found || isNothing)
    for (const print of printsOf(answer, rows)) {
      if (rows.length > 0 && this.seen.has(print))
        throw endless(place, 'it returns the same page again and again')
      this.seen.add(print)
    }
    this.answer = answer
    this.content = content
    this.document = undefined
    this.rows += rows.length
    this.filled += rows.length > 0 ? 1 : 0
    this.empty = rows.length > 0 ? 0 : this.empty + 1
    if (this.empty > MOST_EMPTY) throw endless(place, `${MOST_EMPTY} pages in a row had no rows`)
  }

  /** A list of rows, and then an object: that is no row, but says something else. */
  private refuseOtherShape({ body }: Answer): void {
    const shape = /[[{]/.exec(body.toString('latin1', 0, 100))?.[0]
    this.shape ??= shape
    if (this.source.rows !== undefined || this.shape !== '[' || shape !== '{') return
    throw new MoraineError(
      'source',
      `${this.place}: it is an object, but the pages before were lists of rows`,
      {
        hint: 'Nothing was ingested from it. Is the response what you expect, or is it an error message?',
      },
    )
  }

  /** The request for the next page; `undefined` where this one was the last. */
  next(request: PageRequest): PageRequest | undefined {
    const { paging } = this.source
    const more = paging?.more === undefined ? undefined : flagIn(this.at(paging.more) ?? undefined)
    if (more === false) return undefined
    const next = paging && this.follow(paging, request, more === true)
    if (!next) this.refuseMore()
    return next
  }

  private follow(paging: Paging, request: PageRequest, more: boolean): PageRequest | undefined {
    const { requests, content, answer } = this
    const count = content.rows.length
    const isShort = paging.size !== undefined && count < paging.size
    if (ends(paging).includes('short') && isShort && !more) return undefined
    if ('page' in paging) {
      const page = (paging.first ?? 1) + this.pages
      return count === 0 && !more ? undefined : requests.with(request, paging.page, page)
    }
    if ('offset' in paging)
      return count === 0 ? undefined : requests.with(request, paging.offset, this.rows)
    if ('after' in paging)
      return count === 0
        ? undefined
        : requests.with(request, paging.after, this.last(paging.column))
    if ('link' in paging)
      return this.addressed(
        request,
        linkOf(answer, () => this.around),
      )
    const value = saying(hrefIn(this.at(paging.next)))
    if (value === undefined) return undefined
    return 'cursor' in paging
      ? requests.with(request, paging.cursor, value)
      : this.addressed(request, String(value))
  }

  private addressed(request: PageRequest, to: string | undefined): PageRequest | undefined {
    if (to === undefined) return undefined
    const { url } = this.answer
    if (URL.canParse(to, url.href)) return { ...request, url: new URL(to, url) }
    throw new MoraineError(
      'source',
      `${this.place}: its next page is at '${to.slice(0, 80)}', which is not a URL`,
      {
        hint: 'Nothing was ingested from it. If this is the value of a parameter: paging: { cursor: …, next: … }.',
      },
    )
  }

  private get around(): unknown {
    this.document ??= { value: this.content.document() }
    return this.document.value
  }

  private at(path: string): unknown {
    const { there, value } = lookUp(this.around, path)
    this.noted(path, there)
    return value
  }

  private noted(path: string, there: boolean): void {
    this.paths.set(path, there || (this.paths.get(path) ?? false))
  }

  /** The value that the last row has in a column. */
  private last(column: string): string | number | object {
    const row = this.content.last()
    const value = saying(lookUp(row, column).value)
    if (value !== undefined) return value
    const has = isObject(row)
      ? `Its columns are: ${Object.keys(row).slice(0, 12).join(', ')}. `
      : ''
    throw new MoraineError(
      'source',
      `${this.place}: its last row has no '${column}' to request the next page with`,
      {
        hint: `${has}Nothing was ingested from it. Check the column of paging.`,
      },
    )
  }

  /** @throws MoraineError where the last answer says that there is more. */
  refuseMore(): void {
    const { source, answer, content, rows, filled } = this
    const isXml = content.format === 'xml'
    const path = isXml ? undefined : source.rows
    // Without a path, an answer that is an object is the one row.
    const document = isXml || path !== undefined ? this.around : undefined
    const signs = signsOfMore(document, path, answer.headers, { rows, pages: filled }).filter(
      ({ place }) =>
        !source.ignoreMore.some((other) => other.toLowerCase() === place.toLowerCase()),
    )
    const [sign] = signs
    if (sign) throw this.more(sign, signs)
  }

  private more({ place: sign, says }: MoreSign, signs: readonly MoreSign[]): MoraineError {
    const { paging } = this.source
    const where = !paging
      ? 'paging is not configured'
      : 'next' in paging
        ? `there is nothing at ${paging.next}, where its next page should be`
        : 'link' in paging
          ? 'no Link header refers to a next page'
          : 'its pages end here'
    const next = signs.find((other) => other.next !== undefined)
    const way =
      next?.next === 'address'
        ? `paging: { next: '${next.place}' }`
        : next
          ? `paging: { cursor: '…', next: '${next.place}' }`
          : signs.some(({ place }) => place === 'Link')
            ? 'paging: { link: true }'
            : 'paging: { … } as the API expects it'
    return new MoraineError(
      'source',
      `${this.place}: it says that there is more (${sign} ${says}), but ${where}`,
      {
        hint: `Nothing was ingested from it. Configure paging: ${way}. If ${sign} means something else: ignoreMore: ['${sign}'].`,
      },
    )
  }

  private noRows(): MoraineError {
    const path = this.source.rows
    return new MoraineError('source', `${this.place}: it has nothing at ${path}`, {
      hint: 'Nothing was ingested from it. Is the response what you expect, and are the rows where you say?',
    })
  }

  /** What was looked for in answers, and never there. */
  warnings(): string[] {
    const { rows } = this.source
    const pages = this.pages === 1 ? '1 page was' : `${this.pages} pages were`
    return [...this.paths]
      .filter(([, there]) => !there)
      .map(([path]) =>
        path === rows
          ? `no response has an element ${path} for its rows`
          : `no response has anything at ${path}, where paging looks: ${pages} read`,
      )
  }
}

/**
 * Prints by which a page is known again: of all of it, and of its rows, where those are not few.
 */
function* printsOf({ body }: Answer, rows: readonly JsonRecord[]): Generator<string> {
  yield createHash('sha256').update(body).digest('hex')
  if (rows.length < 2) return
  const print = createHash('sha256')
  for (const { json = '', raw = '' } of rows) print.update(json).update(raw).update('\n')
  yield `rows ${print.digest('hex')}`
}

const hrefIn = (value: unknown) => (isObject(value) ? (value.href ?? value.url) : value)

function linkOf({ headers }: Answer, document: () => unknown): string | undefined {
  const header = nextLink([headers.link ?? ''].flat().join(', '))
  if (header !== undefined) return header
  const found = document()
  if (!isObject(found)) return undefined
  // One that is alone has its attributes beside it, several are a list of objects.
  const alone = { '@rel': found['link@rel'], '@href': found['link@href'] }
  const links = [alone, ...[found.link ?? []].flat()]
  const next = links.find((link) => isObject(link) && link['@rel'] === 'next')
  return isObject(next) ? (saying(next['@href']) as string | undefined) : undefined
}

/** GraphQL tells of errors in answers that are a success to HTTP. */
function refuseErrors({ body }: Answer): void {
  let errors: unknown
  if (!body.includes('"errors"')) return
  try {
    errors = JSON.parse(body.toString('utf8'))?.errors
  } catch {
    // What is no JSON is told where it is read.
    return
  }
  if (!Array.isArray(errors) || errors.length === 0) return
  const messages = errors.slice(0, 3).map((error) => {
    const path = Array.isArray(error?.path) ? ` at ${error.path.join('.')}` : ''
    return `${typeof error?.message === 'string' ? error.message.slice(0, 200) : 'an error without a message'}${path}`
  })
  const message = `it responds with errors: ${messages.join('; ')}${errors.length > 3 ? '; and others' : ''}`
  const codes = errors.map((error) => `${error?.type} ${error?.extensions?.code}`)
  if (codes.every((code) => /RATE_?LIMIT|THROTTLE/i.test(code))) throw new Passing(message)
  throw new Error(message)
}

function endless(place: string, what: string): MoraineError {
  return new MoraineError('source', `${place}: ${what}`, {
    hint: 'Nothing was ingested from it. Check paging: its parameters may not be the ones the API expects. (pages: … allows more.)',
  })
}
