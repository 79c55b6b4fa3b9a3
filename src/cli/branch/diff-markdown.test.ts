import { expect, it } from 'vitest'
import { OwnSecrets } from '../../secrets.js'
import { plain } from './diff-markdown.js'

it('a text in a comment links to nobody and nothing, once its escapes are gone', () => {
  const text = plain(
    '@team of https://evil.example, www.evil.example: #12, !7, ~bug **b** <img> a|b',
  )
  // What is left where names are looked for: without Markdown's escapes, with HTML's characters.
  const shown = text.replace(/\\([\\`*_{}[\]()#+!|~])/g, '$1').replaceAll('&#8203;', '\u200b')
  expect(shown).not.toMatch(/@\w|#\d|!\d|~\w|:\/\/|www\./)
  expect(shown.replaceAll('\u200b', '')).toBe(
    '@team of https://evil.example, www.evil.example: #12, !7, ~bug **b** &lt;img&gt; a|b',
  )
  expect(text).toContain('\\*\\*b\\*\\*')
  new OwnSecrets().hide('p@ss_word#1')
  expect(plain('FATAL: p@ss_word#1 is wrong')).toBe('FATAL: \\*\\*\\* is wrong')
  expect(plain('1% of 5 & more!')).toBe('1% of 5 &amp; more\\!')
})
