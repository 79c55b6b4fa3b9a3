import { existsSync } from 'node:fs'
import { describe } from 'vitest'

/**
 * Tests that need a program which npm does not bring. Where it is missing they are skipped, by
 * name; with MORAINE_SERVICES=required a missing one is a failure.
 */
export function withService(
  name: string,
  paths: readonly (string | undefined)[],
  tests: () => void,
): void {
  const found = paths.every((path) => path !== undefined && existsSync(path))
  if (!found && process.env.MORAINE_SERVICES === 'required')
    throw new Error(`${name} is required here, but was not found: ${paths.join(', ')}`)
  if (found) describe(name, tests)
  else describe.skip(`${name} (not found on this machine)`, tests)
}
