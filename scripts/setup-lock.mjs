// Lets one set-up at a time into a folder; the others wait.
//
// As in src/adapters/prisma/data-directory-lock.ts: everyone listens on a socket of their own and then looks for others. A
// socket that refuses connections is left over from a process that was killed. Here whoever sees another steps back and
// tries again after a random pause, since waiting is what we want.
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves with a function that lets go. `onWait` is called once if there is somebody to wait for. */
export async function waitForLock(folder, onWait) {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (let hasWaited = false; ; hasWaited = true) {
    const own = await announce(folder)
    if (!(await isAnyoneElseAlive(folder, own.name))) return own.withdraw
    await own.withdraw()
    if (!hasWaited) onWait()
    await sleep(100 + Math.random() * 200)
  }
}

async function announce(folder) {
  const id = randomBytes(6).toString('hex')
  const [draft, name] = [`${id}.new`, `${id}.sock`]
  const server = createServer((socket) => socket.on('error', () => {}).end())
  server.unref()
  await new Promise((resolve, reject) => server.once('error', reject).listen(shortPath(folder, draft), resolve))
  // Until it listens it would refuse connections and pass for a leftover.
  renameSync(join(folder, draft), join(folder, name))
  return {
    name,
    withdraw: async () => {
      rmSync(join(folder, name), { force: true })
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function isAnyoneElseAlive(folder, own) {
  const others = readdirSync(folder).filter((name) => name.endsWith('.sock') && name !== own)
  const alive = await Promise.all(others.map((name) => isAlive(folder, name)))
  return alive.includes(true)
}

const isAlive = (folder, name) =>
  new Promise((resolve) => {
    const socket = createConnection(shortPath(folder, name))
    socket.once('connect', () => resolve(true))
    socket.once('error', (error) => {
      if (error.code === 'ECONNREFUSED') rmSync(join(folder, name), { force: true })
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')
    })
    socket.resume().once('close', () => resolve(true))
  })

/** A socket's path may have about 100 bytes; npm runs scripts in the project's folder, so the relative one is short. */
function shortPath(folder, name) {
  const path = join(folder, name)
  const fromHere = relative(process.cwd(), path)
  return Buffer.byteLength(fromHere) < Buffer.byteLength(path) ? fromHere : path
}
