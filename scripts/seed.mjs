// Fills a migrated database with agents, delegations and records by COPY, for measurements at size.
//
//   node scripts/seed.mjs --database postgresql://… --agents 1000000 [--delegations 1000000] [--records 10000000]
//     [--keys 100] [--alg ES256|Ed25519] [--keys-file keys.json] [--tag seed]
//
// Every agent has a key; only `--keys` of them, evenly spaced, are real ones, whose private halves are written to the file
// with the names of their agent, principal and delegation, and with the resource server that all delegations are for. Never
// meant for a database that somebody uses: it needs a superuser, and passes triggers and foreign keys by.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import pg from 'pg'

const { values } = parseArgs({
  options: {
    database: { type: 'string' },
    agents: { type: 'string' },
    delegations: { type: 'string' },
    records: { type: 'string', default: '0' },
    keys: { type: 'string', default: '0' },
    alg: { type: 'string', default: 'ES256' },
    'keys-file': { type: 'string' },
    tag: { type: 'string', default: 'seed' },
  },
})
const [agents, records] = [Number(values.agents), Number(values.records)]
const delegations = Number(values.delegations ?? values.agents)
const realKeys = Math.min(Number(values.keys), agents)
const numbers = [agents, delegations, records, realKeys]
if (values.database === undefined || !numbers.every((n) => Number.isSafeInteger(n) && n >= 0) || agents < 1) {
  console.error(
    'usage: node scripts/seed.mjs --database <url> --agents <n> [--delegations <n>] [--records <n>] [--keys <n>]',
  )
  process.exit(1)
}
const { tag, alg } = values
const principals = Math.max(1, Math.floor(agents / 10))
const startedAt = performance.now()

const agentId = (n) => `${tag}-agent-${String(n).padStart(8, '0')}`
const principalId = (n) => `${tag}-principal-${String(n % principals).padStart(8, '0')}`
const delegationId = (n) => `dlg_${tag}-${String(n).padStart(8, '0')}`
const RESOURCE_ID = `${tag}-mail`
const IDENTIFIER = `https://${tag}-mail.example`
const BOUNDS = JSON.stringify([
  {
    type: 'email_send',
    to: { $each: { $email_domain: ['example.com'] }, $max_items: 3 },
    subject: { $any: true },
    body: { $any: true },
  },
])
const DAY = 86_400_000
const now = Date.now()
const at = (time) => new Date(time).toISOString()

const client = new pg.Client({ connectionString: values.database })

async function seedAccounts() {
  const created = at(now - 30 * DAY)
  const resourceKey = makeKey('ES256')
  const identities = [[RESOURCE_ID, 'resource', created]]
  await copy('identity', ['id', 'kind', 'created_at'], function* () {
    yield* identities
    for (let n = 0; n < principals; n++) yield [principalId(n), 'principal', created]
    for (let n = 0; n < agents; n++) yield [agentId(n), 'agent', created]
  })
  await copy(
    'resource',
    ['id', 'identifier', 'identifier_folded', 'name', 'action_types', 'token_lifetime_seconds'],
    () => [[RESOURCE_ID, IDENTIFIER, IDENTIFIER, 'Mail', '{*}', '300']],
  )
  await copy('principal', ['id', 'kind', 'name'], function* () {
    for (let n = 0; n < principals; n++) yield [principalId(n), 'person', `Principal ${n}`]
  })
  await copy('agent', ['id', 'name'], function* () {
    for (let n = 0; n < agents; n++) yield [agentId(n), `Agent ${n}`]
  })
  const real = []
  await copy('key', ['kid', 'owner_id', 'jwk'], function* () {
    yield [resourceKey.kid, RESOURCE_ID, JSON.stringify(resourceKey.publicJwk)]
    for (let n = 0, next = 0; n < agents; n++) {
      // The next of the real ones is due: they are spread evenly over all agents.
      const isReal = next < realKeys && n === Math.floor((next * agents) / realKeys)
      const { kid, publicJwk, privateJwk } = isReal ? makeKey(alg) : fakeKey()
      if (isReal) {
        next++
        real.push({ id: agentId(n), principal: principalId(n), delegation: delegationId(n), jwk: privateJwk })
      }
      yield [kid, agentId(n), JSON.stringify(publicJwk)]
    }
  })
  return { resource: { id: RESOURCE_ID, identifier: IDENTIFIER, jwk: resourceKey.privateJwk }, agents: real }
}

