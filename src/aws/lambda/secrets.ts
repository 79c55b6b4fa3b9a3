import { MoraineError } from '../../errors.js'
import { OwnSecrets } from '../../secrets.js'
import { setUserVariable, variable } from '../../settings.js'
import { awsSecret } from '../../source/declare/aws-secret.js'

/**
 * Gives `lake.ts` the variables that are secrets: their names are in the function's settings, their
 * values in Secrets Manager alone.
 *
 * @param isMeant which of them; all, where nothing is said.
 * @throws MoraineError of kind `source` for one that can't be read.
 */
export async function fetchSecrets(isMeant = (_name: string): boolean => true): Promise<void> {
  const hidden = new OwnSecrets()
  const references = Object.entries(namedSecrets()).filter(([name]) => isMeant(name))
  await Promise.all(
    references.map(async ([name, reference]) => {
      const value = await awsSecret(reference)
      hidden.hide(value)
      setUserVariable(name, value)
    }),
  )
}

function namedSecrets(): Record<string, string> {
  const text = variable('MORAINE_SECRETS')
  if (!text) return {}
  try {
    return JSON.parse(text) as Record<string, string>
  } catch (cause) {
    throw new MoraineError('usage', 'MORAINE_SECRETS is not JSON', {
      cause,
      hint: 'Deploy the lake again: moraine deploy',
    })
  }
}
