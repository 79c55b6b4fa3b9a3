/** A text with its control characters replaced, so that data can't steer the terminal. */
export function printable(text: string, replace: (char: string) => string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, replace)
}
