import { describe, expect, test } from 'vitest'
import { type Figure, judge } from '../bench/harness/bench.ts'
import { type BenchResult, isAllMet, tableRows } from '../bench/harness/results.ts'

describe('judge', () => {
  test.each([
    { value: 0.7, goal: { atLeast: 0.7 }, stretch: { atLeast: 0.8 }, verdict: 'met' },
    { value: 0.699, goal: { atLeast: 0.7 }, verdict: 'missed' },
    { value: 0.8, goal: { atLeast: 0.7 }, stretch: { atLeast: 0.8 }, verdict: 'stretch' },
    { value: 1.35, goal: { atMost: 1.35 }, verdict: 'met' },
    { value: 1.351, goal: { atMost: 1.35 }, verdict: 'missed' },
    { value: 0, goal: { atMost: 0 }, verdict: 'met' },
    { value: 1, goal: { atMost: 0 }, verdict: 'missed' },
    { value: 5, verdict: 'told' },
    { value: 5, stretch: { atMost: 3 }, verdict: 'told' },
    { value: 2, stretch: { atMost: 3 }, verdict: 'stretch' },
    // A division by nothing meets nothing.
    { value: Number.NaN, goal: { atMost: 1 }, verdict: 'missed' },
    { value: Number.NaN, goal: { atLeast: 1 }, verdict: 'missed' },
    { value: Number.NaN, stretch: { atLeast: 1 }, verdict: 'told' },
  ] as const)('$value, goal $goal, stretch $stretch -> $verdict', ({ verdict, ...figure }) => {
    expect(judge(figure)).toBe(verdict)
  })
})

const result = (figures: readonly Figure[], cannotRun?: string): BenchResult => ({
  ...{ name: 'some.bench', what: '', at: '', figures, series: [] },
  ...(cannotRun !== undefined && { cannotRun }),
})
const figure = (value: number): Figure => ({ name: 'some figure', value, unit: '×', goal: { atMost: 2 } })

test('all is met when nothing is missed and everything could run', () => {
  expect(isAllMet([result([figure(1), figure(2)])])).toBe(true)
  expect(isAllMet([result([figure(1), figure(3)])])).toBe(false)
  expect(isAllMet([result([figure(1)]), result([], 'no database')])).toBe(false)
})

test('the table has a row for each figure, and says what could not run', () => {
  const rows = tableRows([
    result([{ ...figure(1.23456), stretch: { atMost: 1.5 }, spread: [1, 1.5], noise: 0.012 }]),
    result([], 'no database'),
  ])
  expect(rows).toMatchObject([
    {
      ...{ figure: 'some figure', measured: '1.235 ×', goal: '≤ 2', stretch: '≤ 1.5' },
      ...{ spread: '1–1.5', noise: '1.2 %', verdict: 'stretch' },
    },
    { figure: 'some.bench', verdict: 'cannot run: no database' },
  ])
})
