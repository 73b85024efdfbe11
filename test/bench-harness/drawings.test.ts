import { describe, expect, test } from 'vitest'
import { type CpuProfile, flameGraph, frames } from '../bench/report/flame-graph.ts'
import { axis, plot } from '../bench/report/plot.ts'
import { machineText, plotsText, replaced, tableText } from '../bench/report/report.ts'

describe('axis', () => {
  test('has round ticks from nothing to beyond the largest value', () => {
    const { ticks, at } = axis([1, 47], [0, 100])
    expect(ticks).toEqual([0, 10, 20, 30, 40, 50])
    expect([at(0), at(25), at(50)]).toEqual([0, 50, 100])
  })

  test('is logarithmic where the values span two powers of ten', () => {
    const { ticks, at } = axis([100, 1_000_000], [0, 400])
    expect(ticks).toEqual([100, 1_000, 10_000, 100_000, 1_000_000])
    expect([at(100), at(10_000), at(1_000_000)]).toEqual([0, 200, 400])
  })
})

test('a plot has a line, its points and a legend for each series, and escapes its words', () => {
  const svg = plot({
    ...{ name: 'a & b', x: 'load', y: 'ms' },
    lines: [
      {
        name: 'ours <p99>',
        points: [
          [1, 2],
          [2, 3],
          [3, 5],
        ],
      },
      { name: 'limit', points: [[1, 1]] },
    ],
  })
  expect(svg).toContain('<title>a &amp; b</title>')
  expect(svg).toContain('ours &lt;p99&gt;')
  expect(svg.match(/<polyline/g)).toHaveLength(2)
  expect(svg.match(/<circle/g)).toHaveLength(4)
  expect(svg).not.toMatch(/NaN|undefined|Infinity/)
})

const callFrame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 9 })
const PROFILE: CpuProfile = {
  nodes: [
    { id: 1, callFrame: callFrame('(root)'), children: [2, 5, 6] },
    { id: 2, callFrame: callFrame('mint', 'file:///x/dist/commands/mint.js'), children: [3, 4] },
    { id: 3, callFrame: callFrame('verify', 'node:crypto') },
    { id: 4, callFrame: callFrame('verify', 'node:crypto') },
    { id: 5, callFrame: callFrame('(idle)') },
    { id: 6, callFrame: callFrame('prepare', 'file:///x/.bench/test/bench/workers/a.js'), children: [7] },
    { id: 7, callFrame: callFrame('sign', 'node:crypto') },
  ],
  samples: [3, 4, 2, 5, 7],
  timeDeltas: [10, 20, 5, 1_000, 500],
}

describe('flame graph', () => {
  test('adds up what ran below each caller, and leaves out what was idle or only prepared', () => {
    const root = frames(PROFILE)
    const mint = root.children.get('mint commands/mint.js:10')
    expect([root.total, mint?.total]).toEqual([35, 35])
    expect([...(mint?.children.values() ?? [])].map(({ name, total }) => [name, total])).toEqual([
      ['verify node:crypto:10', 30],
    ])
  })

  test('draws a box for each, as wide as its time', () => {
    const svg = flameGraph(frames(PROFILE), 'a run')
    expect(svg.match(/<rect x=/g)).toHaveLength(3)
    expect(svg).toContain('verify node:crypto:10 (85.7 %)')
    expect(svg).toMatch(/width="1028\.6"/)
  })

  test('names a package, not the path that it lies at', () => {
    const url = 'file:///x/node_modules/@koa/router/lib/router.js'
    const profile = { ...PROFILE, nodes: [{ id: 3, callFrame: callFrame('match', url) }] }
    expect([...frames(profile).children.keys()]).toEqual(['match @koa/router:10'])
  })
})

describe('report', () => {
  test('replaces what is between its marks and nothing else', () => {
    const page = 'before\n<!-- results -->\nold\n<!-- /results -->\nafter'
    expect(replaced(page, 'results', 'new')).toBe('before\n<!-- results -->\nnew\n<!-- /results -->\nafter')
    expect(() => replaced('no place', 'results', 'new')).toThrow(/no place for "results"/)
  })

  test('has a row and a command for each figure', () => {
    const table = tableText([
      {
        ...{ name: 'mint.core', what: '', at: '', series: [] },
        figures: [{ name: 'mint.core', value: 1.2, unit: '×', goal: { atMost: 1.35 } }],
      },
    ])
    expect(table.split('\n').at(-1)).toBe('| mint.core | 1.2 × | ≤ 1.35 |  |  |  | met | `mint.core` |')
  })

  test('shows the plots that it draws', () => {
    const series = { name: 'latency-against-load', x: 'load', y: 'latency (ms)', lines: [] }
    expect(plotsText([series])).toBe('![latency (ms) against load](images/latency-against-load.svg)')
  })

  test('names the machine', () => {
    const machine = {
      cpu: 'Some CPU',
      cores: 2,
      memoryGb: 23,
      platform: 'linux x64',
      postgres: '17.2',
      revision: 'abc',
    }
    expect(machineText({ ...machine, node: 'v20.19.0' })).toBe(
      'Revision abc, on Some CPU with 2 cores and 23 GB, linux x64, Node.js 20.19.0, PostgreSQL 17.2.',
    )
  })
})