async function seedDelegations() {
  const [created, expires] = [at(now - DAY), at(now + 60 * DAY)]
  const columns = ['id', 'principal_id', 'agent_id', 'resource', 'authorization_details', 'granted_by', 'lineage']
  await withoutIndexes('delegation', delegations, () =>
    copy('delegation', [...columns, 'expires_at', 'created_at'], function* () {
      for (let n = 0; n < delegations; n++) {
        const id = delegationId(n)
        const agent = n % agents
        yield [id, principalId(agent), agentId(agent), IDENTIFIER, BOUNDS, `${tag}-admin`, `{${id}}`, expires, created]
      }
    }),
  )
}

/** A month of issued tokens, all of them expired, in the shape of those that the server writes. */
async function seedRecords() {
  if (records === 0) return
  const columns = [
    'id',
    'at',
    'kind',
    'decision',
    'client',
    'agent',
    'principal',
    'delegation',
    'resource',
    'action_type',
  ]
  const more = ['action_type_version', 'action', 'action_digest', 'claims_digest', 'jti', 'jkt', 'assertion_kid', 'txn']
  const last = ['because', 'token_issued_at', 'token_expires_at', 'request_id']
  const locations = `"locations":["${IDENTIFIER}"]`
  await withoutIndexes('record', records, () =>
    copy('record', [...columns, ...more, ...last], function* () {
      for (let n = 0; n < records; n++) {
        const time = now - 30 * DAY + Math.floor((n / records) * 29 * DAY)
        const random = randomBytes(112)
        const text = (from, bytes) => random.toString('base64url', from, from + bytes)
        const agent = n % agents
        const [digest, kid, txn] = [text(16, 32), text(48, 32), text(80, 16)]
        const action = `{"body":"Hello","subject":"Minutes of ${n}","to":["bob@example.com"],"type":"email_send",${locations}}`
        yield [
          ...[
            uuid7(time, random),
            at(time),
            'action_token',
            'issued',
            agentId(agent),
            agentId(agent),
            principalId(agent),
          ],
          ...[
            delegationId(n % delegations),
            IDENTIFIER,
            'email_send',
            '1',
            action,
            digest,
            digest,
            text(96, 16),
            kid,
            kid,
          ],
          ...[txn, '[0]', at(time), at(time + 60_000), text(0, 16)],
        ]
      }
    }),
  )
}

// --- rows

