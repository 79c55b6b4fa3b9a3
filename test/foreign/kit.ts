import { execFile, spawn } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from '../support/project.js'

/** The folder of the jars of Iceberg's compatibility kit. */
export const kitJars: string | undefined = process.env.MORAINE_KIT

/** The names of its tests, by how they ended. */
export interface KitReport {
  passed: string[]
  skipped: string[]
  /** With what went wrong. */
  failed: Record<string, string>
}

/**
 * Runs a suite of Iceberg's compatibility kit for REST catalogs against a server.
 *
 * @param folder its own; the suite's temporary files go there, and it names them as locations.
 * @param properties settings of the kit and of its client.
 */
export async function runKit(
  suite: 'Tables' | 'Views',
  folder: string,
  properties: Readonly<Record<string, string>>,
): Promise<KitReport> {
  const [temporary, reports, classes] = ['tmp', 'reports', 'classes'].map((n) => join(folder, n))
  for (const path of [temporary, reports, classes]) await mkdir(path as string, { recursive: true })
  const jars = join(kitJars as string, '*')
  const source = join(repository, 'test/foreign/kit/Kit.java')
  await promisify(execFile)('javac', ['-cp', jars, '-d', classes as string, source])
  const defined = Object.entries({
    'java.io.tmpdir': temporary as string,
    'org.slf4j.simpleLogger.defaultLogLevel': 'off',
    'rck.local': 'false',
    ...properties,
  }).map(([name, value]) => `-D${name}=${value}`)
  const args = [
    ...['-Xmx512m', '-XX:TieredStopAtLevel=1', ...defined, '-cp', `${classes}:${jars}`],
    ...['org.junit.platform.console.ConsoleLauncher', 'execute', '--select-class', `Kit$${suite}`],
    ...['--details=none', '--disable-banner', '--reports-dir', reports as string],
  ]
  const child = spawn('java', args, { stdio: 'ignore' })
  // It fails where a test does.
  await new Promise((done) => child.once('exit', done))
  return reportIn(await readFile(join(reports as string, 'TEST-junit-jupiter.xml'), 'utf8'))
}

function reportIn(xml: string): KitReport {
  const report: KitReport = { passed: [], skipped: [], failed: {} }
  for (const [, attributes = '', body = ''] of xml.matchAll(
    /<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
  )) {
    const name = /\bname="([^"]*)"/.exec(attributes)?.[1] ?? attributes
    const wrong = /<(?:failure|error)\b[\s\S]*?<\/(?:failure|error)>/.exec(body)?.[0]
    if (wrong) report.failed[name] = wrong
    else if (/<skipped\b/.test(body)) report.skipped.push(name)
    else report.passed.push(name)
  }
  return report
}
