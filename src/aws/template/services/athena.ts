import { bytesOf } from '../../../define/size.js'
import type { Team } from '../../options/teams.js'
import { type Json, join, type Resource, type Resources, ref } from '../cfn.js'
import { type Context, databasesOf, IDS, keyArn, tagsOf } from '../context.js'
import { idFor, LIMITS, nameFor } from '../names.js'

/** Bytes that a query may read where a team says nothing else. */
const CUTOFF = 100e9
const LEAST_CUTOFF = 10e6

/**
 * A workgroup for each team, whose settings nobody passes over: how much a query reads at most,
 * where results go, and that they are encrypted. Result reuse is asked for by each query.
 */
export function athena(context: Context): Resources {
  const groups = Object.entries(teamsOf(context)).map(([name, team]): [string, Resource] => [
    workgroupId(name),
    workgroup(context, name, team),
  ])
  return { ...Object.fromEntries(groups), ...namedQueries(context) }
}

/** Teams, of which there are none where nothing is said. */
export function teamsOf({ deploy }: Context): Readonly<Record<string, Team>> {
  return deploy.teams ?? {}
}

const workgroupId = (team: string) => `${idFor(team)}Workgroup`
export const workgroupName = ({ prefix }: Context, team: string) =>
  nameFor(prefix, team, LIMITS.workgroup)

function workgroup(context: Context, name: string, team: Team): Resource {
  const key = keyArn(context)
  return {
    Type: 'AWS::Athena::WorkGroup',
    Properties: {
      Name: workgroupName(context, name),
      Description: `Queries of ${name} on the lake ${context.lake.name}`,
      RecursiveDeleteOption: true,
      WorkGroupConfiguration: {
        EnforceWorkGroupConfiguration: true,
        PublishCloudWatchMetricsEnabled: true,
        BytesScannedCutoffPerQuery: bytesOf(team.cutoff ?? '') ?? cutoffIn(context, name) ?? CUTOFF,
        EngineVersion: { SelectedEngineVersion: 'Athena engine version 3' },
        ResultConfiguration: {
          OutputLocation: join('s3://', ref(IDS.results), `/${name}/`),
          EncryptionConfiguration:
            key === undefined
              ? { EncryptionOption: 'SSE_S3' }
              : { EncryptionOption: 'SSE_KMS', KmsKey: key },
        },
      },
      Tags: tagsOf(context),
    },
  }
}

/** What the workgroup of this name lets a query read on `moraine serve --query`. */
function cutoffIn({ lake }: Context, team: string): number | undefined {
  const { maxScan } = lake.workgroups.find(({ name }) => name === team) ?? {}
  // Athena takes no less.
  return maxScan === undefined ? undefined : Math.max(maxScan, LEAST_CUTOFF)
}

/** Questions that people find in the console: the lake's own, of `queries`. */
function namedQueries(context: Context): Resources {
  const [first] = Object.keys(teamsOf(context))
  if (first === undefined) return {}
  const made = Object.entries(context.deploy.queries ?? {}).map(
    ([name, text]): [string, Resource] => [
      `${idFor(name)}Query`,
      {
        Type: 'AWS::Athena::NamedQuery',
        DependsOn: [workgroupId(first)],
        Properties: {
          Name: name,
          Database: databasesOf(context).gold,
          QueryString: text,
          WorkGroup: ref(workgroupId(first)) as Json,
        },
      },
    ],
  )
  return Object.fromEntries(made)
}
