import { execFileSync } from 'node:child_process'

/** The command line and a query's process run from the build, so tests begin with a fresh one, unless it is said that they have it. */
export default function build(): void {
  if (process.env.MORAINE_BUILT) return
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
}
