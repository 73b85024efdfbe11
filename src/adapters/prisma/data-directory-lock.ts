import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readdir, rename, rm, stat, symlink } from 'node:fs/promises'
import { createConnection, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A data directory that belongs to this process. */
export interface DataDirectoryLock {
  /** Lets go of the directory. May be called twice. */
  readonly release: () => Promise<void>
}

/** Another process has the data directory. The message is one line for the operator: which, who, and what to do. */
export class DataDirectoryInUse extends Error {
  override readonly name = 'DataDirectoryInUse'
}

/**
 * Takes a data directory for this process until it is released or the process ends, however it ends.
 *
 * Every starter listens on a Unix socket of its own in `<directory>/lock`, and then looks for the others: one that accepts
 * a connection is alive, one that refuses it is left over from a process that was killed. A PID file would lie after a
 * `kill -9`; a listening socket cannot.
 *
 * INVARIANT: never two holders. Both would have listed the sockets after their own was there, so the later of the two saw
 * the other's. Checked with racing processes in test/adapters/prisma/data-directory-lock.test.ts.
 *
 * @throws DataDirectoryInUse when another process has it, or when others kept colliding with us for about five seconds.
 */
export async function lockDataDirectory(directory: string): Promise<DataDirectoryLock> {
  const folder = join(directory, 'lock')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(folder, 0o700) // mkdir leaves an existing folder as it is
  const deadline = Date.now() + COLLISION_MS
  for (;;) {
    const own = await announce(folder)
    let others = await liveOthers(folder, own.name)
    // Among starters that see each other the first in name order stays and waits for the rest to step back.
    while (
      others.length > 0 &&
      !others.some((other) => other.holds || other.name < own.name) &&
      Date.now() < deadline
    ) {
      await sleep(RETRY_MS)
      others = await liveOthers(folder, own.name)
    }
    if (others.length === 0) {
      own.hold()
      return { release: () => own.withdraw() }
    }
    await own.withdraw()
    const holder = others.find((other) => other.holds)
    if (holder !== undefined || Date.now() >= deadline) throw inUse(directory, holder ?? others[0])
    await sleep(RETRY_MS + Math.random() * RETRY_MS)
  }
}

/** How long starters may keep colliding before one gives up. Unit: ms. */
const COLLISION_MS = 5_000

/** Pause between two looks at the others. Unit: ms. */
const RETRY_MS = 25

/** How long a socket that accepted has to say who it is; a stopped process accepts and says nothing. Unit: ms. */
const ANSWER_MS = 1_000

/** After this a file that was never put in place is left over from a killed process. Unit: ms. */
const ABANDONED_MS = 60_000

/** The kernel's limit is 104 bytes (macOS) or 108 (Linux), the closing zero included. */
const MAX_SOCKET_PATH_BYTES = 100

interface Claim {
  readonly name: string
  readonly hold: () => void
  readonly withdraw: () => Promise<void>
}

interface Other {
  readonly name: string
  /** False while it is still looking for others itself. One that does not say counts as a holder. */
  readonly holds: boolean
  readonly pid?: string | undefined
}

/** Listens on a socket of our own and puts it where the others look. */
async function announce(folder: string): Promise<Claim> {
  const id = randomBytes(8).toString('hex')
  const [draft, name] = [`${id}.new`, `${id}.sock`]
  let state = 'starting'
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(`${state} ${process.pid}\n`)
  })
  server.unref() // the lock must not keep a process alive that has nothing else to do
  await throughShortPath(folder, draft, (path) => listening(server, path))
  // Between bind and listen a socket refuses connections and would pass for a leftover: so it is renamed when it listens.
  await rename(join(folder, draft), join(folder, name))
  return {
    name,
    hold: () => {
      state = 'holding'
    },
    withdraw: async () => {
      await rm(join(folder, name), { force: true })
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** Looks at every socket but our own; removes those that nobody listens on. */
async function liveOthers(folder: string, own: string): Promise<Other[]> {
  const names = (await readdir(folder)).filter((name) => name !== own)
  const found = await Promise.all(
    names.map((name) => (name.endsWith('.sock') ? ask(folder, name) : tidy(folder, name))),
  )
  return found.filter((other) => other !== undefined)
}

/** Asks one socket who it is. Only a refused connection or a missing file means that nobody is there. */
async function ask(folder: string, name: string): Promise<Other | undefined> {
  try {
    const answer = await throughShortPath(folder, name, readLine)
    const [, state, pid] = /^(starting|holding) (\d{1,10})\n$/.exec(answer) ?? []
    return { name, holds: state !== 'starting', pid }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') return undefined
    if (code !== 'ECONNREFUSED') return { name, holds: true }
    await rm(join(folder, name), { force: true })
    return undefined
  }
}

async function tidy(folder: string, name: string): Promise<undefined> {
  const found = await stat(join(folder, name)).catch(() => undefined)
  if (found?.isSocket() && Date.now() - found.mtimeMs > ABANDONED_MS) await rm(join(folder, name), { force: true })
}

const listening = (server: Server, path: string) =>
  new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })

/** What the peer says before it closes, or an empty text when it accepts but says nothing in time. */
const readLine = (path: string) =>
  new Promise<string>((resolve, reject) => {
    let answer = ''
    let isConnected = false
    const socket = createConnection(path, () => {
      isConnected = true
    })
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS)
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      if (answer.length < 64) answer += chunk
    })
    // An error after the connection was made still means that somebody was there.
    socket.on('error', (error) => (isConnected ? resolve('') : reject(error)))
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(answer)
    })
  })

/** Runs `use` with a path to `folder/name` that is short enough to bind or connect to. */
async function throughShortPath<T>(folder: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(folder, name)
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return use(path)
  if (process.platform === 'linux') {
    const handle = await open(folder)
    try {
      return await use(`/proc/self/fd/${handle.fd}/${name}`)
    } finally {
      await handle.close()
    }
  }
  const link = join(tmpdir(), `writ-${randomBytes(6).toString('hex')}`)
  await symlink(folder, link)
  try {
    return await use(join(link, name))
  } finally {
    await rm(link, { force: true })
  }
}

function inUse(directory: string, other: Other | undefined): DataDirectoryInUse {
  const who = other?.pid === undefined ? 'another process' : `another process (pid ${other.pid})`
  return new DataDirectoryInUse(
    `the data directory ${directory} is in use by ${who}: stop it, or set WRIT_DATA_DIR to another directory, ` +
      'or set DATABASE_URL to share one PostgreSQL',
  )
}
