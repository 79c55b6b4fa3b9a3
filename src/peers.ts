import { MoraineError, messageOf } from './errors.js'
import { quietAwsSdk } from './settings.js'

interface Modules {
  '@aws-sdk/client-athena': typeof import('@aws-sdk/client-athena')
  '@aws-sdk/client-cloudformation': typeof import('@aws-sdk/client-cloudformation')
  '@aws-sdk/client-glue': typeof import('@aws-sdk/client-glue')
  '@aws-sdk/client-s3': typeof import('@aws-sdk/client-s3')
  '@aws-sdk/client-secrets-manager': typeof import('@aws-sdk/client-secrets-manager')
  '@aws-sdk/client-sqs': typeof import('@aws-sdk/client-sqs')
  '@aws-sdk/client-sts': typeof import('@aws-sdk/client-sts')
  '@aws-sdk/credential-providers': typeof import('@aws-sdk/credential-providers')
  '@modelcontextprotocol/sdk': typeof import('@modelcontextprotocol/sdk/server/mcp.js') &
    typeof import('@modelcontextprotocol/sdk/server/stdio.js') &
    typeof import('@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js')
  jose: typeof import('jose')
  mssql: { default: typeof import('mssql') }
  mysql2: { default: typeof import('mysql2') }
  pg: typeof import('pg')
  'pg-copy-streams': typeof import('pg-copy-streams')
  'trino-client': typeof import('trino-client')
}

export type PeerName = keyof Modules

interface Peer<M> {
  /** As package.json has it. */
  range: string
  /** What needs it, with the verb. */
  need: string
  load: () => Promise<M>
}

/** Client libraries that users install where they need them: the optional peers of package.json. */
const peers: { readonly [N in keyof Modules]: Peer<Modules[N]> } = {
  '@aws-sdk/client-athena': {
    range: '^3.700.0',
    need: 'A query on Athena needs',
    load: () => import('@aws-sdk/client-athena'),
  },
  '@aws-sdk/client-cloudformation': {
    range: '^3.1169.0',
    need: 'Deploying to AWS needs',
    load: () => import('@aws-sdk/client-cloudformation'),
  },
  '@aws-sdk/client-glue': {
    range: '^3.700.0',
    need: 'The catalog of Glue needs',
    load: () => import('@aws-sdk/client-glue'),
  },
  '@aws-sdk/client-s3': {
    range: '^3.700.0',
    need: 'Data in S3 needs',
    load: () => import('@aws-sdk/client-s3'),
  },
  '@aws-sdk/client-secrets-manager': {
    range: '^3.700.0',
    need: 'A secret of AWS needs',
    load: () => import('@aws-sdk/client-secrets-manager'),
  },
  '@aws-sdk/client-sqs': {
    range: '^3.700.0',
    need: 'A queue of SQS needs',
    load: () => import('@aws-sdk/client-sqs'),
  },
  '@aws-sdk/client-sts': {
    range: '^3.700.0',
    need: 'Deploying to AWS needs',
    load: () => import('@aws-sdk/client-sts'),
  },
  '@aws-sdk/credential-providers': {
    range: '^3.700.0',
    need: 'Assuming a role needs',
    load: () => import('@aws-sdk/credential-providers'),
  },
  '@modelcontextprotocol/sdk': {
    range: '^1.32.0',
    need: 'The Model Context Protocol needs',
    load: async () => {
      const [server, http, stdio] = await Promise.all([
        import('@modelcontextprotocol/sdk/server/mcp.js'),
        import('@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'),
        import('@modelcontextprotocol/sdk/server/stdio.js'),
      ])
      return { ...server, ...http, ...stdio }
    },
  },
  jose: {
    range: '^6.1.0',
    need: 'A token of an identity provider needs',
    load: () => import('jose'),
  },
  mssql: {
    range: '^11.0.0 || ^12.0.0',
    need: 'A SQL Server database needs',
    load: () => import('mssql'),
  },
  mysql2: {
    range: '^3.11.0',
    need: 'A MySQL database needs',
    load: () => import('mysql2'),
  },
  pg: {
    range: '^8.13.0',
    need: 'A PostgreSQL database needs',
    load: () => import('pg'),
  },
  'pg-copy-streams': {
    range: '^6.0.6 || ^7.0.0',
    need: 'A PostgreSQL database needs',
    load: () => import('pg-copy-streams'),
  },
  'trino-client': {
    range: '^0.2.9',
    need: 'Gold on Trino needs',
    load: () => import('trino-client'),
  },
}

export const peerNames = Object.keys(peers) as PeerName[]

/**
 * An optional package, loaded when it is first needed.
 *
 * @throws MoraineError of kind `usage` that says what to install, where it is not installed or does
 *   not load.
 */
export async function importPeer<N extends keyof Modules>(name: N): Promise<Modules[N]> {
  // Its word about versions of Node is for whoever installs it, not for every run.
  if (name.startsWith('@aws-sdk/')) quietAwsSdk()
  try {
    return await peers[name].load()
  } catch (cause) {
    const { need, range } = peers[name]
    // What is needed together is installed together.
    const all = Object.entries(peers).filter(([, peer]) => peer.need === need)
    const packages = all.map(([other, peer]) => `"${other}@${peer.range}"`).join(' ')
    const isMissing = (cause as { code?: string }).code === 'ERR_MODULE_NOT_FOUND'
    const broken = isMissing ? '' : `, which does not load: ${messageOf(cause)}`
    throw new MoraineError('usage', `${need} the package ${name} (${range})${broken}`, {
      cause,
      hint: `Install it: npm install ${packages}`,
    })
  }
}
