import type { Workgroup } from '../../../define/access/workgroup.js'
import type { Caller } from '../../../query/service/request.js'
import type { QueryService } from '../../../query/service/service.js'
import { invalidRequest } from '../protocol/failure.js'
import { addressIn } from '../s3/store.js'

/** Where results go that name no place. */
const DEFAULT_OUTPUT = 's3://athena-results/'
/** The workgroup whose results are no files; its limits are those of queries that name none. */
const MANAGED = 'managed'

/** A workgroup as clients of Athena see it. */
export interface AthenaWorkgroup {
  name: string
  /** As the query service knows it. */
  group: string
  /** `undefined` where results are managed. */
  output: string | undefined
  /** Whether its output takes the place of the client's. */
  isEnforced: boolean
  /** Bytes that one query may read. */
  cutoff: number | undefined
}

/** The workgroups that a caller may use, the one of queries that name none first. */
export function workgroupsOf({ workgroups }: QueryService, caller: Caller): AthenaWorkgroup[] {
  const found = workgroups.of(caller).map(seen)
  const [first] = found
  if (!first || found.some(({ name }) => name === MANAGED)) return found
  return [...found, { ...first, name: MANAGED, output: undefined, isEnforced: true }]
}

function seen({ name, output, enforced, maxScan }: Workgroup): AthenaWorkgroup {
  const own = output !== undefined && addressIn(output) ? output : undefined
  return {
    ...{ name, group: name, cutoff: maxScan },
    output: own ?? DEFAULT_OUTPUT,
    isEnforced: enforced && own !== undefined,
  }
}

/** @throws AwsError for one that is not there, or that the caller may not use. */
export function workgroupOf(
  service: QueryService,
  caller: Caller,
  name: string | undefined,
): AthenaWorkgroup {
  const all = workgroupsOf(service, caller)
  // Clients name `primary` where their users name none.
  const isUsual = name === undefined || name === 'primary'
  const found = all.find((one) => one.name === name) ?? (isUsual ? all[0] : undefined)
  if (!found) throw invalidRequest(`WorkGroup ${name ?? 'primary'} is not found.`)
  return found
}

export const ENGINE = {
  SelectedEngineVersion: 'AUTO',
  EffectiveEngineVersion: 'Athena engine version 3',
}

export const summary = ({ name: Name, output }: AthenaWorkgroup) => ({
  ...{ Name, State: 'ENABLED', CreationTime: 0, EngineVersion: ENGINE },
  Description: output === undefined ? 'Its results are read by GetQueryResults alone' : '',
})

export const described = (one: AthenaWorkgroup) => ({
  ...summary(one),
  Configuration: {
    ResultConfiguration: one.output === undefined ? {} : { OutputLocation: one.output },
    EnforceWorkGroupConfiguration: one.isEnforced && one.output !== undefined,
    ...{ PublishCloudWatchMetricsEnabled: false, RequesterPaysEnabled: false },
    EngineVersion: ENGINE,
    ManagedQueryResultsConfiguration: { Enabled: one.output === undefined },
    ...(one.cutoff === undefined ? {} : { BytesScannedCutoffPerQuery: one.cutoff }),
  },
})
