import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfig } from '../src/config.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-config-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const RIGHT = {
  ...{ name: 'corp', title: 'Corp', issuer: 'https://login.example.com', clientId: 'writ', clientSecret: 'secret' },
  principal: { claim: 'email', equals: 'email' },
}
function read(upstream: readonly object[], more: object = {}) {
  const path = join(folder, 'config.json')
  writeFileSync(path, JSON.stringify({ upstream, ...more }))
  return readConfig({ WRIT_CONFIG: path })
}

describe('an upstream provider in the configuration', () => {
  test('is read, and its secret from a file beside the config file', () => {
    expect(read([RIGHT]).upstream).toEqual([{ ...RIGHT, scope: 'openid email' }])
    writeFileSync(join(folder, 'corp.secret'), 'from a file\n')
    const { clientSecret: _, ...without } = RIGHT
    expect(read([{ ...without, clientSecretFile: 'corp.secret' }]).upstream[0]).toMatchObject({
      clientSecret: 'from a file',
    })
    writeFileSync(join(folder, 'corp.jwk'), '{"kty":"EC"}')
    expect(read([{ ...without, privateKeyFile: join(folder, 'corp.jwk') }]).upstream[0]?.privateKey).toBe(
      '{"kty":"EC"}',
    )
    expect(() => read([{ ...without, clientSecretFile: 'none' }])).toThrow('upstream.corp')
  })

  test.each<[string, object]>([
    ['by http', { issuer: 'http://login.example.com' }],
    ['with a query', { issuer: 'https://login.example.com/?a=b' }],
    ['with a user', { issuer: 'https://me@login.example.com' }],
    ['that is no URL', { issuer: 'login.example.com' }],
    ['at a decimal address', { issuer: 'http://2130706433' }],
    ['at an octal address', { issuer: 'http://0177.0.0.1' }],
    ['at a hexadecimal address', { issuer: 'https://0x7f.1' }],
    ['of another form', { issuer: 'https://LOGIN.example.com' }],
    ['without a secret', { clientSecret: undefined }],
    ['with two secrets', { clientSecretFile: 'corp.secret' }],
    ['without openid', { scope: 'email' }],
    ['with a name that is no segment of a path', { name: '../x' }],
    ['with a title of two lines', { title: 'a\nb' }],
    ['with a rule for something else', { principal: { claim: 'email', equals: 'name' } }],
    ['with a member that nobody knows', { pkce: false }],
  ])('%s stops the start', (_, change) => {
    expect(() => read([{ ...RIGHT, ...change }])).toThrow(/upstream|unknown configuration key/)
  })

  test('may not be named twice, nor its issuer', () => {
    expect(() => read([RIGHT, { ...RIGHT, issuer: 'https://other.example.com' }])).toThrow('two have the same name')
    expect(() => read([RIGHT, { ...RIGHT, name: 'other' }])).toThrow('two have the same issuer')
  })

  test('may be on this machine in development, and nowhere else', () => {
    const local = { ...RIGHT, issuer: 'http://localhost:4000' }
    expect(read([local]).upstream).toHaveLength(1)
    const production = { production: true, issuer: 'https://as.example', allowEmbeddedDatabase: true }
    expect(() => read([local], production)).toThrow('must be https in production')
  })
})
