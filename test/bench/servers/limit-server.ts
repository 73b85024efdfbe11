import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { groupedInsert } from './grouped-insert.ts'

/**
 * The limit: what no server that does this cryptography in Node can be cheaper than.
 *
 * `node limit-server.js <verifies> <signs> <response bytes> [database URL]`: node:http, the body read and parsed as a form, so
 * many synchronous signature operations with prepared keys, an answer of that size. Nothing else; with a database, one row
 * that was committed before the answer, together with those of the requests that came at the same time.
 */
const [verifies = 0, signs = 0, responseBytes = 0] = process.argv.slice(2, 5).map(Number)
const [databaseUrl] = process.argv.slice(5)

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signing = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
const verifying = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
const signed = Buffer.from('x'.repeat(400))
const signature = sign('sha256', signed, signing)
const answer = JSON.stringify({ access_token: 'x'.repeat(Math.max(0, responseBytes - '{"access_token":""}'.length)) })
const insert = databaseUrl === undefined ? undefined : await groupedInsert(databaseUrl)

// As long as ours, or longer: connections of an open loop rest.
const server = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const form = new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
  let isGood = form.has('grant_type') || form.has('token')
  for (let i = 0; i < verifies; i++) isGood = verify('sha256', signed, verifying, signature) && isGood
  await insert?.(answer)
  for (let i = 0; i < signs; i++) sign('sha256', signed, signing)
  response.writeHead(isGood ? 200 : 400, {
    'Content-Type': 'application/json; charset=utf-8',
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(answer),
  })
  response.end(answer)
})
server.listen(0, '127.0.0.1', () => console.log(`listening on ${(server.address() as AddressInfo).port}`))
process.once('SIGTERM', () => process.exit(0))
