/** `172,456` */
export function thousands(n: number): string {
  // To ask for the first number of a locale takes longer than many a command.
  return Number.isSafeInteger(n)
    ? String(n).replace(/\B(?=(\d{3})+$)/g, ',')
    : n.toLocaleString('en-US')
}

/** `1 row`, `2,000 rows` */
export const countOf = (n: number, what: string): string =>
  `${thousands(n)} ${what}${n === 1 ? '' : 's'}`
