// The mail API as a process of its own, for docker-compose.yml: WRIT_ISSUER, MAIL_API (its identifier), HOST (where it listens).
import { startMailApi } from './mail-api.mjs'

const { WRIT_ISSUER = 'http://localhost:3000', MAIL_API = 'http://localhost:4000', HOST = 'localhost' } = process.env
const { close } = await startMailApi(WRIT_ISSUER, MAIL_API, HOST)
console.log(`mail API listening on ${MAIL_API}`)
process.once('SIGTERM', close)
