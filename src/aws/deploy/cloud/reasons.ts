import { nounOf } from '../plan/risk.js'
import type { OwnerOf } from '../plan/stack.js'
import type { ResourceEvent } from './follow.js'

/** What failed, a line each, with the part of the lake that it belongs to. */
export function reasons(failures: readonly ResourceEvent[], ownerOf: OwnerOf): string {
  const lines = failures.map(({ id, type, reason = 'no reason was given' }) => {
    const of = ownerOf(id)
    return `${of === undefined ? '' : `${of}: `}${nounOf(type)} ${id}: ${withoutRequest(reason)}`
  })
  return lines.length === 0 ? '' : `:\n${[...new Set(lines)].join('\n')}`
}

/** Ids of requests are of use to nobody who reads this. */
const withoutRequest = (reason: string) =>
  reason
    .replace(
      /\s*\((?:Service|SDK Attempt Count|Request ID|RequestToken|HandlerErrorCode)[^()]*\)/g,
      '',
    )
    .replace(/\s*\(RequestToken: [^)]*\)/g, '')
    .trim()
