import type { Problem } from '../../errors.js'
import { withoutPasswords } from '../../secrets.js'
import { callSite } from '../call-site.js'

/*
 * Builders such as silver() and files() do not throw: what is wrong with their options is kept here
 * until defineLake() shows all of it together, or whoever loads a definition that ended before
 * that.
 */
let found: Problem[] = []
const broken = new WeakSet<object>()

/**
 * Keeps a mistake in the user's call that is going on. The place is that call; `near` is searched
 * from there on.
 */
export function mistake(message: string, near?: string, hint?: string): void {
  const place = callSite()
  const problem = {
    message: withoutPasswords(message),
    hint: hint && withoutPasswords(hint),
    place: place && { ...place, ...(near ? { near } : {}) },
  }
  const same = ({ message: other, place: at }: Problem) =>
    other === problem.message && at?.file === place?.file && at?.line === place?.line
  if (!found.some(same)) found.push(problem)
}

/** The mistakes since the last time they were asked for. */
export function takeMistakes(): Problem[] {
  const taken = found
  found = []
  return taken
}

/**
 * Notes that something was built from options of wrong kinds, so that nothing more can be said
 * about it.
 */
export function markBroken<T extends object>(made: T): T {
  broken.add(made)
  return made
}

export function isBroken(made: object): boolean {
  return broken.has(made)
}

/** By file and line, so that mistakes come in the order in which they are read. */
export function inOrderOfPlace(problems: readonly Problem[]): Problem[] {
  const key = ({ place }: Problem) => place?.file ?? ''
  return [...problems].sort((a, b) =>
    key(a) === key(b) ? (a.place?.line ?? 0) - (b.place?.line ?? 0) : key(a) < key(b) ? -1 : 1,
  )
}
