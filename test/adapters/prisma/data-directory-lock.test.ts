import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { DataDirectoryInUse, lockDataDirectory } from '../../../src/adapters/prisma/data-directory-lock.ts'
import { type Compiled, compileSources } from '../../support/compile.ts'

let directory: string
let compiled: Compiled
let program: string
const children = new Set<ChildProcess>()

beforeAll(() => {
  compiled = compileSources('adapters/prisma/data-directory-lock')
  program = join(mkdtempSync(join(tmpdir(), 'writ-locker-')), 'locker.mjs')
  // Tries when told to, says how it went, and lets go when told to.
  writeFileSync(
    program,
    `import { lockDataDirectory } from ${JSON.stringify(compiled.urlOf('adapters/prisma/data-directory-lock'))}
     let lock
     process.on('message', async ({ take, release }) => {
       if (release) await lock?.release()
       if (release) return process.send('released')
       try {
         lock = await lockDataDirectory(take)
         process.send('won')
       } catch (error) {
         process.send(error.name === 'DataDirectoryInUse' ? error.message : 'fault: ' + error.stack)
       }
     })
     process.send('ready')`,
  )
})
afterAll(() => {
  compiled.remove()
  rmSync(join(program, '..'), { recursive: true })
})
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-lock-'))
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  rmSync(directory, { recursive: true })
})

async function startLocker(): Promise<ChildProcess> {
  const child = fork(program)
  children.add(child)
  child.once('exit', () => children.delete(child))
  await once(child, 'message')
  return child
}

async function tell(child: ChildProcess, message: object): Promise<string> {
  const answer = once(child, 'message')
  child.send(message)
  return String((await answer)[0])
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

test('of ten processes that start at once exactly one wins, twenty times, whether the last holder let go or was killed', {
  timeout: 120_000,
}, async () => {
  const lockers = await Promise.all(Array.from({ length: 10 }, startLocker))
  for (let round = 0; round < 20; round += 1) {
    const answers = await Promise.all(lockers.map((locker) => tell(locker, { take: directory })))
    expect(answers.filter((answer) => answer === 'won')).toHaveLength(1)
    for (const answer of answers) expect(answer).toMatch(/^(won$|the data directory .* is in use by another process)/)
    const winner = answers.indexOf('won')
    const holder = lockers[winner]
    if (holder === undefined) throw new Error('nobody won')
    if (round % 2 === 0) {
      await tell(holder, { release: true })
    } else {
      await kill(holder)
      lockers[winner] = await startLocker()
    }
  }
})

test('a second process is refused with one line that names the directory, the holder and what to do', async () => {
  const holder = await startLocker()
  expect(await tell(holder, { take: directory })).toBe('won')
  const error = await lockDataDirectory(directory).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(DataDirectoryInUse)
  const { message } = error as Error
  expect(message).toContain(directory)
  expect(message).toContain(`pid ${holder.pid}`)
  expect(message).toMatch(/WRIT_DATA_DIR.*DATABASE_URL/)
  expect(message).not.toContain('\n')
})

test('after kill -9 the next start works and leaves only its own socket', async () => {
  for (let death = 0; death < 3; death += 1) {
    const locker = await startLocker()
    expect(await tell(locker, { take: directory })).toBe('won')
    await kill(locker)
  }
  const lock = await lockDataDirectory(directory)
  expect(readdirSync(join(directory, 'lock'))).toHaveLength(1)
  await lock.release()
  expect(readdirSync(join(directory, 'lock'))).toEqual([])
})

test('a holder that is stopped and cannot answer still holds', async () => {
  const holder = await startLocker()
  expect(await tell(holder, { take: directory })).toBe('won')
  holder.kill('SIGSTOP')
  await expect(lockDataDirectory(directory)).rejects.toThrow(DataDirectoryInUse)
  holder.kill('SIGCONT')
})

test('the same process cannot take a directory twice, but again after it let go', async () => {
  const lock = await lockDataDirectory(directory)
  await expect(lockDataDirectory(directory)).rejects.toThrow(`pid ${process.pid}`)
  await lock.release()
  await lock.release()
  await (await lockDataDirectory(directory)).release()
})

test('a path that is longer than a socket address may be works the same', async () => {
  const deep = join(directory, 'd'.repeat(120), 'é'.repeat(60))
  mkdirSync(deep, { recursive: true })
  const locker = await startLocker()
  expect(await tell(locker, { take: deep })).toBe('won')
  await expect(lockDataDirectory(deep)).rejects.toThrow(DataDirectoryInUse)
  await kill(locker)
  await (await lockDataDirectory(deep)).release()
})

test('the folder of the sockets is private, and a stray file in it does no harm', async () => {
  mkdirSync(join(directory, 'lock'), { mode: 0o777 })
  writeFileSync(join(directory, 'lock', 'note.txt'), 'mine')
  const lock = await lockDataDirectory(directory)
  expect(statSync(join(directory, 'lock')).mode & 0o777).toBe(0o700)
  await lock.release()
  expect(readdirSync(join(directory, 'lock'))).toEqual(['note.txt'])
})

test('a socket that was bound and never put in place is tidied up once it is old', async () => {
  mkdirSync(join(directory, 'lock'))
  const path = join(directory, 'lock', 'left.new')
  const server = createServer().listen(path)
  await once(server, 'listening')
  await (await lockDataDirectory(directory)).release()
  expect(readdirSync(join(directory, 'lock'))).toEqual(['left.new'])
  utimesSync(path, new Date(0), new Date(0))
  await (await lockDataDirectory(directory)).release()
  expect(readdirSync(join(directory, 'lock'))).toEqual([])
  server.close()
})
