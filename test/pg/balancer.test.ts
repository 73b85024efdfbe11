import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import {
  administratorOf,
  endAll,
  freePort,
  keepAliveSender,
  makeFolder,
  type ProcessFolder,
  type ServerProcess,
  startProcess,
} from '../process/server-process.ts'
import { exchangeRequest } from '../support/clients.ts'
import { createPostgresCopy } from '../support/database.ts'
import { claimsOf, createWorld } from '../support/world.ts'

/** docker-compose.yml as processes: PostgreSQL, two servers with their secrets by file, deploy/haproxy.cfg, the mail API. */
let copy: Awaited<ReturnType<typeof createPostgresCopy>>
let folder: ProcessFolder
let issuer: string
let ports: readonly [number, number, number, number]
let servers: ServerProcess[]
const others: ChildProcess[] = []

const startServer = (n: 0 | 1) => startProcess({ ...folder.settings, WRIT_PORT: String(ports[n]) })

beforeAll(async () => {
  const { status, error } = spawnSync('haproxy', ['-v'])
  if (status !== 0) throw new Error(`haproxy is needed (apt-get install haproxy): ${error?.message}`)
  copy = await createPostgresCopy()
  ports = [await freePort(), await freePort(), await freePort(), await freePort()]
  issuer = `http://localhost:${ports[2]}`
  folder = makeFolder({ WRIT_ISSUER: issuer })
  const secrets = join(folder.dataDirectory, '..', 'secrets')
  spawnSync(process.execPath, ['deploy/make-secrets.mjs', secrets])
  const url = join(folder.dataDirectory, '..', 'database_url')
  writeFileSync(url, `${copy.url}\n`)
  folder = {
    ...folder,
    settings: {
      ...folder.settings,
      DATABASE_URL_FILE: url,
      WRIT_KEY_ENCRYPTION_KEY_FILE: join(secrets, 'key_encryption_key'),
    },
  }
  servers = await Promise.all([startServer(0), startServer(1)])
  others.push(
    spawn('haproxy', ['-W', '-db', '-S', masterSocket(), '-f', 'deploy/haproxy.cfg'], {
      stdio: 'ignore',
      env: {
        PATH: process.env.PATH,
        WRIT_BALANCER: `127.0.0.1:${ports[2]}`,
        WRIT_SERVER_1: `127.0.0.1:${ports[0]}`,
        WRIT_SERVER_2: `127.0.0.1:${ports[1]}`,
      },
    }),
  )
  while ((await serversUp()) !== 2) await sleep(50)
})
afterAll(async () => {
  for (const child of others) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  await endAll()
  await copy?.drop()
  folder?.remove()
})

/** The health check that the compose file gives a service, at the ports of this test. */
const healthOf = (service: string): string[] =>
  parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true })
    .services[service].healthcheck.test.slice(1)
    .map((word: string) =>
      word.replace('127.0.0.1/3000', `127.0.0.1/${ports[2]}`).replace('127.0.0.1:4000', `localhost:${ports[3]}`),
    )

const masterSocket = () => join(folder.dataDirectory, '..', 'haproxy.sock')

/** How many servers the balancer finds well (HAProxy management guide, "show servers state": the sixth column is 2). */
async function serversUp(): Promise<number> {
  const socket = connect(masterSocket())
  socket.on('error', () => {})
  socket.end('@1 show servers state servers\n')
  const state = await text(socket).catch(() => '')
  return state.split('\n').filter((line) => /^\d+ servers \d+ \S+ \S+ 2 /.test(line)).length
}

const run = ([program = '', ...args]: readonly string[]) => spawnSync(program, args, { timeout: 5_000 }).status

test('the balancer is well by the check of the compose file', () => {
  expect(run(healthOf('balancer'))).toBe(0)
})

test('haproxy finds the configuration valid', () => {
  const { status, stderr } = spawnSync('haproxy', ['-c', '-f', 'deploy/haproxy.cfg'], {
    encoding: 'utf8',
    // As in the compose file; the names are those of the container network, and are looked up later.
    env: { PATH: process.env.PATH, WRIT_BALANCER: ':3000', WRIT_SERVER_1: 'first:3000', WRIT_SERVER_2: 'second:3000' },
  })
  const said = stderr
    .split('\n')
    .filter((line) => /WARNING|ALERT/.test(line) && !/could not resolve address/.test(line))
  expect({ status, said }).toEqual({ status: 0, said: [] })
})

test('the resource server of the compose file refuses without a token, which is its health', async () => {
  const child = spawn(process.execPath, ['examples/mail-api-server.mjs'], {
    env: { PATH: process.env.PATH, WRIT_ISSUER: issuer, MAIL_API: `http://localhost:${ports[3]}`, HOST: 'localhost' },
  })
  await once(child.stdout, 'data')
  expect(run(healthOf('mail-api'))).toBe(0)
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(run(healthOf('mail-api'))).toBe(1)
})

test('the story of the first token runs through the balancer', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['examples/first-token.mjs'], {
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      WRIT_ISSUER: issuer,
      WRIT_DATA_DIR: folder.dataDirectory,
      MAIL_API: `http://localhost:${ports[3]}`,
    },
  })
  expect(stderr).toBe('')
  expect(stdout).toContain('the mailbox holds 1 mail')
  expect(status).toBe(0)
})

test('one server after the other is stopped and started again under requests: each is answered with a token', async () => {
  const world = await createWorld({ issuer, admin: await administratorOf(folder.dataDirectory) })
  const sender = keepAliveSender(8)
  const [tokens, failures]: [string[], string[]] = [[], []]
  let isStopped = false
  const lane = async () => {
    while (!isStopped) {
      const { status, body } = await sender
        .send(ports[2], exchangeRequest(issuer, world.agent, world.wish))
        .catch((error: Error) => ({ status: 0, body: { error: error.message } }))
      if (status === 200) tokens.push(body.access_token)
      else failures.push(`${status} ${body?.error}`)
    }
  }
  const lanes = Array.from({ length: 4 }, lane)
  const answered = async (count: number) => {
    const goal = tokens.length + failures.length + count
    while (tokens.length + failures.length < goal) await sleep(5)
  }
  for (const n of [0, 1] as const) {
    await answered(20)
    expect(await servers[n]?.end('SIGTERM')).toMatchObject({ code: 0 })
    await answered(20)
    servers[n] = await startServer(n)
    // The balancer has to find it well before the other one goes.
    while ((await serversUp()) !== 2) await sleep(50)
  }
  await answered(20)
  isStopped = true
  await Promise.all(lanes)
  sender.close()
  expect(failures).toEqual([])
  expect(new Set(tokens.map((token) => claimsOf(token).jti)).size).toBe(tokens.length)
})
