import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, copyFileSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  endAll,
  freePort,
  launch,
  makeFolder,
  type ProcessFolder,
  type ServerProcess,
  startProcess,
} from '../process/server-process.ts'
import { send } from '../support/clients.ts'
import { createPostgresCopy } from '../support/database.ts'

/** Signals and deaths at the moments that nobody chooses. */
const WORKERS = 2
let copy: Awaited<ReturnType<typeof createPostgresCopy>>
let folder: ProcessFolder
beforeAll(async () => {
  copy = await createPostgresCopy()
  folder = makeFolder({ WRIT_WORKERS: String(WORKERS), WRIT_DRAIN_SECONDS: '5', DATABASE_URL: copy.url })
})
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await endAll()
})
afterAll(async () => {
  await copy?.drop()
  folder?.remove()
})

/** The processes below a primary, the oldest first. */
const workersOf = (pid: number | undefined): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)

const portOf = ({ issuer }: ServerProcess) => Number(new URL(issuer).port)
const said = ({ stderr }: Pick<ServerProcess, 'stderr'>, text: string) => stderr().split(text).length - 1

/** A request whose body is not there yet. @returns what ends it, and answers its status line. */
async function beginRequest(port: number): Promise<() => Promise<string>> {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  await once(socket, 'connect')
  const type = 'Connection: close\r\nContent-Type: application/x-www-form-urlencoded'
  socket.write(
    `POST /token HTTP/1.1\r\nHost: localhost\r\n${type}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n`,
  )
  // It has reached a worker when that one asks for the rest.
  expect(String(await once(socket, 'data'))).toContain('100 Continue')
  return async () => {
    socket.write('a=b')
    return String(await once(socket, 'data')).split('\r\n')[0] ?? ''
  }
}

test('SIGTERM while the others are starting: what the first has begun to serve is answered', async () => {
  const port = await freePort()
  const server = launch({ ...folder.settings, WRIT_PORT: String(port) })
  // Nobody is turned away for coming as soon as the port is there.
  const statuses: number[] = []
  const knock = () => send(`http://127.0.0.1:${port}/healthz`).then(({ status }) => statuses.push(status))
  while (statuses.length === 0) await Promise.all([knock(), knock()]).catch(() => sleep(1))
  expect(new Set(statuses)).toEqual(new Set([200]))
  const end = await beginRequest(port)
  server.child.kill('SIGTERM')
  await expect.poll(() => server.stderr(), { timeout: 20_000 }).toContain('writ: draining')
  expect(await end()).toBe('HTTP/1.1 400 Bad Request')
  expect(await server.ended).toMatchObject({ code: 0, signal: null })
})

test('SIGTERM in the middle of a restart: nobody is started any more, and what is in flight is answered', async () => {
  const server = await startProcess(folder.settings)
  const { pid } = server.child
  // Handed round, one after the other: the first worker has the first one and the third.
  const ends = [await beginRequest(portOf(server)), await beginRequest(portOf(server))] as const
  const kept = connect(portOf(server), '127.0.0.1')
  sockets.push(kept)
  server.child.kill('SIGHUP')
  // Its answer says so when its worker has been told to leave.
  for (let answer = ''; !answer.includes('Connection: close'); await sleep(10)) {
    kept.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    answer = String(await once(kept, 'data'))
    expect(answer).toContain('HTTP/1.1 200 OK')
  }
  const known = workersOf(pid)
  kept.destroy()
  server.child.kill('SIGTERM')
  await expect.poll(() => server.stderr(), { timeout: 20_000 }).toContain('writ: draining')
  expect(await ends[0]()).toBe('HTTP/1.1 400 Bad Request')
  for (let n = 0; n < 70; n++) {
    expect(workersOf(pid).filter((child) => !known.includes(child))).toEqual([])
    await sleep(10)
  }
  expect(await ends[1]()).toBe('HTTP/1.1 400 Bad Request')
  expect(await server.ended).toMatchObject({ code: 0, signal: null })
})

test('SIGHUP again and again is one more round; a worker that dies meanwhile does not leave one too many', async () => {
  const server = await startProcess(folder.settings)
  const { pid } = server.child
  const [first] = workersOf(pid)
  for (let n = 0; n < 6; n++) {
    server.child.kill('SIGHUP')
    await expect.poll(() => said(server, 'replacing the workers'), { timeout: 20_000, interval: 5 }).toBe(n + 1)
    if (n === 0) process.kill(first as number, 'SIGKILL')
  }
  await expect.poll(() => said(server, `${WORKERS} workers were replaced`), { timeout: 60_000 }).toBe(2)
  // A third round would have started somebody by now.
  await sleep(1_000)
  expect(workersOf(pid)).toHaveLength(WORKERS)
  expect(said(server, `${WORKERS} workers were replaced`)).toBe(2)
  await server.end('SIGTERM')
})

test('a program that is no longer there to be started: the present workers go on', async () => {
  const node = join(folder.dataDirectory, '..', 'node')
  copyFileSync(process.execPath, node, constants.COPYFILE_FICLONE)
  const { PATH = '' } = process.env
  const primary = spawn(node, ['dist/main.js'], {
    env: { PATH, ...folder.settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  try {
    let stderr = ''
    primary.stderr.on('data', (chunk: Buffer) => {
      stderr += String(chunk)
    })
    const [line] = await once(primary.stdout, 'data')
    const [issuer = ''] = /http:\S+/.exec(String(line)) ?? []
    rmSync(node)
    primary.kill('SIGHUP')
    await expect.poll(() => stderr, { timeout: 20_000 }).toContain('the present ones go on')
    expect(workersOf(primary.pid)).toHaveLength(WORKERS)
    expect((await send(`${issuer}/healthz`)).status).toBe(200)
    primary.kill('SIGTERM')
    expect(await once(primary, 'exit')).toEqual([0, null])
  } finally {
    primary.kill('SIGKILL')
  }
})

test('a connection that is handed to a worker as it leaves is handed to another', async () => {
  const server = await startProcess(folder.settings)
  const { pid } = server.child
  const [first] = workersOf(pid)
  server.child.kill('SIGSTOP')
  const answers = Array.from({ length: 16 }, () => {
    const socket = connect(portOf(server), '127.0.0.1')
    sockets.push(socket)
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    return Promise.race([
      once(socket, 'data').then(([data]) => String(data).split('\r\n')[0]),
      once(socket, 'close').then(() => 'closed'),
      sleep(20_000, 'silent', { ref: false }),
    ])
  })
  await sleep(100)
  // The worker leaves while the primary, which has them waiting, does not know of it.
  process.kill(first as number, 'SIGTERM')
  await sleep(1_000)
  server.child.kill('SIGCONT')
  expect(await Promise.all(answers)).toEqual(answers.map(() => 'HTTP/1.1 200 OK'))
  await server.end('SIGTERM')
})
