#!/usr/bin/env node
import { processIo } from './process-io.ts'
import { run } from './run.ts'

// A reader that has seen enough (`writ records list | head`) is no fault of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await run(process.argv.slice(2), processIo())
