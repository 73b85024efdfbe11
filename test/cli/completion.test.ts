import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { writ } from './terminal.ts'

const script = async (shell: string) => {
  const { code, out } = await writ(['completion', shell])
  expect(code).toBe(0)
  return out
}

/** What bash offers for a line whose last word is being written. */
const offered = (completion: string, ...words: string[]): string[] => {
  const program = `${completion}
COMP_WORDS=(writ "$@"); COMP_CWORD=$#
_writ
printf '%s\\n' "\${COMPREPLY[@]}"`
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', program, 'writ', ...words], {
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout.split('\n').filter((word) => word !== '')
}

describe('completion', () => {
  test('of bash is a valid script', async () => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: await script('bash'), encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  test.each<[string[], string[]]>([
    [['ag'], ['agents']],
    [['agents', 'cr'], ['create']],
    [['agents', 'keys', 'r'], ['retire']],
    [['--issuer', 'agents', 'pri'], ['principals']],
    [['--json', 'agents', 'sus'], ['suspend']],
    [['agents', 'create', 'list', '--en'], ['--enrol']],
    [['delegations', 'create', '--for', 'alice', '--al'], ['--allow']],
    [['delegations', 'create', '--for', ''], []],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['nothing', 'list'], []],
  ])('of bash offers for %j: %j', async (words, expected) => {
    const found = offered(await script('bash'), ...words)
    if (words[0] === 'completion') expect(found).toEqual(expect.arrayContaining(['--help']))
    else expect(found).toEqual(expected)
  })

  test.each(['zsh', 'fish'])('of %s is a valid script, where there is one to say so', async (shell) => {
    const { error, status, stderr } = spawnSync(shell, ['-n'], { input: await script(shell), encoding: 'utf8' })
    if (error !== undefined) expect(error.message).toContain('ENOENT')
    else expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  test.each(['bash', 'zsh', 'fish'])('of %s knows every command', async (shell) => {
    const out = await script(shell)
    for (const word of [
      'agents',
      'enrol',
      'action-types',
      'explain',
      'tail',
      'whoami',
      'compromised',
      'for-days',
      'max-uses',
      'delegable',
    ]) {
      expect(out).toContain(word)
    }
  })
})
