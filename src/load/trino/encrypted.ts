import { isOpenToOthers } from '../../define/access/encrypted.js'
import type { TrinoEngine } from '../../define/engines/trino.js'
import { MoraineError, type SourceLocation } from '../../errors.js'

/**
 * Each statement that is sent to Trino has a token with it that reads the lake.
 *
 * @throws MoraineError of kind `usage` where others could read it on the way.
 */
export function refuseUnencrypted(
  { url, allowUnencrypted, password }: TrinoEngine,
  place?: SourceLocation,
): void {
  if (!isOpenToOthers(url) || (allowUnencrypted && password === undefined)) return
  const sent = password === undefined ? 'A token that reads the lake' : 'The password'
  throw new MoraineError('usage', `${sent} would be sent to Trino at ${url} unencrypted`, {
    place,
    hint:
      password === undefined
        ? 'Use its https:// address. In a network that you trust, set it in lake.ts: trino({ url, allowUnencrypted: true })'
        : 'Use its https:// address.',
  })
}
