import { costOf } from './prices.js'

/** Bytes that Athena charges for a query that reads fewer. */
const LEAST = 10e6

/** US dollars that Athena charges for a query that reads so many bytes. */
export function athenaPrice(bytes: number): number {
  return bytes === 0 ? 0 : costOf({ 'athena.bytes': Math.max(bytes, LEAST) }).usd
}
