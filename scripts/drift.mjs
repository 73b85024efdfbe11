// `npm run drift`: fails when prisma/schema.prisma and the migrations describe different tables.
//
// The CLI exits with 0 even when its engine died without an answer, so its words count as well as its code. Functions,
// triggers and checks written by hand are not compared: the schema cannot describe them.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const { status, stdout, stderr } = spawnSync(
  process.execPath,
  [
    fileURLToPath(new URL('prisma.mjs', import.meta.url)),
    ...[
      'migrate',
      'diff',
      '--from-migrations',
      'prisma/migrations',
      '--to-schema',
      'prisma/schema.prisma',
      '--exit-code',
    ],
  ],
  { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8' },
)
if (status === 0 && stdout.includes('No difference detected')) {
  console.log('the migrations make exactly the tables of the schema')
} else {
  console.error(
    `the migrations and the schema differ, or could not be compared (exit code ${status})\n${stdout}${stderr}`,
  )
  process.exit(status || 1)
}
