import { MoraineError } from '../../../errors.js'

/** Bytes of the texts of one kind that each principal may keep. */
const MOST_BYTES = 16 * 2 ** 20

/**
 * @param others what its principal keeps beside it.
 * @throws MoraineError of kind `limit` where the texts together are more than one may keep.
 */
export function checkAllowance(record: object, others: readonly object[]): void {
  const bytes = [record, ...others].reduce((sum, one) => sum + bytesOf(one), 0)
  if (bytes <= MOST_BYTES) return
  throw new MoraineError(
    'limit',
    `What you keep would be larger than ${MOST_BYTES / 2 ** 20} MiB`,
    {
      hint: 'Delete some of it.',
    },
  )
}

const bytesOf = (record: object) =>
  Object.values(record).reduce(
    (sum: number, value) => sum + (typeof value === 'string' ? Buffer.byteLength(value) : 0),
    0,
  )
