import { isPrincipal, isWorkgroup, type Principal, type Workgroup } from '../access/index.js'
import { type Oidc, oidcOptions } from '../access/oidc.js'
import type { Alert } from '../alert.js'
import type { StepEngine } from '../engines/step-engine.js'
import type { Warehouse } from '../export/target.js'
import { warehouses } from '../export/warehouse.js'
import { type QueryLimits, queryLimits, type StepLimits, stepLimits } from '../limits.js'
import type { AnyInput, Deploy } from '../model.js'
import { type Environment, environments, type ReviewPolicy, reviewPolicy } from './environments.js'
import { counting, datasetList, deploy, engine, oneOf, text } from './expected.js'
import { having, needed, type OptionList } from './options.js'

export interface LakeOptions {
  /** The lake's name: lower-case letters, digits, `_` and `-`. */
  name: string
  /** Datasets of the lake; those that they are built from come by themselves. */
  datasets: readonly AnyInput[]
  /** Folder or bucket that holds the lake, relative to the project's folder. Default: `lake`. */
  root?: string
  /**
   * What a run publishes when a step fails: everything that succeeded together with its upstream
   * datasets (`passed`, the default), or nothing (`all`). With `review`, runs read sources on main,
   * and build silver and gold on the branch `review`: `moraine promote review` publishes them.
   */
  publish?: 'passed' | 'all' | 'review'
  /**
   * Other folders for the tables of a layer, below its own: `{ silver: 'silver/staging' }`.
   * Existing tables stay where they are.
   */
  folders?: { readonly silver?: string; readonly gold?: string }
  /** Where `moraine serve` sends alerts. */
  alerts?: readonly Alert[]
  /**
   * Number of failures after which an unreadable file or request stays in quarantine and is not
   * retried automatically. Default: 3.
   */
  quarantineAfter?: number
  /** Limits of queries on the lake, unless the query sets its own. */
  queries?: QueryLimits
  /** Limits of the steps of a run that build silver or gold. */
  steps?: StepLimits
  /**
   * Who may read and write what through `moraine serve`. Once it is there, everything that is not
   * granted is refused; it changes no table.
   */
  access?: readonly Principal[]
  /**
   * An identity provider (OpenID Connect) whose tokens `moraine serve` takes beside those of
   * principals, for principals that say how it names them. It changes no table.
   */
  oidc?: Oidc
  /** Limits of the queries of `moraine serve --query`, by who asks. It changes no table. */
  workgroups?: readonly Workgroup[]
  /**
   * What runs the steps that build silver and gold: `workers(4)` for four processes of this
   * machine. Default: the run's own process. It changes no table.
   */
  engine?: StepEngine
  /**
   * Tables that other databases have as well, kept up to date after each run and by `moraine
   * export`.
   */
  exports?: readonly Warehouse[]
  /** Where `moraine deploy` puts the lake: `aws({ region })`, imported from `moraine/aws`. */
  deploy?: Deploy
  /** Where and on which branch commands work with `--env NAME`. */
  environments?: Readonly<Record<string, Environment>>
  /** What `moraine review` lets pass without anybody's approval. */
  review?: ReviewPolicy
}

export const lakeOptions: OptionList<LakeOptions> = {
  name: needed(text),
  datasets: needed(datasetList),
  root: text,
  publish: oneOf('passed', 'all', 'review'),
  folders: having<NonNullable<LakeOptions['folders']>>({ silver: text, gold: text }),
  alerts: {
    is: 'a list of alerts',
    fits: (value) => Array.isArray(value) && value.every((item) => Array.isArray(item?.on)),
    advise: () => "Write [alert.slack(secret('env:SLACK_URL'))]",
  },
  quarantineAfter: counting,
  queries: having<QueryLimits>(queryLimits),
  steps: having<StepLimits>(stepLimits),
  access: {
    is: 'a list of principals',
    fits: (value) => Array.isArray(value) && value.every(isPrincipal),
    advise: () => "Write [principal('analysts', { token: secret('env:TOKEN'), read: ['gold.*'] })]",
  },
  oidc: oidcOptions,
  workgroups: {
    is: 'a list of workgroups',
    fits: (value) => Array.isArray(value) && value.every(isWorkgroup),
    advise: () => "Write [workgroup('bi', { maxScan: '10GB' })]",
  },
  engine,
  exports: warehouses,
  deploy,
  environments,
  review: having<ReviewPolicy>(reviewPolicy),
}
