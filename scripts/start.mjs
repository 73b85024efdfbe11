// `npm start`: sets up what is missing or out of date, then becomes the server.
//
// The server runs in this very process, and the npm script ends in `exec`, so that a SIGTERM to npm reaches it.
import { setUpOrExit } from './setup.mjs'

await setUpOrExit()
await import('../dist/main.js')
