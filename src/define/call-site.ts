import type { SourceLocation } from '../errors.js'
import { codeFolder, isBundled } from '../home.js'

// Frames of Moraine itself lie in its source or build folder, or in the loader's own chunks.
const FRAME = /(?:\(|at )(?:async )?(file:\/\/|\/|[A-Za-z]:\\)(.+?):(\d+):(\d+)\)?$/

/**
 * The place in the user's file that called into Moraine, taken from a stack trace;
 * `undefined` when no frame lies outside of Moraine. In a bundle of both, the outermost place of
 * that bundle.
 */
function callerOf(stack: string | undefined, home: string): SourceLocation | undefined {
  let outermost: SourceLocation | undefined
  for (const line of (stack ?? '').split('\n').slice(1)) {
    // Whoever imports a bundle that defines something has not called it.
    if (outermost && /\bat async |node:internal\/modules/.test(line)) break
    const match = FRAME.exec(line.trim())
    if (!match) continue
    const prefix = match[1] === 'file://' ? '' : match[1]
    const file = decodeURIComponent(`${prefix}${match[2]}`)
    const place = { file, line: Number(match[3]), column: Number(match[4]) }
    if (file.startsWith(home) && !file.endsWith('.test.ts')) {
      if (isBundled) outermost = place
      continue
    }
    if (file.includes('/node_modules/') || file.startsWith('node:')) continue
    return original(place)
  }
  return outermost && original(outermost)
}

let original = (place: SourceLocation): SourceLocation => place

/**
 * Says how places in code that was made from a user's files lead back to those files, until the
 * function that is returned is called.
 */
export function mapLocations(map: (place: SourceLocation) => SourceLocation): () => void {
  original = map
  return () => {
    original = (place) => place
  }
}

const home = decodeURIComponent(codeFolder.pathname)

/** Where in the user's code this call comes from. */
export function callSite(): SourceLocation | undefined {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 25
  const { stack } = new Error('place')
  Error.stackTraceLimit = limit
  return callerOf(stack, home)
}
