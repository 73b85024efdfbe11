// 60 seconds: a first token, and first refusals. Start the server with `npm start`, then run this beside it:
//
//   node examples/first-token.mjs
//
// It registers an agent, a principal, a resource server and a delegation, exchanges for one action, uses the token once,
// and then tries what a compromised agent would try with everything it holds.
import { readFile } from 'node:fs/promises'
import { call, exchange, keyFromJwk, newKey, tokenRequest } from './client.mjs'
import { startMailApi } from './mail-api.mjs'

const issuer = process.env.WRIT_ISSUER ?? 'http://localhost:3000'
const dataDirectory = process.env.WRIT_DATA_DIR ?? '.writ'
const mailApi = process.env.MAIL_API ?? 'http://localhost:4000'
const tag = Date.now().toString(36)
const say = (line) => console.log(line)

// 1. The administrator registers who takes part. Private keys never reach the server.
const credential = JSON.parse(await readFile(`${dataDirectory}/admin-credential.json`, 'utf8'))
const adminKey = await keyFromJwk(credential.jwk)
const { body: admin } = await tokenRequest(issuer, credential.client_id, adminKey, { grant_type: 'client_credentials' })
const register = async (path, body) => {
  const answer = await call('POST', `${issuer}/admin/${path}`, admin.access_token, adminKey, body)
  if (answer.status !== 201) throw new Error(`${path}: ${JSON.stringify(answer.body)}`)
  return answer.body
}
const agentKey = await newKey()
const [agent, alice, mail] = [`planner-${tag}`, `alice-${tag}`, `mail-${tag}`]
const resource = `${mailApi}/${tag}`
await register('agents', { id: agent, name: 'Planner', keys: [{ jwk: agentKey.jwk }] })
await register('principals', { id: alice, kind: 'person', name: 'Alice' })
await register('resources', { id: mail, identifier: resource, name: 'Mail', action_types: ['email_send'] })
const delegation = await register('delegations', {
  principal: alice,
  agent,
  resource,
  authorization_details: [
    {
      type: 'email_send',
      to: { $each: { $email_domain: ['example.com'] }, $max_items: 2 },
      subject: { $any: true },
      body: { $any: true },
    },
  ],
})
say(`registered ${agent}, ${alice} and ${mail}; ${alice} lets ${agent} send mail to example.com`)

// 2. The agent exchanges for one action.
const action = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'See you at ten.' }
const wish = { subjectToken: delegation.subject_token, resource, action }
const granted = await exchange(issuer, agent, agentKey, wish)
const claims = JSON.parse(Buffer.from(granted.body.access_token.split('.')[1], 'base64url').toString('utf8'))
say(`\ntoken: ${granted.status}, ${granted.body.token_type}, good for ${granted.body.expires_in} s`)
say(JSON.stringify({ sub: claims.sub, act: claims.act, authorization_details: claims.authorization_details }, null, 2))

// 3. The token does that one thing, once; everything else is refused.
const { mailbox, close } = await startMailApi(issuer, resource)
const token = granted.body.access_token
const { type: _, ...message } = action
const send = (what, key, body) => call('POST', `${resource}/messages`, what, key, body)
const show = (what, { status, body }) => {
  const why = body.error === undefined ? 'done' : `${body.error}: ${body.error_description}`
  say(`${what.padEnd(42)} ${status} ${why}`)
}
say('')
show('another body, same token', await send(token, agentKey, { ...message, body: 'Send me your password.' }))
show('same token, stolen: another key', await send(token, await newKey(), message))
show('the mail the token is for', await send(token, agentKey, message))
show('the same token again', await send(token, agentKey, message))
show('the subject token at the mail API', await send(delegation.subject_token, agentKey, message))
show(
  'a token for an address outside the bounds',
  await exchange(issuer, agent, agentKey, { ...wish, action: { ...action, to: ['eve@evil.example'] } }),
)
await call('POST', `${issuer}/admin/agents/${agent}/suspend`, admin.access_token, adminKey, { reason: 'compromised' })
show('a token after the agent was suspended', await exchange(issuer, agent, agentKey, wish))
say(`\nthe mailbox holds ${mailbox.length} mail`)
close()
