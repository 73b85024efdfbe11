// How each deed of the story is done. Each takes the stage and a step, and tells what came of it: plain data, to be
// compared with what the step says must come.
import { readFile } from 'node:fs/promises'
import { isWritRefusal } from 'writ/agent'
import { enrolAgent, rawCall } from './agent.mjs'

/** An administrator's command. */
async function writ({ administrator }, { args }) {
  const { exit, stdout, stderr } = await administrator(args)
  const [done = ''] = stdout.split('\n')
  return { exit, ...(exit === 0 ? { said: done.replace(/^✓ /, '') } : { why: stderr.trim() }) }
}

async function enrol(stage, { codeFile }) {
  const { issuer, keyFile } = stage
  const code = (await readFile(codeFile, 'utf8')).trim()
  const agent = await enrolAgent({ issuer, code, keyFile })
  if (isWritRefusal(agent)) return refused(agent)
  stage.agent = agent
  return { agent: agent.id }
}

async function find(stage) {
  const delegations = await stage.agent.delegations()
  if (isWritRefusal(delegations)) return refused(delegations)
  const [delegation] = delegations
  stage.delegation = delegation
  stage.tokens.subject = delegation?.subjectToken
  return { delegations: delegations.length, principal: delegation?.principal, resource: delegation?.resource }
}

/** Asks the server for a token for one mail at one API. */
async function exchange({ agent, delegation, apis, tokens }, { at, mail, keepAs }) {
  const action = { type: 'email_send', ...mail }
  const token = await agent.exchange({ delegation, resource: apis[at].resource, action })
  if (isWritRefusal(token)) return refused(token)
  if (keepAs !== undefined) tokens[keepAs] = token
  return { granted: token.action.type, seconds: token.expiresInSeconds }
}

/** An honest call: the token makes it. */
async function send({ apis, tokens }, { token, mail }) {
  const response = await tokens[token].fetch(apis.mail.messages, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(mail),
  })
  if (response.status === 201) return { status: 201 }
  const { error, error_description: why } = await response.json()
  return { status: response.status, error, why }
}

/** A call by whoever holds the token, as they please. */
async function call({ apis, tokens, keyFile }, { at, token, key, mail }) {
  const held = tokens[token]
  return rawCall({ keyFile, key, token: held.token ?? held, url: apis[at].messages, mail })
}

const mailbox = async ({ mails }) => ({ mails: mails.map(({ to, subject }) => ({ to, subject })) })

const counts = async ({ apis }) => ({ mail: { ...apis.mail.log }, newsletter: { ...apis.newsletter.log } })

/** What the server wrote down of this agent, oldest first. */
async function record({ administrator, names }) {
  const { exit, stdout, stderr } = await administrator(['records', 'list', '--agent', names.planner, '--all', '--json'])
  if (exit !== 0) return { exit, why: stderr.trim() }
  const entries = JSON.parse(stdout).items.reverse()
  return {
    issued: entries.filter(({ kind, decision }) => decision === 'issued' && kind === 'action_token').length,
    refused: entries.filter(({ decision }) => decision === 'refused').map(({ refusal }) => refusal),
    entries,
  }
}

const refused = ({ status, error, description }) => ({ status, error, why: description })

export const deeds = { writ, enrol, find, exchange, send, call, mailbox, counts, record }
