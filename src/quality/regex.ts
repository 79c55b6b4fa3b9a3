/**
 * A JavaScript regular expression in RE2's syntax, with the same matches on texts that hold only
 * ASCII; `undefined` when RE2 can't express it (look-around, back-references) or when it is not
 * certain. Other texts are matched by JavaScript itself.
 */
export function toRe2(regex: RegExp): string | undefined {
  const { source, flags } = regex
  // With `v`, classes may hold others: `[[a-z]&&[^aeiou]]`.
  if (/[myv]/.test(flags) || !isAscii(source)) return undefined
  const body = translate(source, flags.includes('s'))
  return body === undefined ? undefined : `${flags.includes('i') ? '(?i)' : ''}${body}`
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false
  return true
}

const SPACE = '\\t\\n\\v\\f\\r '

function translate(source: string, dotAll: boolean): string | undefined {
  let out = ''
  let inClass = false
  for (let i = 0; i < source.length; i++) {
    const char = source[i] as string
    if (char === '\\') {
      const escaped = translateEscape(source, i, inClass)
      if (!escaped) return undefined
      out += escaped.text
      i += escaped.length - 1
    } else if (inClass) {
      if (char === ']') inClass = false
      out += char === '[' ? '\\[' : char
    } else if (char === '[') {
      if (/^\[\^?\]/.test(source.slice(i))) return undefined
      inClass = true
      out += char
      if (source[i + 1] === '^') {
        out += '^'
        i++
      }
    } else if (char === '(' && source[i + 1] === '?') {
      const group = /^\(\?(:|<[A-Za-z]\w*>)/.exec(source.slice(i))
      if (!group) return undefined
      out += group[1] === ':' ? '(?:' : '('
      i += group[0].length - 1
    } else if (char === '{') {
      const bounds = /^\{(\d+)(?:,(\d*))?\}/.exec(source.slice(i))
      if (!bounds || Number(bounds[1]) > 1000 || Number(bounds[2] ?? 0) > 1000) return undefined
      out += bounds[0]
      i += bounds[0].length - 1
    } else if (char === '.') out += dotAll ? '(?s:.)' : '[^\\n\\r]'
    else if (char === '$') out += '\\z'
    else if (char === '^') out += '\\A'
    else out += char
  }
  return out
}

function translateEscape(source: string, at: number, inClass: boolean) {
  const rest = source.slice(at)
  const char = rest[1] ?? ''
  const keep = { text: rest.slice(0, 2), length: 2 }
  if (/[dDwW]/.test(char)) return keep
  if (char === 's') return { text: inClass ? SPACE : `[${SPACE}]`, length: 2 }
  if (char === 'S') return inClass ? undefined : { text: `[^${SPACE}]`, length: 2 }
  if (/[bB]/.test(char)) return inClass ? undefined : keep
  if (/[nrtfv]/.test(char)) return keep
  const hex = /^\\x([0-7][0-9a-fA-F])/.exec(rest) ?? /^\\u00([0-7][0-9a-fA-F])/.exec(rest)
  if (hex) return { text: `\\x${hex[1]}`, length: hex[0].length }
  return /[^A-Za-z0-9_\s]/.test(char) ? keep : undefined
}
