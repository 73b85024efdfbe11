import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { buildProgram } from '../../src/cli/run.ts'
import { writ } from './terminal.ts'

const program = () =>
  buildProgram({
    ...{ env: {}, out: () => undefined, err: () => undefined, isTerminal: false, columns: 100, ask: undefined },
    ...{
      readStdin: async () => '',
      now: () => new Date(),
      stopped: new AbortController().signal,
      maintenance: async () => 0,
      serve: async () => {},
    },
  })

const paths = (command: Command, path: readonly string[] = []): (readonly string[])[] => [
  path,
  ...command.commands.flatMap((sub) => paths(sub, [...path, sub.name()])),
]

describe('help', () => {
  test('there are commands to help with', () => {
    expect(paths(program()).length).toBeGreaterThan(50)
  })

  test.each(paths(program()))('writ %s %s %s --help describes it, with examples that exist', async (...path) => {
    const given = path.filter((word) => typeof word === 'string')
    const { code, out, err } = await writ([...given, '--help'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(new RegExp(`^Usage: ${['writ', ...given].join(' ')}`))
    expect(out.split('\n')[2]).toMatch(/^[A-Zw].{10,}/)
    expect(out).toContain('\nExamples:\n')
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(130)
    const known = new Set(paths(program()).map((words) => words.join(' ')))
    const flags = new Set(out.match(/--[a-z][a-z-]*/g))
    for (const [, words = ''] of (out.split('\nExamples:\n')[1] ?? '').matchAll(/^ {2}writ ([a-z -]+)/gm)) {
      const [first = '', second = ''] = words.split(' ')
      expect(known.has(first) || first.startsWith('--'), words).toBe(true)
      if ((program().commands.find((sub) => sub.name() === first)?.commands.length ?? 0) > 0) {
        expect(known.has(`${first} ${second}`), words).toBe(true)
      }
    }
    expect(flags).toContain('--json')
  })

  test('a group alone shows its commands, and is wrong usage', async () => {
    const { code, out, err } = await writ(['agents'])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain('Commands:')
  })

  test('the version is that of the package', async () => {
    expect(await writ(['--version'])).toEqual({ code: 0, out: '0.1.0\n', err: '' })
  })
})
