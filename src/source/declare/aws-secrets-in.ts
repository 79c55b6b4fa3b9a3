/** What a function that fetches a secret of AWS Secrets Manager says of it: its reference. */
export const AWS_SECRET: unique symbol = Symbol.for('moraine.aws-secret')

/** What a function that reads a variable of the environment says of it: its name. */
export const VARIABLE: unique symbol = Symbol.for('moraine.variable')

/** What a function that reads a secret from a file says of it: the file's path. */
export const SECRET_FILE: unique symbol = Symbol.for('moraine.secret-file')

/** References of secrets in a part of a definition, without the keys behind `#`. */
export const awsSecretsIn = (part: unknown): string[] => [
  ...new Set(markedIn(part, AWS_SECRET).map(secretName)),
]

/** Variables that secrets in a part of a definition are read from. */
export const variablesIn = (part: unknown): string[] => markedIn(part, VARIABLE)

/** Files that secrets in a part of a definition are read from. */
export const secretFilesIn = (part: unknown): string[] => markedIn(part, SECRET_FILE)

type Marking = typeof AWS_SECRET | typeof VARIABLE | typeof SECRET_FILE

function markedIn(part: unknown, mark: Marking): string[] {
  const seen = new Set<unknown>()
  const found = new Set<string>()
  const look = (value: unknown): void => {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return
    if (seen.has(value)) return
    seen.add(value)
    const reference = (value as { [of in typeof mark]?: unknown })[mark]
    if (typeof reference === 'string') found.add(reference)
    for (const one of Object.values(value)) look(one)
  }
  look(part)
  return [...found]
}

/** The name or ARN of a secret, without the key of its JSON. */
export const secretName = (reference: string): string => reference.split('#')[0] as string
