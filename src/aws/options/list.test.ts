import { expect, it } from 'vitest'
import { takeMistakes } from '../../define/problems/mistakes.js'
import { aws } from './aws.js'

const mistakesOf = (region: string) => {
  takeMistakes()
  aws({ region })
  return takeMistakes()
}

it('refuses a region that can be none, and says which was meant', () => {
  expect(mistakesOf('eu-centrl-1')).toMatchObject([{ hint: "Did you mean 'eu-central-1'?" }])
  expect(mistakesOf('us-est-1')).toMatchObject([{ hint: "Did you mean 'us-east-1'?" }])
  for (const region of ['eu-central-1', 'us-gov-west-1', 'ap-southeast-7', 'us-iso-east-1'])
    expect(mistakesOf(region)).toEqual([])
})
