import type { JobCost, LakeCost } from '../../aws/prices/estimate.js'
import { sizeText } from '../../define/size.js'
import { plural } from './format.js'

/** Jobs that have a line each. */
const MOST = 5

/** What a run, a day and a month of a lake on AWS cost, and how that is known. */
export function costLines({ jobs, day, month, dates }: LakeCost): string[] {
  const dearest = [...jobs].sort((a, b) => dollarsADay(b) - dollarsADay(a))
  const shown = dearest.slice(0, MOST)
  const rest = dearest.length - shown.length
  const isKnown = jobs.every(({ runsADay }) => runsADay !== undefined)
  const some = isKnown ? '' : ', without runs that files start'
  const stored = month.lines.find(({ name }) => name === 's3.storage')?.amount
  const held = stored ? `, with ${sizeText(stored)} of tables` : '; storage comes on top'
  return [
    ...shown.map(jobLine),
    ...(rest > 0 ? [`and ${plural(rest, 'other job')}`] : []),
    `${dollars(day.usd)} a day${some}; $${month.usd.toFixed(2)} a month${held}`,
    `prices of us-east-1 of ${dates[0]} to ${dates[1]}: yours may differ (docs/guide/aws.md)`,
  ]
}

const dollarsADay = ({ day, run }: JobCost) => day?.usd ?? run.usd

function jobLine({ name, run, runsADay, measured }: JobCost): string {
  const often = runsADay === undefined ? 'started by files or by hand' : `${count(runsADay)} a day`
  const how = measured.requests
    ? 'measured'
    : measured.seconds
      ? 'seconds measured, requests as in the example'
      : 'as in the example, until it has run'
  return `${dollars(run.usd)} a run of ${name} (${often}; ${how})`
}

const count = (value: number) => String(Number(value.toPrecision(3)))

/** Small amounts with two digits that say something. */
const dollars = (usd: number) => `$${usd >= 0.1 ? usd.toFixed(2) : Number(usd.toPrecision(2))}`
