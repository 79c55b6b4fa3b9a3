import type { Command } from 'commander'
import { type Rights, readingRights, rightsOf } from '../../../define/access/rights.js'
import type { Lake } from '../../../define/lake.js'
import { MoraineError, messageOf } from '../../../errors.js'
import { importPeer } from '../../../peers.js'
import { QueryService } from '../../../query/service/service.js'
import { redact } from '../../../secrets.js'
import { agentServer } from '../../../serve/mcp/agent-server.js'
import { examples } from '../../examples.js'
import { openProject } from '../../project.js'
import { agentOptions } from '../build/serve-query.js'

export function define(command: Command): Command {
  return command
    .option('--principal <name>', 'what the agent may query: the rights of a principal of lake.ts')
    .option('--workgroup <name>', 'the workgroup whose limits apply to its queries')
    .addHelpText(
      'after',
      `
Reads requests from standard input and writes answers to standard output, as clients of the Model Context Protocol
expect of a program that they start. Nothing that an agent can ask for writes.
${examples(
  ['let Claude Code ask', 'claude mcp add lake -- npx moraine -C ~/shop mcp'],
  ['only what a principal may see', 'moraine mcp --principal analysts'],
)}`,
    )
}

export async function run(command: Command): Promise<number> {
  if (process.stdin.isTTY)
    throw new MoraineError('usage', 'moraine mcp is started by an agent', {
      hint: 'Add it to your client: claude mcp add lake -- npx moraine -C . mcp',
    })
  await using project = await openProject(command)
  const { principal, workgroup } = command.opts<{ principal?: string; workgroup?: string }>()
  const { lake, storage, log } = project
  const caller = callerNamed(lake, principal)
  const service = new QueryService({ storage, log, lake })
  // Standard output is the agent's.
  const onError = (error: unknown) =>
    process.stderr.write(`moraine mcp: ${redact(messageOf(error))}\n`)
  const options = { ...agentOptions(project, service), workgroup, onError }
  const server = await agentServer(options, caller)
  const { StdioServerTransport } = await importPeer('@modelcontextprotocol/sdk')
  try {
    await server.connect(new StdioServerTransport())
    await closedOrStopped(project.stopped())
  } finally {
    await server.close()
    await service.close()
  }
  return 0
}

/** @throws MoraineError of kind `usage` where the lake has no principal of this name. */
function callerNamed({ access = [] }: Lake, name: string | undefined) {
  // Whoever starts it can read the lake's files anyway.
  if (name === undefined) return { name: 'mcp', rights: readingRights as Rights }
  const found = access.find((one) => one.name === name)
  if (found) return { name, rights: rightsOf(found.read, found.write, found.rules) }
  throw new MoraineError('usage', `The lake has no principal ${name}`, {
    hint:
      access.length > 0
        ? `Its principals are: ${access.map((one) => one.name).join(', ')}`
        : 'Define it in access of lake.ts.',
  })
}

/** Resolves once the client has gone. */
function closedOrStopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    process.stdin.once('end', resolve).once('close', resolve)
    signal.addEventListener('abort', () => resolve())
  })
}
