import { readdirSync, readFileSync } from 'node:fs'
import { basename, posix } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Which folder under src/ may import which. `ports` is the file; files directly in src/ wire things up and see all. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: ['core'],
  wire: ['wire', 'core'],
  commands: [
    'commands',
    'core',
    'ports',
    'admin-ports',
    'chain-ports',
    'attestation-ports',
    'introspection-ports',
    'approval-ports',
    'consent-ports',
    'people-ports',
    'me-ports',
  ],
  http: ['http', 'commands', 'core', 'wire'],
  adapters: [
    'adapters',
    'core',
    'wire',
    'ports',
    'admin-ports',
    'chain-ports',
    'attestation-ports',
    'introspection-ports',
    'approval-ports',
    'consent-ports',
    'people-ports',
    'me-ports',
  ],
  sdk: ['sdk', 'wire', 'core'],
  gateway: ['gateway', 'sdk', 'wire', 'core'],
  cli: ['cli', 'core', 'sdk'],
  console: ['console', 'core', 'sdk'],
}

/** The packages a folder may use; `node:` alone stands for every built-in module. A folder not named here may use any. */
const MAY_USE: Record<string, readonly string[]> = {
  core: ['zod', 'ajv', 'canonicalize', 're2js'],
  wire: ['zod', 'jose', 'node:crypto', 'node:buffer'],
  commands: [],
  http: ['koa', '@koa/router', 'oidc-provider', 'lru-cache', 'zod', 'node:'],
  sdk: ['node:'],
}

/** What single files may use beyond their folder. */
const EXCEPTIONS: Record<string, readonly string[]> = { 'core/hash.ts': ['node:crypto'] }

/** Core is handed time and chance, and knows no environment. */
const AMBIENT = /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bprocess\.|\bfetch\(|\bperformance\.now\b/

const MAX_LINES = 400

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts') && !path.includes('/generated/'))

/** Every module that a source names, in whatever way: import, import type, export from, dynamic import, bare import. */
function importsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  const named = /(?:\bfrom|\bimport)\s*(?:\(\s*)?(['"`])([^'"`\n]+)\1/g
  return [...code.matchAll(named)].map((match) => match[2] ?? '')
}

/** What is wrong with one file's imports, one sentence each. */
function violations(file: string, source: string): string[] {
  const folder = file.includes('/') ? file.slice(0, file.indexOf('/')) : undefined
  if (folder === undefined) return []
  const mayImport = MAY_IMPORT[folder]
  if (mayImport === undefined) return [`src/${folder}/ is not in the table: say what it may import`]
  return importsOf(source).flatMap((target) => {
    if (target.startsWith('.')) {
      if (!/\.(ts|json)$/.test(target)) return [`${target}: write the ending`]
      const path = posix.normalize(posix.join(posix.dirname(file), target))
      const to = path.split('/')[0]?.replace(/\.ts$/, '') ?? ''
      return mayImport.includes(to) ? [] : [`${folder} may not import ${path}`]
    }
    const mayUse = [...(MAY_USE[folder] ?? [target]), ...(EXCEPTIONS[file] ?? [])]
    const isAllowed = mayUse.some((allowed) =>
      allowed === 'node:' ? target.startsWith('node:') : target === allowed || target.startsWith(`${allowed}/`),
    )
    return isAllowed ? [] : [`${file} may not use ${target}`]
  })
}

describe('every source file', () => {
  test('there are some', () => {
    expect(sources.length).toBeGreaterThan(20)
  })

  test.each(sources)('%s imports only inwards', (file) => {
    const source = readFileSync(`src/${file}`, 'utf8')
    expect(violations(file, source)).toEqual([])
    if (file.startsWith('core/')) expect(source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')).not.toMatch(AMBIENT)
  })

  test.each(sources)('%s is one concept of a readable size, named by it', (file) => {
    const source = readFileSync(`src/${file}`, 'utf8')
    expect(source.split('\n').length - 1).toBeLessThanOrEqual(MAX_LINES)
    expect(source).not.toMatch(/^export default\b|^export \{[^}]*\bas default\b/m)
    expect(file).toMatch(/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/)
    expect(file.split('/').map((part) => basename(part, '.ts'))).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(utils?|helpers?|common|misc|shared|lib)$/)]),
    )
  })
})

describe('the check itself', () => {
  test.each([
    ['core/a.ts', `import { b } from '../commands/b.ts'`],
    ['core/a.ts', `import type { B } from '../ports.ts'`],
    ['core/a.ts', `import { createHash } from 'node:crypto'`],
    ['core/a.ts', `export { b } from '../wire/b.ts'`],
    ['core/a.ts', `export * from "../wire/b.ts"`],
    ['core/deep/er/a.ts', `const b = await import('../../../adapters/b.ts')`],
    ['core/a.ts', `import '../wire/b.ts'`],
    ['core/a.ts', `import {\n  one,\n  two,\n} from '../http/b.ts'`],
    ['core/a.ts', `import { b } from './b'`],
    ['core/a.ts', `type B = import('../http/b.ts').B`],
    ['commands/a.ts', `import Koa from 'koa'`],
    ['commands/a.ts', `import { z } from 'zod'`],
    ['commands/a.ts', `import { b } from '../adapters/b.ts'`],
    ['http/a.ts', `import { PrismaClient } from '../adapters/prisma/generated/client.ts'`],
    ['http/a.ts', `import pg from 'pg'`],
    ['adapters/a.ts', `import { b } from '../http/b.ts'`],
    ['sdk/resource/a.ts', `import { b } from '../../ports.ts'`],
    ['sdk/resource/a.ts', `import { z } from 'zod'`],
    ['elsewhere/a.ts', ''],
  ])('%s with %s is refused', (file, source) => {
    expect(violations(file, source)).toHaveLength(1)
  })

  test.each([
    ['core/hash.ts', `import { createHash } from 'node:crypto'`],
    ['core/a.ts', `import type { B } from './deep/b.ts'\nimport Ajv2020 from 'ajv/dist/2020.js'`],
    ['core/a.ts', `// import { b } from '../http/b.ts'\n/* from '../http/b.ts' */`],
    ['commands/a.ts', `import type { B } from '../ports.ts'`],
    ['adapters/prisma/a.ts', `import { PrismaClient } from './generated/client.ts'\nimport pg from 'pg'`],
    ['http/a.ts', `import Koa from 'koa'\nimport { Buffer } from 'node:buffer'`],
    ['server.ts', `import { a } from './adapters/a.ts'\nimport { b } from './http/b.ts'`],
  ])('%s with %s passes', (file, source) => {
    expect(violations(file, source)).toEqual([])
  })
})
