import type { Query } from '../../src/adapters/prisma/open-database.ts'
import { adminApi, newClient, send, type TestClient } from '../support/clients.ts'
import { proof } from '../wire/signing.ts'

/** Makes codes at a server and does with them whatever may be done right or wrong; returns them all. */
export async function useCodes(issuer: string, admin: TestClient): Promise<readonly string[]> {
  const api = await adminApi(issuer, admin)
  await api.call('POST', '/admin/agents', { id: 'planner', name: 'Planner' })
  const path = '/admin/agents/planner/enrolments'
  const codes: string[] = []
  const offer = async (body: object = {}, headers: readonly (readonly [string, string])[] = []) => {
    const answer = await api.call('POST', path, body, headers)
    if (answer.status !== 201) throw new Error(answer.text)
    codes.push(answer.body.code)
    return answer.body as { readonly id: string; readonly code: string }
  }
  const redeem = async (code: unknown, { target = '/enrol', proofs }: { target?: string; proofs?: string[] } = {}) => {
    const url = `${issuer}/enrol`
    const own = proof(newClient('x').key, { method: 'POST', htu: url, now: new Date() })
    const headers = (proofs ?? [own]).map((value) => ['DPoP', value] as const)
    const answer = await send(`${issuer}${target}`, {
      method: 'POST',
      headers: [['Content-Type', 'application/json'], ...headers],
      body: JSON.stringify({ code }),
    })
    if (codes.some((known) => answer.text.includes(known))) throw new Error(`an answer repeats a code: ${answer.text}`)
    return answer.status
  }
  const expectStatus = (status: number, expected: number) => {
    if (status !== expected) throw new Error(`${status}, expected ${expected}`)
  }

  const once = [['Idempotency-Key', 'once']] as const
  const used = await offer({}, once)
  const repeated = await api.call('POST', path, {}, once)
  if (repeated.text.includes(used.code)) throw new Error('a repeat tells the code again')
  expectStatus(await redeem(used.code), 201)
  expectStatus(await redeem(used.code), 400)
  const withdrawn = await offer()
  await api.call('DELETE', `${path}/${withdrawn.id}`)
  expectStatus(await redeem(withdrawn.code), 400)
  expectStatus(await redeem((await offer({ jkt: newClient('y').key.jkt })).code), 400)
  expectStatus(await redeem((await offer()).code, { proofs: ['nonsense'] }), 400)
  expectStatus(await redeem((await offer()).code, { proofs: [] }), 400)
  expectStatus(await redeem([(await offer()).code]), 400)
  // In places where it does not belong, and where servers like to write things down.
  const { code } = await offer()
  await redeem(code, { target: `/enrol?code=${code}` })
  await send(`${issuer}/enrol?code=${code}`)
  await send(`${issuer}/nowhere/${code}`)
  await send(`${issuer}/enrol`, {
    method: 'POST',
    headers: [['Content-Type', 'application/json']],
    body: `{"code":"${code}`,
  })
  await send(`${issuer}/healthz`, { headers: [['X-Request-Id', `${code} with a space`]] })
  return codes
}

/** Every way in which bytes of a code could stand somewhere. */
export const spellings = (code: string): readonly Buffer[] => {
  const bytes = Buffer.from(code, 'base64url')
  const texts = [code, bytes.toString('hex'), bytes.toString('hex').toUpperCase(), bytes.toString('base64')]
  return [bytes, ...texts.map((text) => Buffer.from(text))]
}

/** Every row of every table, as text. */
export async function everyRow(query: Query): Promise<string> {
  const tables = await query<{ name: string }>(
    `SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'`,
  )
  const rows: string[] = []
  for (const { name } of tables) {
    rows.push(`-- ${name}`)
    for (const { row } of await query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)) rows.push(row)
  }
  return rows.join('\n')
}
