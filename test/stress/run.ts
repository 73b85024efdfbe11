// Drives one server to its limits, on this machine alone:
//
//   npm run stress -- soak|overload|faults [--seconds <n>]
//
// It needs PostgreSQL's server programs, and makes a cluster of its own. Exits 0 when everything was as it must be.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { endAll } from '../process/server-process.ts'
import { faults } from './faults.ts'
import { overload } from './overload.ts'
import { type Cluster, startCluster } from './postgres.ts'
import { soak } from './soak.ts'
import { startSubject } from './subject.ts'
import { printVerdicts } from './verdict.ts'

const DEFAULT_SECONDS: Readonly<Record<string, number>> = { soak: 600, overload: 15, faults: 0 }
const MAX_SECONDS = 3_600

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seconds: { type: 'string' } } })
const [name = '', ...more] = positionals
const seconds = Number(values.seconds ?? DEFAULT_SECONDS[name])
if (!Object.hasOwn(DEFAULT_SECONDS, name) || more.length > 0 || !(seconds >= 0 && seconds <= MAX_SECONDS)) {
  console.error(`usage: npm run stress -- soak|overload|faults [--seconds <n, at most ${MAX_SECONDS}>]`)
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'writ-stress-'))
// The database runs as another user.
chmodSync(folder, 0o755)
const clusters: Pick<Cluster, 'stop'>[] = []
let cleaning: Promise<void> | undefined
/** Ends what was started, whatever became of it. PostgreSQL is in no process group of ours: nobody else would. */
const clean = () => {
  cleaning ??= (async () => {
    await endAll()
    for (const cluster of clusters) {
      // One that the run has stopped cannot be stopped again.
      await cluster.stop('immediate').catch(() => undefined)
    }
    spawnSync('umount', ['-l', join(folder, 'disk')], { stdio: 'ignore' })
    rmSync(folder, { recursive: true, force: true })
  })()
  return cleaning
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // What still runs finds its server and its database gone.
    process.on('uncaughtException', () => {})
    void clean().finally(() => process.exit(1))
  })
}
let isGood = false
try {
  const cluster = await startCluster(join(folder, 'primary'), (one) => clusters.push(one))
  const client = new pg.Client({ connectionString: cluster.url('postgres') })
  await client.connect()
  await client.query('CREATE DATABASE writ')
  await client.end()
  const subject = await startSubject(cluster.url('writ'), {
    shedOverload: name === 'overload',
    isProxied: name === 'faults',
  })
  const verdicts =
    name === 'soak'
      ? await soak(subject, seconds)
      : name === 'overload'
        ? await overload(subject, seconds)
        : await faults(subject, cluster, folder)
  await subject.stop()
  isGood = printVerdicts(`npm run stress -- ${process.argv.slice(2).join(' ')}`, verdicts)
} finally {
  await clean()
}
process.exit(isGood ? 0 : 1)
