// `npm run prisma -- …`: the Prisma CLI with our schema engine, so that it works without downloading its own.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const args = process.argv.slice(2)

// Without DATABASE_URL there is only a scratch database in memory: writing migrations works on it, but these would report
// or change something that is gone a moment later. The server migrates the embedded database itself.
const needsDatabase = /^(migrate (status|deploy|resolve|reset)|db )/.test(args.slice(0, 2).join(' '))
if (needsDatabase && !process.env.DATABASE_URL) {
  console.error(`prisma ${args.slice(0, 2).join(' ')}: set DATABASE_URL to the PostgreSQL database it is about`)
  process.exit(1)
}

const child = spawn(
  process.execPath,
  [fileURLToPath(new URL('../node_modules/prisma/build/index.js', import.meta.url)), ...args],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: fileURLToPath(new URL('schema-engine.mjs', import.meta.url)),
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1',
    },
  },
)
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal))
child.on('close', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)))
