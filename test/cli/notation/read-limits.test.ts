import { describe, expect, test } from 'vitest'
import { NotationError } from '../../../src/cli/notation/notation-error.ts'
import { readDelegable, readRate, readSum, windowText } from '../../../src/cli/notation/read-limits.ts'

/** What is said of a text, and the text up to the character that it is said of. */
const mistakeOf = (read: (text: string) => unknown, text: string) => {
  try {
    return { read: read(text) }
  } catch (error) {
    if (!(error instanceof NotationError)) throw error
    return { message: error.message, before: text.slice(0, error.at) }
  }
}

describe('a rate', () => {
  test.each([
    ['10/60s', { seconds: 60, max_uses: 10 }],
    ['1/s', { seconds: 1, max_uses: 1 }],
    ['3/5m', { seconds: 300, max_uses: 3 }],
    ['100/1h', { seconds: 3_600, max_uses: 100 }],
    ['100/h', { seconds: 3_600, max_uses: 100 }],
    ['7/30d', { seconds: 2_592_000, max_uses: 7 }],
  ])('%s', (text, rate) => expect(readRate(text)).toEqual(rate))
  test.each([
    ['10', '10', 'uses/window'],
    ['', '', 'uses/window'],
    ['0/60s', '', 'from 1 on'],
    ['ten/60s', '', 'from 1 on'],
    ['1.5/60s', '', 'from 1 on'],
    ['10/60', '10/', 's, m, h or d'],
    ['10/0s', '10/', 's, m, h or d'],
    ['10/60 s', '10/', 's, m, h or d'],
    ['10/1w', '10/', 's, m, h or d'],
    ['10/', '10/', 's, m, h or d'],
  ])('%j is wrong after %j: %s', (text, before, message) => {
    expect(mistakeOf(readRate, text)).toEqual({ before, message: expect.stringContaining(message) })
  })
})

describe('a sum', () => {
  const [member, per] = ['instructedAmount.amount', 'instructedAmount.currency']
  test.each<[string, object]>([
    ['amount<=500', { member: 'amount', max: '500' }],
    [`${member}<=500.00 per ${per} in 30d`, { member, max: '500.00', per, seconds: 2_592_000 }],
    [`${member}<=500.00 in 1h per ${per}`, { member, max: '500.00', per, seconds: 3_600 }],
    [`  ${member}<=0.01   in  60s `, { member, max: '0.01', seconds: 60 }],
    ['per<=1 per in in 1d', { member: 'per', max: '1', per: 'in', seconds: 86_400 }],
  ])('%s', (text, sum) => expect(readSum(text)).toEqual(sum))
  test.each([
    ['', '', 'member<=amount'],
    ['amount', '', 'member<=amount'],
    ['amount = 5', '', 'member<=amount'],
    ['amount<5', '', 'member<=amount'],
    ['a..b<=5', '', 'names joined by dots'],
    ['to[0].price<=5', '', 'names joined by dots'],
    ['amount<=five', 'amount<=', 'a decimal number'],
    ['amount<=-1', 'amount<=', 'a decimal number'],
    ['amount<=1e3', 'amount<=', 'a decimal number'],
    ['amount<=', 'amount<=', 'a decimal number'],
    ['amount<=5 EUR', 'amount<=5 ', 'per MEMBER or in WINDOW'],
    ['amount<=5 per', 'amount<=5 per', 'per is followed by a member'],
    ['amount<=5 in', 'amount<=5 in', 'in is followed by a window'],
    ['amount<=5 in month', 'amount<=5 in ', 's, m, h or d'],
    ['amount<=5 per a per b', 'amount<=5 per a ', 'per is there twice'],
    ['amount<=5 in 1d in 2d', 'amount<=5 in 1d ', 'in is there twice'],
    ['amount<=5 per $any', 'amount<=5 per ', 'names joined by dots'],
  ])('%j is wrong after %j: %s', (text, before, message) => {
    expect(mistakeOf(readSum, text)).toEqual({ before, message: expect.stringContaining(message) })
  })
})

describe('how far a delegation may be given on', () => {
  test.each<[string, object]>([
    ['0', { max_depth: 0 }],
    ['2', { max_depth: 2 }],
    ['1:helper', { max_depth: 1, agents: ['helper'] }],
    ['7:helper,run-ner_2.x', { max_depth: 7, agents: ['helper', 'run-ner_2.x'] }],
  ])('%s', (text, delegable) => expect(readDelegable(text)).toEqual(delegable))
  test.each([
    ['', '', 'from 0 to 7'],
    ['8', '', 'from 0 to 7'],
    ['helper', '', 'from 0 to 7'],
    ['-1', '', 'from 0 to 7'],
    ['1:', '1:', 'separated by commas'],
    ['1:helper,', '1:helper,', 'separated by commas'],
    ['1:helper, runner', '1:helper,', 'separated by commas'],
    ['1:Helper', '1:', 'separated by commas'],
  ])('%j is wrong after %j: %s', (text, before, message) => {
    expect(mistakeOf(readDelegable, text)).toEqual({ before, message: expect.stringContaining(message) })
  })
})

test.each([
  [1, '1s'],
  [60, '1m'],
  [90, '90s'],
  [3_600, '1h'],
  [86_400, '1d'],
  [2_592_000, '30d'],
])('a window of %i seconds is written %s, and read back', (seconds, text) => {
  expect(windowText(seconds)).toBe(text)
  expect(readRate(`1/${text}`).seconds).toBe(seconds)
})
