import type { Drift } from '../../aws/deploy/cloud/drift.js'
import { type Kept, removalOf } from '../../aws/deploy/destroy.js'
import type { ResourceChange } from '../../aws/deploy/plan/difference.js'
import { type DeployPlan, isIdle } from '../../aws/deploy/plan/plan.js'
import { shown } from '../../aws/deploy/plan/rights.js'
import { nounOf } from '../../aws/deploy/plan/risk.js'
import { sizeText } from '../../define/size.js'
import colors from './colors.js'
import { costLines } from './cost.js'
import { plural } from './format.js'
import { cellsOf } from './table.js'
import { printable } from './terminal.js'

/** Columns that a plan takes at most. */
const WIDTH = 80
/** Lines of a section that are shown; `--json` has all. */
const MOST = 12

/** A plan of a deployment for people, in one look. */
export function deploymentLines(plan: DeployPlan): string[] {
  const { lake, region, comparedWith } = plan
  const head = `${colors.bold(lake)} in ${region}, compared with`
  if (isIdle(plan) && plan.drift.length === 0)
    return [
      ...wrapped(`${head} ${comparedWith}: no changes`),
      ...section('Paused', plan.paused),
      ...section('Cost', costOf(plan)),
      ...section('To do', notesOf(plan)),
    ]
  return [
    ...wrapped(`${head} ${comparedWith}`),
    ...section('Stacks', stackLines(plan)),
    ...section('Data', dataLines(plan)),
    ...section('Schedules', scheduleLines(plan)),
    ...section('Paused', plan.paused),
    ...section('Access', rightLines(plan)),
    ...section('Resources', resourceLines(plan)),
    ...section('Drift', plan.drift.flatMap(driftLines)),
    ...section('Cost', costOf(plan)),
    ...section('To do', notesOf(plan)),
    ...section(
      'Refused',
      plan.dangers.map(({ message, hint }) => `${colors.red('✖')} ${message}. ${hint}`),
    ),
  ]
}

const notesOf = ({ notes }: DeployPlan) =>
  notes.map((one) => `${colors.yellow('!')} ${printable(one)}`)

function section(name: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return []
  const more = lines.length > MOST ? [colors.dim(`… and ${lines.length - MOST} more: --json`)] : []
  return [
    '',
    colors.bold(name),
    ...[...lines.slice(0, MOST), ...more].flatMap((line) => wrapped(`  ${line}`, 4)),
  ]
}

function stackLines({ stacks }: DeployPlan): string[] {
  return stacks
    .filter(({ action, recovery }) => action !== 'none' || recovery !== undefined)
    .map(({ name, action, recovery, status, resources, code }) => {
      const first =
        recovery === 'remake'
          ? `${status}: removed first, as it was never completed; `
          : recovery === 'roll back'
            ? `${status}: its roll-back is completed first; `
            : ''
      const what =
        action === 'create'
          ? `created with ${plural(resources, 'resource')}`
          : action === 'update'
            ? `updated${code ? ', with new code' : ''}`
            : 'unchanged'
      return `${mark(action)} ${name}: ${first}${what}`
    })
}

const mark = (action: string) =>
  action === 'create' || action === 'add'
    ? colors.green('+')
    : action === 'remove'
      ? colors.red('-')
      : action === 'replace'
        ? colors.red('±')
        : colors.yellow('~')

function dataLines({ data }: DeployPlan): string[] {
  const added = data.filter(({ changes }) => changes[0] === 'added')
  const others = data.filter((change) => !added.includes(change))
  const first =
    added.length > 4
      ? [
          `${mark('add')} ${plural(added.length, 'dataset')} (${byTier(added)}): built by the next runs of their jobs`,
        ]
      : added.map(({ dataset, effect }) => `${mark('add')} ${dataset}: ${effect}`)
  return [
    ...first,
    ...others.map(({ dataset, changes, effect }) =>
      changes[0] === 'removed'
        ? `${mark('remove')} ${dataset}: ${effect}`
        : `${mark('change')} ${dataset}: ${[...changes, effect].join('; ')}`,
    ),
  ]
}

/** `24 bronze, 24 silver, 4 gold` */
function byTier(changes: readonly { dataset: string }[]): string {
  const counts = new Map<string, number>()
  for (const { dataset } of changes) {
    const tier = dataset.slice(0, dataset.indexOf('.'))
    counts.set(tier, (counts.get(tier) ?? 0) + 1)
  }
  return [...counts].map(([tier, count]) => `${count} ${tier}`).join(', ')
}

function scheduleLines({ schedules }: DeployPlan): string[] {
  return schedules.map(({ job, before, after }) => {
    if (before === undefined) return `${mark('add')} ${job}: ${after}`
    return after === undefined
      ? `${mark('remove')} ${job}: no longer ${before}`
      : `${mark('change')} ${job}: ${before} → ${after}`
  })
}

