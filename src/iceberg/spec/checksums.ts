/**
 * SHA-256 of the files that a manifest or a manifest list names. They stand in the header of the
 * Avro file, where other readers look for the keys that they know and for no others; the records
 * are as the specification says. The header goes with the file: who writes it anew without knowing
 * of this leaves them out.
 */
const CHECKSUMS = 'moraine.sha256'
/** Where a snapshot's summary has the SHA-256 of its manifest list. */
export const LIST_CHECKSUM = 'moraine.manifest-list-sha256'

const NONE = '-'

/**
 * The header's entry for files in the order of their records; nothing where none has a checksum.
 */
export function checksumHeader(files: readonly { sha256?: string }[]): Record<string, string> {
  if (!files.some(({ sha256 }) => sha256)) return {}
  return { [CHECKSUMS]: files.map(({ sha256 }) => sha256 ?? NONE).join(',') }
}

/** The checksum of each of a file's records. */
export function checksumsIn(
  header: Readonly<Record<string, string>>,
  records: number,
): { sha256?: string }[] {
  const sums = header[CHECKSUMS]?.split(',') ?? []
  // Of another number of records it says nothing.
  if (sums.length !== records) return []
  return sums.map((sha256) => (sha256 === NONE ? {} : { sha256 }))
}
