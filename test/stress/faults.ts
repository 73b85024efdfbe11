import { spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { statusesOf, stretch } from './load.ts'
import { type Outcome, startOpenLoop } from './open-loop.ts'
import { type Cluster, makeFolder } from './postgres.ts'
import type { Subject } from './subject.ts'
import { progress, type Verdict } from './verdict.ts'

const PER_SECOND = 50
const BEFORE_MS = 2_000
const AFTER_MS = 8_000
/** What the server may take to serve again when its database does. Unit: ms. */
const MAX_RECOVERY_MS = 5_000
const MiB = 1024 * 1024

/** What is done to the database while exchanges go on; it is well again when the promise ends. */
interface Fault {
  readonly name: string
  readonly harm: () => Promise<void>
}

/** Each fault under load: the server says 503 or issues, never anything else, and serves by itself when the database is back. */
export async function faults(subject: Subject, primary: Cluster, folder: string): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = []
  for (const fault of await makeFaults(subject, primary, folder)) {
    verdicts.push(...(await under(subject, fault)))
  }
  const disk = await smallDisk(subject, folder)
  if (disk === undefined) verdicts.push({ what: 'the disk full', came: 'not run: a tmpfs cannot be mounted here' })
  else verdicts.push(...(await under(subject, disk)))
  // The account is read from that disk.
  const { tokens, unrecorded } = await subject.account().finally(() => disk?.unmount())
  return [
    ...verdicts,
    {
      what: 'the same process all the while',
      came: String(subject.isRunning()),
      must: 'true',
      isGood: subject.isRunning(),
    },
    { what: 'tokens without a record', came: `${unrecorded} of ${tokens}`, must: '0', isGood: unrecorded === 0 },
  ]
}

async function under(subject: Subject, { name, harm }: Fault): Promise<readonly Verdict[]> {
  progress(`faults: ${name}`)
  const outcomes: Outcome[] = []
  const onOutcome = (outcome: Outcome) => {
    subject.saw(outcome)
    outcomes.push(outcome)
  }
  const start = performance.now()
  const loop = await startOpenLoop({ port: subject.port, perSecond: PER_SECOND, next: subject.next, onOutcome })
  await sleep(BEFORE_MS)
  const harmedMs = performance.now() - start
  await harm()
  const mendedMs = performance.now() - start
  await sleep(AFTER_MS)
  await loop.stop()
  const during = stretch(outcomes.filter(({ intendedMs }) => intendedMs >= harmedMs && intendedMs < mendedMs))
  const after = outcomes.filter(({ intendedMs }) => intendedMs >= mendedMs)
  const lastBad = Math.max(
    0,
    ...after.filter(({ status }) => status !== 200).map(({ intendedMs }) => intendedMs - mendedMs),
  )
  const served = after.filter(({ status }) => status === 200).length
  const others = outcomes.filter(({ status }) => status !== 200 && status !== 503)
  return [
    {
      ...{ what: name, came: statusesOf(during) || 'nothing', must: 'only 200 and 503' },
      isGood: others.length === 0,
    },
    ...unexpected(others),
    {
      ...{
        what: '  serves again after',
        came: `${(lastBad / 1_000).toFixed(1)} s`,
        must: `≤ ${MAX_RECOVERY_MS / 1_000} s`,
      },
      isGood: lastBad <= MAX_RECOVERY_MS && served > 0,
    },
  ]
}

/** What nobody should have been told, each once. */
const unexpected = (others: readonly Outcome[]): readonly Verdict[] =>
  [...new Set(others.map(({ status, body }) => `${status} ${body.replaceAll(/request \S+/g, 'request …')}`))].map(
    (came) => ({
      ...{ what: '  and', came, must: 'nothing else', isGood: false },
    }),
  )

async function makeFaults(subject: Subject, primary: Cluster, folder: string): Promise<readonly Fault[]> {
  const { proxy } = subject
  return [
    {
      name: 'the database slow: 100 ms each way, 5 s',
      harm: async () => {
        proxy.slow(100)
        await sleep(5_000)
        proxy.slow(0)
      },
    },
    {
      name: 'the database gone, 10 s',
      harm: async () => {
        proxy.cut()
        await sleep(10_000)
        proxy.mend()
      },
    },
    {
      name: 'the database silent, 10 s',
      harm: async () => {
        proxy.stall()
        await sleep(10_000)
        proxy.mend()
      },
    },
    {
      name: 'the database restarted',
      harm: async () => {
        await primary.stop('fast')
        await primary.start()
      },
    },
    {
      name: 'the database crashed',
      harm: async () => {
        await primary.stop('immediate')
        await primary.start()
      },
    },
    {
      name: 'failing over to a synchronous standby',
      harm: async () => {
        const start = performance.now()
        const say = (what: string) =>
          progress(`faults: ${what} (${((performance.now() - start) / 1_000).toFixed(1)} s)`)
        const standby = await primary.standby(join(folder, 'standby'))
        say('the standby runs')
        await makeSynchronous(primary)
        say('nothing is committed without it')
        await primary.stop('immediate')
        await standby.promote()
        say('it is the primary')
        proxy.target = standby.port
        proxy.mend()
      },
    },
  ]
}

/** Nothing is committed from now on that the standby does not have. */
async function makeSynchronous(primary: Cluster): Promise<void> {
  const client = new pg.Client({ connectionString: primary.url('postgres') })
  await client.connect()
  await client.query(`ALTER SYSTEM SET synchronous_standby_names = '*'`)
  await client.query('SELECT pg_reload_conf()')
  for (;;) {
    const { rows } = await client.query(`SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'`)
    if (rows.length > 0) break
    await sleep(50)
  }
  await client.end()
}

/** Moves the tables onto a small disk that can be filled; undefined where none can be mounted. */
async function smallDisk(
  subject: Subject,
  folder: string,
): Promise<(Fault & { readonly unmount: () => void }) | undefined> {
  const disk = join(folder, 'disk')
  makeFolder(disk)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=128m', 'tmpfs', disk]).status !== 0) return undefined
  const tables = join(disk, 'tables')
  makeFolder(tables)
  spawnSync('chmod', ['755', disk])
  const url = `postgresql://postgres@127.0.0.1:${subject.proxy.target}/writ`
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  await client.query(`CREATE TABLESPACE small LOCATION '${tables}'`)
  await client.query('ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE small')
  await client.query('ALTER INDEX ALL IN TABLESPACE pg_default SET TABLESPACE small')
  await client.end()
  const filler = join(disk, 'filler')
  return {
    name: 'the disk of the tables full, 5 s',
    harm: async () => {
      fill(filler)
      await sleep(5_000)
      rmSync(filler)
    },
    // The database still uses it: it is let go when that has ended.
    unmount: () => void spawnSync('umount', ['-l', disk]),
  }
}

function fill(path: string): void {
  const file = openSync(path, 'w')
  for (const size of [MiB, 4_096]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size, 1))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
  closeSync(file)
}
