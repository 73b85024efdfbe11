import { describe, expect, test } from 'vitest'
import { redirectUriProblem } from '../../../src/core/agent/redirect-uri.ts'

describe('a redirect URI', () => {
  test.each([
    'https://client.example/cb',
    'https://client.example/cb?tenant=1',
    'https://client.example:8443/',
    'http://localhost:8080/cb',
    'http://127.0.0.1/cb',
    'http://[::1]:9/cb',
    'com.example.app:/oauth/cb',
    'com.example.my-app://cb',
  ])('%s can be one', (uri) => {
    expect(redirectUriProblem(uri)).toBeUndefined()
  })

  test.each([
    ['http://client.example/cb', /http on a loopback/],
    ['http://127.0.0.2/cb', /http on a loopback/],
    ['http://localhost.evil.example/cb', /http on a loopback/],
    ['https://localhost/cb', /use http there/],
    ['https://client.example/cb#x', /fragment/],
    ['https://client.example/cb#', /fragment/],
    ['https://user@client.example/cb', /user information/],
    ['https://user:secret@client.example/cb', /user information/],
    ['https://*.example.com/cb', /host/],
    ["https://a'b.example/cb", /host/],
    ['https://a;b.example/cb', /host/],
    ['javascript:alert(1)', /https/],
    ['data:text/html,x', /https/],
    ['file:///etc/passwd', /https/],
    ['myapp:/cb', /https/],
    ['com.example.app:cb', /https/],
    ['/cb', /absolute/],
    ['//client.example/cb', /absolute/],
    ['https://client.example/a b', /absolute/],
    ['https://cli\u00e9nt.example/cb', /absolute/],
    ['https://client.example/\n', /absolute/],
    ['', /absolute/],
    [`https://client.example/${'x'.repeat(2_048)}`, /2048/],
  ])('%s cannot', (uri, why) => {
    expect(redirectUriProblem(uri)).toMatch(why)
  })
})