/** New roles are told by how many rights they have; changed ones by each of these. */
function rightLines({ rights, resources }: DeployPlan): string[] {
  const isNew = (id: string) =>
    resources.some((change) => change.id === id && change.action === 'add')
  const fresh = rights.filter(({ id }) => isNew(id))
  const count = fresh.reduce((sum, { added }) => sum + added.length, 0)
  const first =
    fresh.length > 0
      ? [
          `${mark('add')} ${plural(fresh.length, 'role')} and ${fresh.length === 1 ? 'policy' : 'policies'} with ${plural(count, 'right')} (an action on a resource; --json lists them)`,
        ]
      : []
  return [
    ...first,
    ...rights
      .filter(({ id }) => !isNew(id))
      .flatMap(({ id, of, added, removed }) => [
        ...added.map((right) => `${mark('add')} ${of ?? id}: ${right}`),
        ...removed.map((right) => `${mark('remove')} ${of ?? id}: ${right}`),
      ]),
  ]
}

/** What is added or removed is counted by kind; what changes is told one by one. */
function resourceLines({ resources }: DeployPlan): string[] {
  const counted = (action: ResourceChange['action']) => {
    const kinds = new Map<string, ResourceChange[]>()
    for (const change of resources.filter((one) => one.action === action))
      kinds.set(change.type, [...(kinds.get(change.type) ?? []), change])
    const texts = [...kinds].map(([type, changes]) =>
      changes.length === 1
        ? `${nounOf(type)} ${changes[0]?.id}`
        : `${changes.length} × ${nounOf(type)}`,
    )
    return texts.length === 0 ? [] : [`${mark(action)} ${texts.join(', ')}`]
  }
  return [
    ...counted('add'),
    ...resources
      .filter(({ action }) => action === 'change' || action === 'replace')
      .map(changeLine),
    ...counted('remove'),
  ]
}

function changeLine({ id, type, action, properties }: ResourceChange): string {
  const texts = properties.map(({ path, before, after }) => {
    const [old, now] = [short(before), short(after)]
    return old.length + now.length > 40 ? path : `${path} ${old} → ${now}`
  })
  const how = action === 'replace' ? ' replaced' : ''
  return `${mark(action)} ${nounOf(type)} ${id}${how}: ${texts.join(', ')}`
}

const short = (value: unknown) => (value === undefined ? 'none' : shown(value))

function driftLines({ id, type, is, properties }: Drift): string[] {
  const what = `${colors.yellow('!')} ${nounOf(type)} ${id} was ${is} outside of Moraine`
  if (is === 'deleted') return [what]
  const texts = properties.map(
    ({ path, expected, actual }) => `${path} is ${actual}, not ${expected}`,
  )
  return [`${what}: ${texts.join(', ')}`]
}

function costOf({ cost: { before, defined, after } }: DeployPlan): string[] {
  const more = before === undefined ? 0 : defined - before
  const change = `${more > 0 ? '+' : '-'}$${Math.abs(more).toFixed(2)} a month by this change`
  return [...(Math.abs(more) >= 0.005 ? [change] : []), ...costLines(after)]
}

/** A text as lines that fit, the second and later set in. */
function wrapped(text: string, indent = 2): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/ (?=\S)/)) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && visible(longer) > WIDTH) {
      lines.push(line)
      line = ' '.repeat(indent) + word.trimStart()
    } else line = longer
  }
  return [...lines, line]
}

/** Cells of a text without what colours it. */
const visible = (text: string) =>
  cellsOf(text.replaceAll(/\u{10fffe}[^\u{10fffe}]*\u{10fffe}\[\d+m/gu, ''))

/** What CloudFormation tells of a resource, on a line. */
export function eventLine(event: { id: string; type: string; status: string }): string {
  const done = event.status.endsWith('_COMPLETE')
  const failed = event.status.endsWith('_FAILED')
  const sign = failed ? colors.red('✖') : done ? colors.green('✔') : colors.dim('·')
  return `${sign} ${nounOf(event.type)} ${printable(event.id)} ${event.status.toLowerCase().replaceAll('_', ' ')}`
}

/** What is removed, what stays and costs, and how that could be removed, too. */
export function removalLines(
  account: string,
  stacks: readonly string[],
  kept: readonly Kept[],
): string[] {
  const first =
    stacks.length === 0
      ? 'Nothing to remove'
      : `To be removed from account ${account}: ${stacks.join(', ')}, with messages in queues and logs`
  const staying = kept.map(({ type, name, objects, month }) => {
    const holds = objects
      ? ` with ${plural(objects.count, 'object')}${objects.more ? ' and more' : ''}, ${sizeText(objects.bytes)}`
      : ''
    const cost = month === undefined ? 'by what it stores' : `$${month.toFixed(2)} a month`
    return `${nounOf(type)} ${name}${holds}: ${cost}`
  })
  return [
    ...wrapped(first),
    ...section('Kept', staying),
    ...section('To remove what is kept, too, with all data', kept.map(removalOf)),
  ]
}
