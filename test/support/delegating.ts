import { createHash, randomBytes } from 'node:crypto'
import { type Browser, formOf } from './browser.ts'
import { type Answer, type Deviation, newClient, oauthRequest, send, type TestClient } from './clients.ts'
import { type People, peopleOf } from './people.ts'

export const CODE = 'authorization_code'
export const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
export const CIBA = 'urn:openid:params:grant-type:ciba'
/** Where nobody listens: a test only looks at where a browser is sent. */
export const REDIRECT = 'https://client.example/cb'

/** An agent that asks a principal, a resource it asks for, and the principal's browser. */
export interface Delegating {
  readonly issuer: string
  readonly people: People
  readonly agent: TestClient
  readonly principal: string
  readonly browser: Browser
  readonly identifier: string
  /** What it asks for: bounds without locations. */
  readonly bounds: readonly object[]
  readonly verifier: string
  /** Parameters of a good authorization request, but for what is changed; undefined removes one. */
  readonly parameters: (change?: Readonly<Record<string, string | undefined>>) => Record<string, string>
  /** Sends the browser to `/authorize` and follows it to where it stops. */
  readonly authorize: (
    change?: Readonly<Record<string, string | undefined>>,
  ) => Promise<Answer & { readonly at: string }>
  /** Sends the form of a page, with what is changed, and follows the browser. */
  readonly answer: (
    page: Answer & { readonly at: string },
    change?: Readonly<Record<string, string | undefined>>,
  ) => Promise<Answer & { readonly at: string }>
  /** From the first request to the code. */
  readonly code: (change?: Readonly<Record<string, string | undefined>>) => Promise<string>
  readonly redeem: (code: string, deviation?: Deviation) => Promise<Answer>
  /** A request of the agent to one of the endpoints, without a proof unless it is asked for. */
  readonly ask: (
    path: string,
    form: Readonly<Record<string, string | undefined>>,
    deviation?: Deviation,
    withProof?: boolean,
  ) => Promise<Answer>
}

const BOUNDS = [
  {
    type: 'email_send',
    to: { $each: { $email_domain: ['example.com', 'example.org'] }, $max_items: 3 },
    subject: { $any: true },
    body: { $any: true },
  },
]

/** Registers a story: names that no other test has. */
export async function delegating(
  server: { readonly issuer: string; readonly admin: TestClient },
  options: { readonly agent?: object; readonly bounds?: readonly object[]; readonly alg?: 'ES256' | 'Ed25519' } = {},
): Promise<Delegating> {
  const { issuer } = server
  const people = await peopleOf(server)
  const tag = randomBytes(5).toString('hex')
  const agent = newClient(`agent-${tag}`, options.alg)
  const identifier = `https://mail-${tag}.example`
  const create = async (path: string, body: object) => {
    const answer = await people.api.call('POST', path, body)
    if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`)
  }
  await create('/admin/agents', {
    ...{ id: agent.id, name: 'Planner', keys: [{ jwk: agent.key.jwk }], redirect_uris: [REDIRECT] },
    grant_types: ['authorization_code', 'device_code', 'ciba'],
    ...options.agent,
  })
  await create('/admin/resources', { id: `mail-${tag}`, identifier, name: 'Mail' })
  const principal = await people.register()
  const browser = await people.signedIn(principal)
  const verifier = randomBytes(32).toString('base64url')
  const bounds = options.bounds ?? BOUNDS
  const parameters: Delegating['parameters'] = (change = {}) => {
    const all: Record<string, string | undefined> = {
      ...{ client_id: agent.id, response_type: 'code', redirect_uri: REDIRECT, state: 'some-state' },
      ...{ code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' },
      ...{ resource: identifier, authorization_details: JSON.stringify(bounds) },
      ...change,
    }
    return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
  }
  const authorize: Delegating['authorize'] = async (change) => {
    const first = `/authorize?${new URLSearchParams(parameters(change))}`
    const page = await browser.follow(await browser.get(first))
    return { ...page, at: page.at === '' ? `${issuer}${first}` : page.at }
  }
  const answer: Delegating['answer'] = async (page, change = {}) => {
    const form = Object.entries({ ...formOf(page), answer: 'allow', ...change })
    const fields = Object.fromEntries(form.filter((entry): entry is [string, string] => entry[1] !== undefined))
    const { pathname } = new URL(page.at)
    const answered = await browser.follow(await browser.post(pathname, fields))
    return { ...answered, at: answered.at === '' ? page.at : answered.at }
  }
  const ask: Delegating['ask'] = (path, form, deviation = {}, withProof = false) => {
    const { url, ...request } = oauthRequest(issuer, path, agent, form, deviation, withProof)
    return send(url, request)
  }
  return {
    ...{ issuer, people, agent, principal, browser, identifier, bounds, verifier, parameters, authorize, answer, ask },
    code: async (change) => {
      const page = await authorize(change)
      const { at } = await answer(page)
      const code = new URL(at).searchParams.get('code')
      if (code === null) throw new Error(`no code: ${at}`)
      return code
    },
    redeem: (code, deviation) =>
      ask('/token', { grant_type: CODE, code, redirect_uri: REDIRECT, code_verifier: verifier }, deviation, true),
  }
}
