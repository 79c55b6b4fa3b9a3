import { randomBytes } from 'node:crypto'

/**
 * Stands for ESC in what the commands paint themselves; drawn anew in each process, so that no data
 * can hold it.
 */
export const ESC = `\u{10fffe}${randomBytes(8).toString('hex')}\u{10fffe}`

/** Characters that steer a terminal, end a line, or turn the direction of what follows. */
const STEERING = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu
const BUT_LINES = /(?![\n\t])[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

/** A text with what could steer a terminal replaced. */
export function printable(text: string, replace: (char: string) => string = spelled): string {
  return text.replace(STEERING, replace)
}

/** JSON that steers no terminal, with the same meaning. */
export function printableJson(json: string): string {
  return json.replace(BUT_LINES, (char) => `\\u${hex(char, 4)}`)
}

/** What is shown to people: lines and colours of our own stay, all else that steers is spelled. */
export function forTerminal(text: string): string {
  return text.replace(BUT_LINES, spelled).replaceAll(ESC, '\x1b')
}

/**
 * Shows a text to people. All that commands say goes this way; data that are asked for as CSV go as
 * they are.
 */
export function show(text: string, stream: NodeJS.WriteStream = process.stdout): void {
  stream.write(forTerminal(text))
}

/**
 * Writes data as they are, but on a terminal without what steers it; waits for readers that are
 * slow.
 */
export async function writeData(data: string | Uint8Array): Promise<void> {
  const isShown = process.stdout.isTTY && typeof data === 'string'
  if (process.stdout.write(isShown ? forTerminal(data) : data)) return
  await new Promise((resolve) => process.stdout.once('drain', resolve))
}

const spelled = (char: string) => (char <= '\u00ff' ? `\\x${hex(char, 2)}` : `\\u${hex(char, 4)}`)

const hex = (char: string, digits: number) => char.charCodeAt(0).toString(16).padStart(digits, '0')
