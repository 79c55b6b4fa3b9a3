/** `172,456` */
export function thousands(n: number): string {
  // To ask for the first number of a locale takes longer than many a command.
  return Number.isSafeInteger(n)
    ? String(n).replace(/\B(?=(\d{3})+$)/g, ',')
    : n.toLocaleString('en-US')
}
