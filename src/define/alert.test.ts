import { expect, it } from 'vitest'
import { alert } from './alert.js'
import { takeMistakes } from './problems/mistakes.js'

const mistakesOf = (call: () => unknown) => {
  takeMistakes()
  call()
  return takeMistakes().map(({ message }) => message)
}

it('refuses what it could not send when it is needed, without showing where it should go', () => {
  const url = "url must be an address that begins with https:// or http://, or secret('env:NAME')"
  for (const wrong of ['not a url', 'ftp://x.example/hunter2', '', 'https://', 'hooks.example/a']) {
    expect(mistakesOf(() => alert.webhook(wrong))).toEqual([
      expect.stringContaining(`alert.webhook(…): ${url}, not `),
    ])
    expect(mistakesOf(() => alert.slack(wrong))[0]).not.toMatch(/hunter2|hooks/)
  }
  for (const wrong of [[], [''], ['  ', 'x'], 'notify'])
    expect(mistakesOf(() => alert.command(wrong as string[]))).toEqual([
      expect.stringContaining('alert.command(…): command must be a list of a program'),
    ])
})

it('takes addresses of requests, secrets and programs', () => {
  const good = () => {
    alert.webhook('http://127.0.0.1:8080/alerts')
    alert.slack('https://hooks.example/services/x')
    alert.slack(() => 'https://hooks.example/services/x')
    alert.command(['sh', '-c', 'cat >> alerts.jsonl'])
  }
  expect(mistakesOf(good)).toEqual([])
})
