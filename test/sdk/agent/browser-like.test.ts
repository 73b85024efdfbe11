import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Compiled, compileSources } from '../../support/compile.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld } from '../../support/world.ts'

let server: TestServer
let built: Compiled
beforeAll(async () => {
  built = compileSources('sdk/agent/index', 'sdk/agent/file-key')
  server = await startTestServer()
})
afterAll(async () => {
  built.remove()
  await server.close()
})

/**
 * Loads modules into a realm that has what browsers and Node share, and nothing else: no `process`, no `Buffer`, no module
 * of Node, no package.
 */
const REALM = `
import { readFile } from 'node:fs/promises'
import { createContext, SourceTextModule } from 'node:vm'

const names = ['AbortController', 'AbortSignal', 'Headers', 'Request', 'Response', 'TextDecoder', 'TextEncoder', 'URL',
  'URLSearchParams', 'Uint8Array', 'atob', 'btoa', 'clearTimeout', 'crypto', 'fetch', 'setTimeout']
const context = createContext(Object.fromEntries(names.map((name) => [name, globalThis[name]])))
// As in a browser: fetch is no method of anything else.
context.fetch = function (...request) {
  if (this !== undefined) throw new TypeError('Illegal invocation')
  return fetch(...request)
}
context.given = JSON.parse(process.env.GIVEN)
context.answer = (value) => process.stdout.write(JSON.stringify(value))

const modules = new Map()
function load(specifier, from) {
  if (!/^[.]{0,2}\\//.test(specifier) && !specifier.startsWith('file:')) throw new Error('a browser has no module ' + specifier)
  const url = new URL(specifier, from).href
  if (!modules.has(url)) modules.set(url, readFile(new URL(url), 'utf8').then((source) => moduleOf(source, url)))
  return modules.get(url)
}
const moduleOf = (source, identifier) => new SourceTextModule(source, {
  context,
  identifier,
  importModuleDynamically: async (specifier) => evaluated(await load(specifier, identifier)),
})
async function evaluated(module) {
  if (module.status === 'unlinked') await module.link((specifier, { identifier }) => load(specifier, identifier))
  await module.evaluate()
  return module
}
await evaluated(moduleOf(process.env.PROGRAM, 'file:///program.js'))`

/** Runs a program there, as a process of its own. */
function runInBrowser(
  program: string,
  given: object,
): Promise<{ code: number | null; output: string; errors: string }> {
  const child = spawn(
    process.execPath,
    ['--experimental-vm-modules', '--no-warnings', '--input-type=module', '--eval', REALM],
    { env: { GIVEN: JSON.stringify(given), PROGRAM: program }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const [output, errors]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  return new Promise((resolve) =>
    child.on('close', (code) =>
      resolve({ code, output: Buffer.concat(output).toString(), errors: Buffer.concat(errors).toString() }),
    ),
  )
}

describe('where there is Web Crypto and fetch and no module of Node', () => {
  test.each(['ES256', 'Ed25519'] as const)('the built SDK exchanges, and is refused, with a %s key', async (alg) => {
    const world = await createWorld(server, { alg })
    const jwk = world.agent.key.privateKey.export({ format: 'jwk' })
    const { identifier: resource, action, wish } = world
    const run = await runInBrowser(
      `
      const { createAgent, createKey, importKey, isWritRefusal } = await import(given.sdk)
      const { issuer, id, resource, subjectToken, action } = given
      const agent = createAgent({ issuer, id, key: await importKey(given.jwk) })
      const token = await agent.exchange({ subjectToken, resource, action })
      const refusal = await agent.exchange({ subjectToken, resource, action: { ...action, to: ['eve@evil.example'] } })
      const stranger = createAgent({ issuer, id, key: await createKey({ alg: given.alg }) })
      answer([
        isWritRefusal(token) ? token.description : token.action,
        [refusal.kind, refusal.member],
        (await stranger.exchange({ subjectToken, resource, action })).kind,
      ])`,
      {
        sdk: built.urlOf('sdk/agent/index'),
        issuer: server.issuer,
        ...{ id: world.agent.id, jwk, alg, resource, action, subjectToken: wish.subjectToken },
      },
    )
    expect(run).toMatchObject({ code: 0, errors: '' })
    expect(JSON.parse(run.output)).toEqual([
      { ...action, locations: [resource] },
      ['not_permitted', 'to[0]'],
      'not_authenticated',
    ])
  })

  test('the check would notice a global of Node', async () => {
    const run = await runInBrowser('answer([typeof process, typeof Buffer, typeof require, typeof fetch])', {})
    expect(JSON.parse(run.output)).toEqual(['undefined', 'undefined', 'undefined', 'function'])
  })

  test('the check would notice: keys in files need Node, and say so', async () => {
    const run = await runInBrowser('await import(given.sdk)', { sdk: built.urlOf('sdk/agent/file-key') })
    expect(run.code).toBe(1)
    expect(run.errors).toContain('a browser has no module node:fs')
  })
})
