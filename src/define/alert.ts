import { oneOf, secretText } from './options/expected.js'
import { checked, checkedArguments, type Expected, type OptionList } from './options/options.js'

/** Events that alerts are sent for. */
export type AlertOn =
  /** A job failed after all retries. */
  | 'failed'
  /** A job that had failed has succeeded. */
  | 'recovered'
  /** A dataset was not updated within its `freshWithin`. */
  | 'stale'
  /** A check with severity `warn` failed, such as one on the share of discarded rows. */
  | 'warned'
  /**
   * A file or a request could not be read and was quarantined; sent again when it is not retried
   * any more.
   */
  | 'quarantined'

/** Where alerts are sent. */
export type Alert = {
  readonly on: readonly AlertOn[]
} & (
  | { readonly kind: 'webhook' | 'slack'; readonly url: string | (() => string | Promise<string>) }
  | { readonly kind: 'command'; readonly command: readonly string[] }
)

interface AlertOptions {
  /** Default: all. */
  on?: readonly AlertOn[]
}

const all: readonly AlertOn[] = ['failed', 'recovered', 'stale', 'warned', 'quarantined']

const one = oneOf(...all)
const alertOptions: OptionList<AlertOptions> = {
  on: {
    is: `a list of ${one.is}`,
    fits: (value) => Array.isArray(value) && value.every(one.fits),
    advise: (value) => (one.fits(value) ? `Wrap it in a list: ['${value}']` : undefined),
  },
}

function onOf(call: string, options: AlertOptions): readonly AlertOn[] {
  return checked(call, options, alertOptions).on ?? all
}

/** Where a request can be sent; a secret is read when it is. */
const hook: Expected = {
  ...secretText,
  is: "an address that begins with https:// or http://, or secret('env:NAME')",
  fits: (value) =>
    typeof value === 'function' ||
    (typeof value === 'string' && /^https?:\/\//i.test(value) && URL.canParse(value)),
}

const program: Expected = {
  is: "a list of a program and its arguments, such as ['notify', '--urgent']",
  fits: (value) =>
    Array.isArray(value) &&
    value.every((item) => typeof item === 'string') &&
    value[0] !== undefined &&
    value[0].trim() !== '',
  advise: (value) => (typeof value === 'string' ? `Wrap it in a list: ['${value}']` : undefined),
}

type Url = string | (() => string | Promise<string>)

function toUrl(kind: 'webhook' | 'slack', url: Url, options: AlertOptions): Alert {
  const call = `alert.${kind}(…)`
  const good = checkedArguments(call, { url }, { url: hook })
  return { kind, url: good.url ?? '', on: onOf(call, options) }
}

/** Alerts that `moraine serve` sends when something is wrong. */
export const alert = {
  /** A POST of `{ on, lake, job, dataset, run, message, time }` as JSON. */
  webhook: (url: Url, options: AlertOptions = {}): Alert => toUrl('webhook', url, options),
  /** A message to Slack, or a compatible service: `{ text }`. */
  slack: (url: Url, options: AlertOptions = {}): Alert => toUrl('slack', url, options),
  /** A program that gets the same JSON as a webhook on its standard input. */
  command: (command: readonly string[], options: AlertOptions = {}): Alert => {
    const call = 'alert.command(…)'
    const good = checkedArguments(call, { command }, { command: program })
    return { kind: 'command', command: good.command ?? [], on: onOf(call, options) }
  },
}
