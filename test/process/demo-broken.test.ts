import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { BROKEN, names } from './broken-stories.ts'

const folder = mkdtempSync(join(tmpdir(), 'writ-demo-broken-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What `npm run demo` execs, with a story that is broken in one step. */
function demo(
  name: string,
): Promise<{ readonly status: unknown; readonly stdout: string; readonly temporary: string }> {
  const story = join(folder, `${name}.mjs`)
  writeFileSync(story, `export const steps = ${JSON.stringify(BROKEN[name]?.())}`)
  const temporary = mkdtempSync(join(folder, 'tmp-'))
  const env = { ...process.env, TMPDIR: temporary }
  return new Promise((resolve) => {
    execFile(process.execPath, ['examples/demo/run.mjs', story], { env }, (error, stdout) => {
      resolve({ status: error?.code ?? 0, stdout, temporary })
    })
  })
}

/** Each starts a server of its own, so this takes minutes: it belongs to the long suites. */
describe('npm run demo, broken in one step, exits 1 and says which', () => {
  test.concurrent.each(names)(
    '%s',
    async (name) => {
      const { status, stdout, temporary } = await demo(name)
      expect(stdout).toContain(`The story went wrong at the step "${name}".`)
      expect(stdout).toMatch(new RegExp(`^ {2}✗ ${name} `, 'm'))
      expect(status).toBe(1)
      expect(readdirSync(temporary)).toEqual([])
    },
    300_000,
  )
})
