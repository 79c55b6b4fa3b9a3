import type { Readable } from 'node:stream'

/**
 * Calls back with each line of a stream as it comes, however its bytes are cut. What stands after
 * the last line end is none that is whole: whoever wrote it may have been killed at that.
 */
export function onLines(stream: Readable, line: (text: string, isWhole: boolean) => void): void {
  let begun: string[] = []
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const parts = chunk.split('\n')
    const rest = parts.pop() as string
    for (const part of parts) {
      line(begun.length > 0 ? begun.join('') + part : part, true)
      begun = []
    }
    // A line of many megabytes comes in many pieces: they are put together once.
    if (rest !== '') begun.push(rest)
  })
  stream.on('end', () => {
    if (begun.length > 0) line(begun.join(''), false)
    begun = []
  })
}
