import type { FilesSource } from '../../define/source.js'

/**
 * The delimiter that the first line of a text names, as Excel reads and writes it: `sep=;`, and
 * nothing else in that line.
 */
export function separatorOf(start: Buffer): string | undefined {
  const [line] = start
    .toString('utf8', 0, 32)
    .replace(/^\uFEFF/, '')
    .split(/\r\n?|\n/, 1)
  return /^("?)sep=([^\p{L}\p{N}\s"']|\t)\1$/iu.exec(line ?? '')?.[2]
}

/**
 * How a delimited text is read whose first line names its delimiter: by that, behind that line.
 * Where there is no header, the line may be a value like any other, unless what follows has the
 * delimiter.
 */
export function withSeparatorLine(source: FilesSource, start: Buffer): FilesSource {
  const separator = source.layout ? undefined : separatorOf(start)
  if (separator === undefined) return source
  const { skip = 0, header, columns = [], delimiter } = source
  const lines = start.toString('utf8').split(/\r\n?|\n/, Math.max(skip, 1) + 1)
  const first = lines[Math.max(skip, 1)] ?? ''
  const divides = first.includes(separator) && (header || columns.length > 1)
  if (!divides && !(header && skip === 0)) return source
  const isOwn = divides || !first.includes(delimiter)
  return { ...source, delimiter: isOwn ? separator : delimiter, skip: Math.max(skip, 1) }
}
