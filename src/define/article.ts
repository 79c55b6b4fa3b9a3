/** A noun with its article: `an interval`, `a date`, `a uuid`. */
export function article(noun: string): string {
  return /^([aeio]|u(?!ni|u))/i.test(noun) ? `an ${noun}` : `a ${noun}`
}
