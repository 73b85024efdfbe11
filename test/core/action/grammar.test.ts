import { describe, expect, test } from 'vitest'
import { parseCanonicalUrl } from '../../../src/core/action/canonical-url.ts'
import { parseEmailAddress } from '../../../src/core/action/email-address.ts'
import { FORMATS } from '../../../src/core/action/formats.ts'

describe('parseEmailAddress', () => {
  test.each(['bob@example.com', "a.b+c'd@x.example", 'B@xn--bcher-kva.example', `${'a'.repeat(64)}@b.example`])(
    'reads %s',
    (text) => {
      expect(parseEmailAddress(text)).toMatchObject({ domain: text.split('@')[1] })
    },
  )
  test.each([
    '',
    '@',
    'bob',
    'bob@',
    '@example.com',
    'bob@Example.com',
    'bob@example.com.',
    'bob@.example.com',
    'bob@example..com',
    'bob@-example.com',
    'bob@example.com ',
    ' bob@example.com',
    'bob@example.com\n',
    'bob@evil.example@example.com',
    'bob%evil.example@example.com',
    'evil.example!bob@example.com',
    '"bob"@example.com',
    '"a@evil.example"@example.com',
    'Bob <bob@example.com>',
    'bob@[127.0.0.1]',
    'bob(x)@example.com',
    '.bob@example.com',
    'bob.@example.com',
    'b..b@example.com',
    'bób@example.com',
    'bob@exämple.com',
    'bob@example.com,eve@example.com',
    'bob@example.com;eve@evil.example',
    `${'a'.repeat(65)}@b.example`,
    `a@${'a'.repeat(64)}.example`,
    `a@${'a.'.repeat(130)}example`,
    'bob\0@example.com',
    'bob@example.com\0',
  ])('does not read %j', (text) => expect(parseEmailAddress(text)).toBeUndefined())
})

describe('parseCanonicalUrl', () => {
  test.each([
    'https://api.example/',
    'http://localhost:3000/a/b',
    'https://api.example/a?b=c%2Fd',
    'https://api.example/a%20b',
    'https://api.example/%C3%A9',
    'https://[::1]/',
  ])('reads %s', (text) => expect(parseCanonicalUrl(text)?.href).toBe(text))
  test.each([
    '',
    'https://api.example',
    'HTTPS://api.example/',
    'https://API.example/',
    'https://api.example:443/',
    'https:/api.example/',
    'https:api.example/',
    '//api.example/',
    'https://api.example/a/../b',
    'https://api.example/./a',
    'https://api.example/%2e%2e/a',
    'https://api.example/a%2fb',
    'https://api.example/a%2Fb',
    'https://api.example/a%5cb',
    'https://api.example/a%00',
    'https://api.example/a%252fb',
    'https://api.example/a//b',
    'https://api.example//',
    'https://api.example/a\\b',
    'https://api.example\\@evil.example/',
    'https://api.example/?\\',
    'https://u@api.example/',
    'https://u:p@api.example/',
    'https://@api.example/',
    'https://api.example/#',
    'https://api.example/#a',
    'ftp://api.example/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'https://exämple.com/',
    'https://0x7f.1/',
    'https://127.1/',
    ' https://api.example/',
    'https://api.example/ ',
    'https://api.example/\t',
    'https://api.example/a\nb',
    'https://api.example/..;/a',
    'https://api.example/.;x/a',
    'https://api.example/%c0%af',
    'https://api.example/%zz',
    `https://api.example/${'a'.repeat(9_000)}`,
  ])('does not read %j', (text) => expect(parseCanonicalUrl(text)).toBeUndefined())
})

describe('FORMATS', () => {
  test.each([
    ['date', '2024-02-29', true],
    ['date', '2023-02-29', false],
    ['date', '1900-02-29', false],
    ['date', '2000-02-29', true],
    ['date', '2024-04-31', false],
    ['date', '2024-00-01', false],
    ['date', '2024-1-1', false],
    ['date-time', '2024-01-01T23:59:59Z', true],
    ['date-time', '2024-01-01T23:59:59.123+02:00', true],
    ['date-time', '2024-01-01T24:00:00Z', false],
    ['date-time', '2024-01-01T23:59:60Z', false],
    ['date-time', '2024-01-01 23:59:59Z', false],
    ['date-time', '2024-01-01T23:59:59', false],
    ['date-time', '2023-02-29T00:00:00Z', false],
    ['date-time', '2024-01-01T00:00:00+24:00', false],
    ['uuid', '123e4567-e89b-12d3-a456-426614174000', true],
    ['uuid', '123e4567e89b12d3a456426614174000', false],
    ['uri', 'urn:isbn:1', true],
    ['uri', 'https://a.example/x', true],
    ['uri', '/relative', false],
    ['uri', 'https://a b/', false],
  ])('%s %s -> %s', (format, text, isValid) => expect(FORMATS[format]?.(text)).toBe(isValid))
})