/** Time, then chance (RFC 9562 §5.7). */
function uuid7(time, random) {
  const bytes = Buffer.alloc(16)
  bytes.writeUIntBE(time, 0, 6)
  random.copy(bytes, 6, 0, 10)
  bytes[6] = (bytes[6] & 0x0f) | 0x70
  bytes[8] = (bytes[8] & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

const DER = { format: 'der', type: 'pkcs8' }

function makeKey(algorithm) {
  const pair =
    algorithm === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  // By way of DER: Node.js 20 may block for ever in the JWK of a key that it has just made, if garbage is collected meanwhile.
  const privateKey = createPrivateKey({ key: pair.privateKey.export(DER), ...DER })
  const publicJwk = createPublicKey(privateKey).export({ format: 'jwk' })
  return { publicJwk, kid: thumbprint(publicJwk), privateJwk: privateKey.export({ format: 'jwk' }) }
}

/** Shaped like a key; nobody holds its private half, and it is a point of no curve. */
function fakeKey() {
  const random = randomBytes(64)
  const half = (from) => random.toString('base64url', from, from + 32)
  const publicJwk =
    alg === 'ES256' ? { kty: 'EC', crv: 'P-256', x: half(0), y: half(32) } : { kty: 'OKP', crv: 'Ed25519', x: half(0) }
  return { publicJwk, kid: thumbprint(publicJwk) }
}

/** (RFC 7638 §3) */
function thumbprint({ kty, crv, x, y }) {
  const members = kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x }
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}

// --- COPY

const CHUNK_CHARACTERS = 256 * 1024

/** COPY … FROM STDIN: what pg calls a submittable query. */
async function copy(table, columns, rows) {
  const list = columns.map((name) => `"${name}"`).join(', ')
  await step(table, async () => {
    let count = 0
    await new Promise((resolve, reject) => {
      const ended = (error) => (error ? reject(error) : resolve())
      client.query({
        submit: (connection) => connection.query(`COPY "${table}" (${list}) FROM STDIN`),
        handleCopyInResponse: async (connection) => {
          try {
            let chunk = ''
            for (const row of rows()) {
              count++
              chunk += `${row.map(escaped).join('\t')}\n`
              if (chunk.length < CHUNK_CHARACTERS) continue
              // Waits until the kernel has taken it: ten million rows do not fit into our memory.
              await new Promise((written, failed) =>
                connection.stream.write(frame(chunk), (error) => (error ? failed(error) : written())),
              )
              chunk = ''
            }
            if (chunk !== '') connection.sendCopyFromChunk(Buffer.from(chunk))
            connection.endCopyFrom()
          } catch (error) {
            connection.sendCopyFail(error.message)
            reject(error)
          }
        },
        handleError: ended,
        handleCommandComplete: () => {},
        handleReadyForQuery: () => ended(),
        handleRowDescription: () => {},
        handleDataRow: () => {},
      })
    })
    return count
  })
}

/** CopyData (PostgreSQL, "Message Formats"). */
function frame(text) {
  const body = Buffer.from(text)
  const head = Buffer.alloc(5)
  head.write('d', 0)
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const escaped = (text) => text.replaceAll('\\', '\\\\')

/** From how many rows on an index is built anew. */
const MANY_ROWS = 100_000

/**
 * Building an index of many rows once is many times cheaper than keeping it up row by row. In one transaction: a run that fails, or
 * is ended meanwhile, leaves the table with its indexes.
 */
async function withoutIndexes(table, count, work) {
  if (count < MANY_ROWS) return work()
  const { rows } = await client.query(
    `SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i
     WHERE i.indrelid = $1::regclass AND NOT i.indisprimary AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)`,
    [`"${table}"`],
  )
  await client.query('BEGIN')
  for (const { name } of rows) await client.query(`DROP INDEX ${name}`)
  await work()
  await step(`indexes of ${table}`, async () => {
    for (const { definition } of rows) await client.query(definition)
    return rows.length
  })
  await client.query('COMMIT')
}

async function step(what, work) {
  const count = await work()
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  console.error(`${what}${typeof count === 'number' ? `: ${count}` : ''} (${seconds} s)`)
}

// --- the whole

await client.connect()
try {
  const { rows } = await client.query("SELECT to_regclass('token_use') AS migrated")
  if (rows[0].migrated === null) throw new Error('the database is not migrated: start the server on it first')
  await client.query('SET session_replication_role = replica')
  await client.query('SET synchronous_commit = off')
  const real = await seedAccounts()
  await seedDelegations()
  await seedRecords()
  // Nobody else does where autovacuum is off, and the plans of an empty table are no plans.
  await step('ANALYZE', () => client.query('ANALYZE'))
  if (values['keys-file'] !== undefined) writeFileSync(values['keys-file'], JSON.stringify(real), { mode: 0o600 })
} finally {
  await client.end()
}
