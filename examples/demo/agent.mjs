// The agent: `writ/agent` while it is honest; what is in its files and its memory when it is not.
import { readFile } from 'node:fs/promises'
import { createAgent, enrol, isWritRefusal } from 'writ/agent'
import { loadOrCreateKey } from 'writ/agent/file-key'
import { call, keyFromJwk, newKey } from '../client.mjs'

/** Makes a key of its own, binds it with the one-time code, and is then the agent that the code was for. */
export async function enrolAgent({ issuer, code, keyFile }) {
  const key = await loadOrCreateKey(keyFile)
  const enrolled = await enrol({ issuer, code, key, label: 'npm run demo' })
  if (isWritRefusal(enrolled)) return enrolled
  return createAgent({ issuer, id: enrolled.agent, key, correctClock: true })
}

/**
 * A call without the SDK, which would not let a token be held wrongly: any token, any key, any place, any mail.
 *
 * @param key `own` is the key in the agent's file, `another` one that was made a moment ago.
 */
export async function rawCall({ keyFile, key, token, url, mail }) {
  const held = key === 'another' ? await newKey() : await keyFromJwk(JSON.parse(await readFile(keyFile, 'utf8')))
  const { status, body } = await call('POST', url, token, held, mail)
  return status === 201 ? { status } : { status, error: body.error, why: body.error_description }
}
