import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { administer, expectRefused } from '../http/oauth/answers.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  const first = await createWorld(server)
  await administer(first, 'POST', '/admin/action-types', {
    type: 'file_read',
    title: 'Read a file',
    schema: {
      type: 'object',
      properties: { path: { type: 'string', maxLength: 4_096 } },
      required: ['path'],
      additionalProperties: false,
    },
    template: 'Read {path}',
    risk: 'read',
  })
  world = await createWorld(server, {
    bounds: [
      { type: 'http_request', method: 'GET', url: { $url_within: 'https://api.example/v1/' } },
      { type: 'email_send', to: { $each: { $email_domain: ['example.com'] }, $max_items: 9 }, subject: 'a', body: 'b' },
      { type: 'file_read', path: { $path_within: '/data' } },
    ],
  })
})
afterAll(() => server.close())

/** Neither made canonical nor passed on: whoever runs the action would read something else than was compared. */
async function expectNo(action: unknown): Promise<void> {
  const answer = await world.exchange({}, { action })
  expect(['invalid_authorization_details', 'access_denied'], JSON.stringify(action)).toContain(answer.body.error)
  expectRefused(answer, 400, answer.body.error)
}

async function expectYes(action: unknown): Promise<void> {
  const answer = await world.exchange({}, { action })
  expect(answer.status, `${JSON.stringify(action)} ${answer.text}`).toBe(200)
}

describe('URLs', () => {
  const get = (url: string) => ({ type: 'http_request', method: 'GET', url })
  test.each([
    'https://api.example/v1/',
    'https://api.example/v1/notes/7',
    'https://api.example/v1/a%20b',
    'https://api.example/v1/..a',
  ])('%s is inside', (url) => expectYes(get(url)))
  test.each([
    'https://api.example/v1',
    'https://api.example/v1/../admin',
    'https://api.example/v1/./a',
    'https://api.example/v1/%2e%2e/admin',
    'https://api.example/v1/%2E%2E/admin',
    'https://api.example/v1/..%2fadmin',
    'https://api.example/v1/%2fadmin',
    'https://api.example/v1/a%5c..%5cb',
    'https://api.example/v1/a\\..\\b',
    'https://api.example/v1//admin',
    'https://api.example/v1/a%00',
    'https://api.example/v1/%252e%252e/admin',
    'https://api.example/v1/a?admin=true',
    'https://api.example/v1/a?',
    'https://api.example/v1/a#b',
    'https://api.example/v1/a b',
    'https://api.example/v1/ñ',
    'https://api.example/v1/\ta',
    ' https://api.example/v1/a',
    'https://api.example:443/v1/a',
    'https://API.example/v1/a',
    'HTTPS://api.example/v1/a',
    'http://api.example/v1/a',
    'https://api.example:8443/v1/a',
    'https://api.example./v1/a',
    'https://user@api.example/v1/a',
    'https://api.example@evil.example/v1/a',
    'https://api.example.evil.example/v1/a',
    'https://evil.example/v1/',
    'https:/api.example/v1/a',
    'https:api.example/v1/a',
    '//api.example/v1/a',
    '/v1/a',
    'https://api.example/V1/a',
    'javascript:alert(1)//https://api.example/v1/',
    'https://xn--/v1/a',
    'https://ａpi.example/v1/a',
  ])('%j is not', (url) => expectNo(get(url)))
})

describe('addresses', () => {
  const mail = (to: string) => ({ type: 'email_send', to: [to], subject: 'a', body: 'b' })
  test.each(['bob@example.com', 'bob.smith+tag@example.com', "o'brien@example.com"])('%s is inside', (to) =>
    expectYes(mail(to)),
  )
  test.each([
    'bob@Example.com',
    'bob@EXAMPLE.COM',
    'bob@example.com.',
    'bob@sub.example.com',
    'bob@example.com.evil.example',
    'bob@evil.example,example.com',
    'bob@evil.example, bob@example.com',
    'bob@example.com,eve@evil.example',
    'bob@evil.example@example.com',
    'bob%evil.example@example.com',
    'evil.example!bob@example.com',
    '@evil.example:bob@example.com',
    '"bob@evil.example"@example.com',
    '"bob"@example.com',
    'Bob <bob@example.com>',
    'bob(comment)@example.com',
    'bob @example.com',
    ' bob@example.com',
    'bob@example.com ',
    'bob@example.com\n',
    'bob@example.com\r\nBcc: eve@evil.example',
    '.bob@example.com',
    'bob.@example.com',
    'bo..b@example.com',
    'bob@[127.0.0.1]',
    'bob@exаmple.com',
    'bób@example.com',
    'bob@example。com',
    `${'b'.repeat(65)}@example.com`,
    '@example.com',
    'example.com',
    '',
  ])('%j is not', (to) => expectNo(mail(to)))
})

describe('paths', () => {
  const read = (path: string) => ({ type: 'file_read', path })
  test.each(['/data/a', '/data/a/b.txt', '/data/..a', '/data/a b'])('%s is inside', (path) => expectYes(read(path)))
  test.each([
    '/data/../etc/passwd',
    '/data/./a',
    '/data//a',
    '/data/a/',
    '/data/..',
    '/data/a\\..\\b',
    '/database',
    '/DATA/a',
    'data/a',
    '../data/a',
    '/etc/passwd',
    '/',
    '',
    '//data/a',
    '~/data/a',
    'file:///data/a',
  ])('%j is not', (path) => expectNo(read(path)))
})
