/**
 * The texts that stand in code: of templates, what is between their `${}`. Comments and regular
 * expressions are none.
 */
export function textsIn(code: string): string[] {
  const found: string[] = []
  let at = 0
  /** Passes over code to the brace that ends it, or to its end. */
  const inCode = () => {
    let depth = 0
    let before = ''
    while (at < code.length) {
      const char = code[at] as string
      if (char === '}' && depth-- === 0) return
      if (char === '{') depth++
      if (code.startsWith('//', at)) at = ends(code, '\n', at)
      else if (code.startsWith('/*', at)) at = ends(code, '*/', at)
      else if (char === "'" || char === '"') inQuotes(char)
      else if (char === '`') inTemplate()
      else if (char === '/' && !/[\w)\]]/.test(before)) inRegex()
      else at++
      if (!/\s/.test(char)) before = char
    }
  }
  const inQuotes = (quote: string) => {
    const start = ++at
    while (at < code.length && code[at] !== quote) at += code[at] === '\\' ? 2 : 1
    found.push(code.slice(start, at++))
  }
  const inTemplate = () => {
    let text = ''
    for (at++; at < code.length && code[at] !== '`'; ) {
      if (code.startsWith('${', at)) {
        at += 2
        inCode()
        at++
        text += '…'
      } else {
        const width = code[at] === '\\' ? 2 : 1
        text += code.slice(at, at + width)
        at += width
      }
    }
    at++
    found.push(text)
  }
  const inRegex = () => {
    let inClass = false
    for (at++; at < code.length && (inClass || code[at] !== '/') && code[at] !== '\n'; at++) {
      if (code[at] === '\\') at++
      else if (code[at] === '[') inClass = true
      else if (code[at] === ']') inClass = false
    }
    at++
  }
  inCode()
  return found
}

function ends(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from)
  return at < 0 ? text.length : at + mark.length
}
