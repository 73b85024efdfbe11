// Runs a story: puts the parts on the stage, then does one step after the other, until one goes wrong.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { newKey } from '../client.mjs'
import { createCleanup } from './cleanup.mjs'
import { deeds } from './deeds.mjs'
import { startMailApi } from './mail-api.mjs'
import { startMailbox } from './mailbox.mjs'

/**
 * Runs a story at a server that is there, with a mailbox and two APIs of its own, and ends those again.
 *
 * @param options.tag is appended to all ids, for further stories at one server: ids are unique for ever.
 * @returns the name of the step that went wrong; undefined when every step went as it should.
 * @throws when a part cannot be put on the stage, or taken off it.
 */
export async function play({ steps, issuer, administrator, folder, print, signal, tag = '' }) {
  const cleanup = createCleanup()
  let left = []
  try {
    const stage = await setStage({ issuer, administrator, folder: join(folder, `story${tag}`), tag, cleanup })
    print.parts(stage)
    const wrong = await act({ stage, steps, print, signal })
    left = await cleanup.run()
    if (left.length === 0) return wrong
  } finally {
    await cleanup.run()
  }
  throw new Error(`could not be ended: ${left.join(', ')}`)
}

/** One step after the other. */
async function act({ stage, steps, print, signal }) {
  for (const step of steps) {
    signal?.throwIfAborted()
    if (step.chapter !== undefined) {
      print.chapter(step.chapter)
      continue
    }
    const { name, must, ...deed } = fill(step, stage.names)
    const came = await outcome(stage, deed)
    // After a Ctrl-C a step fails because it was cut off: that is no step gone wrong.
    signal?.throwIfAborted()
    // What came may say more than what must; what must is compared whole.
    const isRight = Object.keys(must).every((member) => isDeepStrictEqual(must[member], came[member]))
    print.step({ name, deed, must, came, isRight })
    if (!isRight) return name
  }
  return undefined
}

async function setStage({ issuer, administrator, folder, tag, cleanup }) {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { mails, port: smtpPort } = await startMailbox({ cleanup })
  const names = { alice: `alice${tag}`, planner: `planner${tag}`, folder }
  const apis = {}
  for (const name of ['mail', 'newsletter']) {
    const key = await newKey()
    await writeFile(join(folder, `${name}.pub.jwk`), JSON.stringify(key.jwk))
    apis[name] = await startMailApi({ issuer, id: `${name}${tag}`, smtpPort, key, cleanup })
    names[name] = apis[name].id
    names[`${name}.resource`] = apis[name].resource
  }
  return { issuer, administrator, names, apis, mails, smtpPort, keyFile: join(folder, 'agent', 'key.json'), tokens: {} }
}

/** What breaks is an outcome as well: never the one that a step wants. */
async function outcome(stage, deed) {
  try {
    return await deeds[deed.does](stage, deed)
  } catch (error) {
    return { broke: /** @type {Error} */ (error).message }
  }
}

/** Puts the names in, wherever there are braces. */
function fill(value, names) {
  if (typeof value === 'string') return value.replaceAll(/\{([a-z.]+)\}/g, (braces, name) => names[name] ?? braces)
  if (Array.isArray(value)) return value.map((element) => fill(element, names))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, fill(member, names)]))
}
