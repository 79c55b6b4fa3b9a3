import { MoraineError } from '../../errors.js'

/** What Spark lacks on this machine, by the name that the runner gives it: what to do about it. */
const needs: Readonly<Record<string, { message: string; hint: string }>> = {
  pyspark: {
    message: 'Steps on Spark need the Python package pyspark, and this Python does not have it',
    hint: 'Install it: pip install "pyspark[sql]>=3.5". If another Python has it, set MORAINE_PYTHON to that one, or SPARK_HOME to a distribution of Spark.',
  },
  pyarrow: {
    message: 'Steps on Spark need the Python package pyarrow',
    hint: 'Install it: pip install "pyspark[sql]>=3.5"',
  },
  pandas: {
    message: 'Steps on Spark need the Python package pandas',
    hint: 'Install it: pip install "pyspark[sql]>=3.5"',
  },
  connect: {
    message: 'A cluster that is reached by sc://… needs the client of Spark Connect',
    hint: 'Install it: pip install "pyspark[connect]>=3.5", or pip install pyspark-client',
  },
  java: {
    message: 'Spark needs Java, which is neither on the PATH nor in JAVA_HOME',
    hint: 'Install Java 17 (Debian: apt-get install openjdk-17-jre-headless), or set JAVA_HOME.',
  },
}

/** Why Spark does not start, as an error with what to do. */
export function missingError(what: string, said: string, python: string): MoraineError {
  const need = needs[what]
  if (what === 'master')
    return new MoraineError('engine', `No master of Spark answers at ${said}`, {
      hint: 'Start the cluster, or correct the address: master in spark({ … }), or --engine spark:ADDRESS.',
    })
  if (what === 'server')
    return new MoraineError('engine', `No Spark Connect server answers at ${said}`, {
      hint: 'Start the server, or correct the address: connect in spark({ … }), or --engine spark:sc://HOST:PORT.',
    })
  if (need) return new MoraineError('usage', `${need.message} (${python})`, { hint: need.hint })
  return new MoraineError('engine', `Spark does not start: ${firstWords(said)}`, {
    hint: 'Check the address and the settings in spark({ … }); the cluster must be there, and accept applications.',
  })
}

/** Why a job of Spark has failed, for people. */
export function lossOf(said: string): string {
  const [, host, executor, reason] =
    /\(TID \d+\) \((\S+) executor (\S+)\): ExecutorLostFailure \(.*?\) Reason: (.*)/.exec(said) ??
    []
  if (executor) return `executor ${executor} on ${host} ended: ${reason?.trim()}`
  return `Spark gave up: ${firstWords(said)}`
}

/** Messages of Spark go on with stack traces; those of gRPC have what was said in their details. */
function firstWords(said: string): string {
  const [, details] = /_InactiveRpcError[\s\S]*?^\s*details = "(.+)"$/m.exec(said) ?? []
  if (details) return details
  const lines = said.split('\n').map((line) => line.trim())
  const [first = ''] = lines.filter((line) => line !== '' && !/^(at |Traceback|File )/.test(line))
  const cause = lines.findLast((line) => /^[\w.]*(Error|Exception)\b.*:/.test(line))
  const text = cause && !first.includes(cause) ? `${first} (${cause})` : first
  return text.length > 600 ? `${text.slice(0, 600)}…` : text
}
