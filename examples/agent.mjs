// An agent, whole: a key that stays where it is, an enrolment, a delegation, one mail. `first-token.mjs` has the mail API.
//
//   ENROLMENT_CODE=… node examples/agent.mjs bob@example.com      the first time, with the code from an administrator
//   node examples/agent.mjs bob@example.com                       from then on
//
// It exits 0 when the mail was sent, 1 when it was not, 2 when something broke.
import { readFile, writeFile } from 'node:fs/promises'
import { createAgent, enrol, explainRefusal, isWritRefusal, refusalOf, WritFault } from 'writ/agent'
import { loadOrCreateKey } from 'writ/agent/file-key'

const issuer = process.env.WRIT_ISSUER ?? 'http://localhost:3000'
const folder = process.env.AGENT_DIR ?? '.agent'
const [to = 'bob@example.com'] = process.argv.slice(2)

try {
  process.exitCode = await run()
} catch (fault) {
  if (!(fault instanceof WritFault)) throw fault
  console.error(`it did not work (${fault.kind}): ${fault.message}`)
  process.exitCode = 2
}

async function run() {
  // 1. Who am I? The key is made here, in a file that only its owner reads; the server gets its public part.
  const key = await loadOrCreateKey(`${folder}/key.json`)
  const id = (await knownAs()) ?? (await enrolled(key))
  if (id === undefined) {
    console.log(`set ENROLMENT_CODE to a code for key ${key.kid}: an administrator makes one`)
    return 1
  }
  if (isWritRefusal(id)) return refused(id)
  const agent = createAgent({ issuer, id, key, correctClock: true, retries: { attempts: 2, maxWaitSeconds: 5 } })

  // 2. What may I do, and for whom?
  const delegations = await agent.delegations()
  if (isWritRefusal(delegations)) return refused(delegations)
  const delegation = delegations.find(({ authorizationDetails }) =>
    authorizationDetails.some(({ type }) => type === 'email_send'),
  )
  if (delegation?.resource === undefined) {
    console.log(`nobody has delegated "email_send" to ${id} yet`)
    return 1
  }

  // 3. One action, one token, one call.
  const mail = { to: [to], subject: 'Minutes', body: 'See you at ten.' }
  const response = await agent.signedFetch(
    { delegation, action: { type: 'email_send', ...mail } },
    `${delegation.resource}/messages`,
    { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(mail) },
  )
  if (isWritRefusal(response)) return refused(response)
  const refusal = refusalOf(response)
  if (refusal !== undefined) return refused(refusal)
  console.log(`${response.status}: a mail to ${to}, for ${delegation.principal}`)
  return response.ok ? 0 : 1
}

async function knownAs() {
  const text = await readFile(`${folder}/agent.json`, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : JSON.parse(text).agent
}

async function enrolled(key) {
  const code = process.env.ENROLMENT_CODE
  if (code === undefined) return undefined
  const answer = await enrol({ issuer, code, key, label: 'examples/agent.mjs' })
  if (isWritRefusal(answer)) return answer
  await writeFile(`${folder}/agent.json`, `${JSON.stringify(answer)}\n`)
  console.log(`enrolled as ${answer.agent} with key ${answer.kid}`)
  return answer.agent
}

function refused(refusal) {
  console.log(explainRefusal(refusal))
  return 1
}
