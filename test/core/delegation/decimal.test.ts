import { describe, expect, test } from 'vitest'
import { addDecimals, compareDecimals, parseDecimal } from '../../../src/core/delegation/decimal.ts'

const read = (text: string) => parseDecimal(text) ?? { units: -999n, scale: 0 }

describe('decimals', () => {
  test.each(['0', '-1', '1.0', '0.1', '-0.1', '1234567890.0987654321', '1'.repeat(40)])('reads %s', (text) => {
    expect(parseDecimal(text)).toBeDefined()
  })
  test.each([
    '',
    '-',
    '-0',
    '-0.0',
    '00',
    '01',
    '1.',
    '.1',
    '+1',
    '1e1',
    ' 1',
    '1 ',
    '1\n',
    '1,0',
    '１',
    '--1',
    '1.0.0',
    '1'.repeat(41),
  ])('does not read %j', (text) => expect(parseDecimal(text)).toBeUndefined())
  test.each([
    ['1', '1.00', 0],
    ['0.1', '0.10000000000000000000000000000001', -1],
    ['10', '9', 1],
    ['-10', '-9', -1],
    ['9007199254740993', '9007199254740992', 1],
    ['-0.5', '0', -1],
  ])('%s against %s -> %i', (a, b, order) => {
    expect(compareDecimals(read(a), read(b))).toBe(order)
    expect(compareDecimals(read(b), read(a)) + order).toBe(0)
  })
  test('adds exactly', () => {
    expect(addDecimals(read('0.1'), read('0.2'))).toEqual({ units: 3n, scale: 1 })
    expect(addDecimals(read('9007199254740993'), read('0.01'))).toEqual({ units: 900719925474099301n, scale: 2 })
  })
})
