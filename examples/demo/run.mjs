// `npm run demo`: a story with real parts. A server, a mail API that delivers over SMTP, an agent: it sends a mail that it
// may send, is taken over, and tries with everything it holds.
//
//   node examples/demo/run.mjs [story.mjs]
//
// It exits 0 when every step went as it should and everything was ended and removed, else 1, naming the step; 128 + n
// when signal n ended it. Another story is a module that exports `steps`, as story.mjs does.
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createCleanup } from './cleanup.mjs'
import { play } from './play.mjs'
import { commandLine, startServer } from './server.mjs'
import { transcript } from './transcript.mjs'

const [storyFile] = process.argv.slice(2)
const isColoured = process.stdout.isTTY === true && !process.env.NO_COLOR
const print = transcript({ write: (line) => console.log(line), isColoured })
const cleanup = createCleanup()
const stop = new AbortController()

// A reader that has seen enough ends the demo like Ctrl-C does.
process.stdout.on('error', () => stop.abort('SIGPIPE'))
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => stop.abort(name))
process.on('exit', () => {
  stop.abort('exit')
  cleanup.runNow()
})

const stopped = new Promise((resolve) => {
  stop.signal.addEventListener('abort', () => resolve(128 + constants.signals[stop.signal.reason]))
})
const code = await Promise.race([tell(), stopped])
const left = await cleanup.run()
if (stop.signal.aborted && left.length === 0) console.error(`\n${stop.signal.reason}: everything is ended and removed`)
for (const what of left) console.error(`could not be ended: ${what}`)
process.exit(left.length > 0 ? 1 : code)

async function tell() {
  const start = performance.now()
  try {
    const { steps } = await import(storyFile === undefined ? './story.mjs' : pathToFileURL(resolve(storyFile)).href)
    print.opening()
    const folder = mkdtempSync(join(tmpdir(), 'writ-demo-'))
    const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    cleanup.add('the temporary folder', remove, remove)
    const server = await startServer({ folder, cleanup })
    const { issuer } = server
    const administrator = commandLine(server, stop.signal)
    const wrong = await play({ steps, issuer, administrator, folder, print, signal: stop.signal })
    print.end(wrong, (performance.now() - start) / 1_000)
    return wrong === undefined ? 0 : 1
  } catch (error) {
    if (!stop.signal.aborted) console.error(`the demo could not be told: ${/** @type {Error} */ (error).stack}`)
    return 1
  }
}
