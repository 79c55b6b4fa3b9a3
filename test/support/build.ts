import { execFileSync } from 'node:child_process'

/** The command line and a query's process run from the build, so tests begin with a fresh one. */
export default function build(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
}
