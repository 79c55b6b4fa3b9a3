/** What a function that fetches a secret of AWS Secrets Manager says of it: its reference. */
export const AWS_SECRET: unique symbol = Symbol.for('moraine.aws-secret')

/** References of secrets in a part of a definition, without the keys behind `#`. */
export function awsSecretsIn(part: unknown): string[] {
  const seen = new Set<unknown>()
  const found = new Set<string>()
  const look = (value: unknown): void => {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return
    if (seen.has(value)) return
    seen.add(value)
    const reference = (value as { [AWS_SECRET]?: unknown })[AWS_SECRET]
    if (typeof reference === 'string') found.add(secretName(reference))
    for (const one of Object.values(value)) look(one)
  }
  look(part)
  return [...found]
}

/** The name or ARN of a secret, without the key of its JSON. */
export const secretName = (reference: string): string => reference.split('#')[0] as string
