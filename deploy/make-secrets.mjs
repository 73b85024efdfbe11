// Makes the secrets that docker-compose.yml hands to its services, once; what is there already stays:
//
//   node deploy/make-secrets.mjs [folder]        default: deploy/secrets
//
// The folder is its owner's alone. The files in it can be read by all, for they are mounted one by one into containers that
// run as other users.
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = process.argv[2] ?? fileURLToPath(new URL('secrets', import.meta.url))
const password = randomBytes(24).toString('base64url')
const FILES = {
  database_password: password,
  database_url: `postgresql://writ:${password}@database:5432/writ`,
  key_encryption_key: randomBytes(32).toString('base64url'),
}

mkdirSync(folder, { recursive: true, mode: 0o700 })
const present = Object.keys(FILES).filter((name) => existsSync(join(folder, name)))
if (present.length > 0) {
  console.error(`${folder} holds ${present.join(', ')} already; nothing was changed`)
  process.exit(present.length === Object.keys(FILES).length ? 0 : 1)
}
for (const [name, value] of Object.entries(FILES)) {
  writeFileSync(join(folder, name), `${value}\n`, { flag: 'wx', mode: 0o400 })
  // Whatever the umask: the other users of the containers must be able to read it.
  chmodSync(join(folder, name), 0o444)
}
console.log(`made ${Object.keys(FILES).join(', ')} in ${folder}`)
console.log('next: keep key_encryption_key apart from the database; without it what is sealed there stays sealed')
