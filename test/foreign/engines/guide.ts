import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from '../../support/project.js'
import { minioKeys } from '../../support/servers.js'
import type { LakeAddress } from './engine.js'

const page = readFileSync(join(repository, 'docs/guide/other-engines.md'), 'utf8')

/**
 * A block of the guide's page on other engines, as who copies it uses it: with a name, an address
 * and keys of one's own.
 *
 * @param title of the section that has it.
 * @param at which of the section's blocks it is.
 */
export function fromGuide(
  title: string,
  at: number,
  name: string,
  { url, token, example, endpoint = '' }: LakeAddress,
): string {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? ''
  const blocks = [...section.matchAll(/^```\w+\n([\s\S]*?)^```$/gm)]
  const block = blocks[at]?.[1]
  if (block === undefined) throw new Error(`The guide has no block ${at} under ${title}`)
  return block
    .replace(/\blake(?=\b|_)/g, name)
    .replaceAll('gold.daily_revenue', example)
    .replaceAll('http://127.0.0.1:4000/iceberg', url)
    .replaceAll('http://127.0.0.1:9000', endpoint)
    .replaceAll('127.0.0.1:9000', endpoint.replace('http://', ''))
    .replace(/\bTOKEN\b(?! ')/g, token)
    .replaceAll('ACCESS_KEY', minioKeys.AWS_ACCESS_KEY_ID)
    .replaceAll('SECRET_KEY', minioKeys.AWS_SECRET_ACCESS_KEY)
}
