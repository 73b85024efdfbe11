import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createWorld } from '../support/world.ts'
import {
  administratorOf,
  endAll,
  freePort,
  makeFolder,
  type ProcessFolder,
  type ServerProcess,
  startProcess,
} from './server-process.ts'

const run = promisify(execFile)
let server: ServerProcess
let folder: ProcessFolder
beforeAll(async () => {
  folder = makeFolder()
  server = await startProcess(folder.settings)
})
afterAll(async () => {
  await endAll()
  folder.remove()
})

/** What the README prints, with what differs from run to run taken out. */
const PRINTED = [
  /^registered planner-\w+, alice-\w+ and mail-\w+; alice-\w+ lets planner-\w+ send mail to example\.com$/m,
  /^token: 200, DPoP, good for 60 s$/m,
  /^ {2}"sub": "alice-\w+",$/m,
  /^another body, same token +403 insufficient_authorization_details: the access token is for another action: body$/m,
  /^same token, stolen: another key +401 invalid_dpop_proof: the key of the DPoP proof is not the expected one$/m,
  /^the mail the token is for +201 done$/m,
  /^the same token again +401 invalid_token: the access token was used before$/m,
  /^the subject token at the mail API +401 invalid_token: 'aud' of the access token is not this resource$/m,
  /^a token for an address outside the bounds +400 access_denied: the action is outside the bounds: to\[0\]$/m,
  /^a token after the agent was suspended +401 invalid_client: the client is not active$/m,
  /^the mailbox holds 1 mail$/m,
]

test('examples/first-token.mjs prints what the README says', async () => {
  const { stdout } = await run(process.execPath, ['examples/first-token.mjs'], {
    env: {
      ...process.env,
      WRIT_ISSUER: server.issuer,
      WRIT_DATA_DIR: folder.dataDirectory,
      MAIL_API: `http://localhost:${await freePort()}`,
    },
  })
  for (const line of PRINTED) expect(stdout).toMatch(line)
})

test('examples/agent.mjs enrols its own key, sends what it may, and says why it may not send the rest', async () => {
  // By its address: a program in JavaScript, which tsconfig.examples.json checks.
  const { startMailApi } = await import(new URL('../../examples/mail-api.mjs', import.meta.url).href)
  const admin = await administratorOf(folder.dataDirectory)
  const resource = `http://localhost:${await freePort()}/mail`
  const world = await createWorld(
    { issuer: server.issuer, admin },
    {
      resource: { identifier: resource },
      delegation: { resource },
    },
  )
  const { body } = await world.api.call('POST', `/admin/agents/${world.agent.id}/enrolments`, {})
  const { mailbox, close } = await startMailApi(server.issuer, resource)
  const agent = (to: string, code?: string) =>
    run(process.execPath, ['examples/agent.mjs', to], {
      env: {
        PATH: process.env.PATH,
        WRIT_ISSUER: server.issuer,
        AGENT_DIR: join(folder.dataDirectory, 'agent'),
        ...(code !== undefined && { ENROLMENT_CODE: code }),
      },
    })
  try {
    await expect(agent('bob@example.com')).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining('set ENROLMENT_CODE'),
    })
    const first = await agent('bob@example.com', body.code)
    expect(first.stdout).toMatch(new RegExp(`^enrolled as ${world.agent.id} with key `))
    expect(first.stdout).toContain(`201: a mail to bob@example.com, for ${world.principal}`)
    expect((await agent('ann@example.com')).stdout).toContain('201: a mail to ann@example.com')
    await expect(agent('eve@evil.example')).rejects.toMatchObject({ code: 1, stdout: expect.stringContaining('to[0]') })
    expect(mailbox.map(({ to }: { to: string[] }) => to[0])).toEqual(['bob@example.com', 'ann@example.com'])
  } finally {
    close()
  }
})
