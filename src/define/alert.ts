/** What people are told of. */
export type AlertOn =
  /** A job failed and is not tried again. */
  | 'failed'
  /** A job that failed before has succeeded. */
  | 'recovered'
  /** A dataset was not brought up to date for longer than its `freshWithin`. */
  | 'stale'
  /** A check of severity `warn` does not hold, such as one of how many rows are discarded. */
  | 'warned'

/** Where people are told. */
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

const all: readonly AlertOn[] = ['failed', 'recovered', 'stale', 'warned']

/** Ways to tell people that something is wrong, from `moraine serve`. */
export const alert = {
  /** A POST of `{ on, lake, job, dataset, run, message, time }` as JSON. */
  webhook: (
    url: string | (() => string | Promise<string>),
    { on = all }: AlertOptions = {},
  ): Alert => ({ kind: 'webhook', url, on }),
  /** A message to Slack, or to what takes the same: `{ text }`. */
  slack: (
    url: string | (() => string | Promise<string>),
    { on = all }: AlertOptions = {},
  ): Alert => ({ kind: 'slack', url, on }),
  /** A program that is given the same JSON as a webhook, on its standard input. */
  command: (command: readonly string[], { on = all }: AlertOptions = {}): Alert => ({
    kind: 'command',
    command,
    on,
  }),
}
