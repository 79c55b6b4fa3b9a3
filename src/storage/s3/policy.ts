import { MoraineError } from '../../errors.js'
import type { Grant } from '../storage.js'
import type { S3Place } from './settings.js'

/** What a store takes at most for the policy of temporary credentials, in characters. */
const LONGEST = 2048

type Target = Pick<S3Place, 'bucket' | 'prefix' | 'encryption' | 'endpoint'>

/**
 * The session policy of temporary credentials (IAM's language): what they allow at most, whatever
 * the credentials that they stem from do. Nothing in it allows to delete.
 *
 * @throws MoraineError of kind `usage` when a policy can't say it: for folders with characters that
 *   have a meaning in one, and for more folders than fit.
 */
export function policyFor(place: Target, grants: readonly Grant[], region: string): string {
  // Buckets have neither a region nor an account in their names.
  const root = ['arn', partitionOf(region), 's3', '', '', place.bucket].join(':')
  const below = (folder: string) => `${keyOf(place, folder)}/*`
  const arns = (some: readonly Grant[]) => some.map(({ folder }) => `${root}/${below(folder)}`)
  const written = grants.filter(({ may }) => may === 'write')
  const fixed = written.flatMap((grant) =>
    (grant.except ?? []).map((ending) => `${arns([grant])[0]}${checked(ending)}`),
  )
  const statements = [
    allow('s3:GetObject', arns(grants)),
    allow(
      ['s3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
      arns(written),
    ),
    {
      ...allow('s3:ListBucket', written.length > 0 ? [root] : []),
      Condition: { StringLike: { 's3:prefix': written.map(({ folder }) => below(folder)) } },
    },
    { ...allow('s3:PutObject', fixed), Effect: 'Deny' },
    ...encryption(place),
  ].filter(({ Resource }) => Resource.length > 0)
  const policy = inAscii(JSON.stringify({ Version: '2012-10-17', Statement: statements }))
  if (policy.length <= LONGEST) return policy
  throw new MoraineError(
    'usage',
    `Temporary credentials cannot cover ${grants.length} folders: their policy would have ${policy.length} characters`,
    { hint: `It may have ${LONGEST}.` },
  )
}

const allow = (Action: string | string[], Resource: string[]) => ({
  Effect: 'Allow',
  Action,
  Resource,
})

/** Objects that a key of KMS encrypts can't be read or written without that key. */
function encryption({ encryption: { SSEKMSKeyId: key }, endpoint }: Target) {
  if (key === undefined || endpoint !== undefined) return []
  const actions = ['kms:Decrypt', 'kms:GenerateDataKey']
  if (key.startsWith('arn:')) return [allow(actions, [key])]
  return [
    {
      ...allow(actions, ['*']),
      Condition: { StringLike: { 'kms:ViaService': ['s3.*.amazonaws.com'] } },
    },
  ]
}

function keyOf({ prefix }: Target, folder: string): string {
  const isBad = (part: string) => part === '' || part === '.' || part === '..'
  if (folder.split('/').some(isBad)) throw cantName(folder)
  return checked(prefix === '' ? folder : `${prefix}/${folder}`)
}

/** What IAM would not take by the letter: wildcards, variables, and what no key should have. */
function checked(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused.
  if (/[*?${}\\\u0000-\u001f\u007f]/.test(text) || !text.isWellFormed()) throw cantName(text)
  return text
}

const cantName = (text: string) =>
  new MoraineError('usage', `Temporary credentials cannot be limited to ${JSON.stringify(text)}`, {
    hint: 'A policy gives a meaning to some characters of its name, such as * and ?.',
  })

/** A policy is told with the characters of ASCII alone, which JSON can. */
const inAscii = (json: string) =>
  json.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'
}
