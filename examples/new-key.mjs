// Makes a key pair for a client, and a credential file as the command line `writ` reads it.
//
//   node examples/new-key.mjs <client id>
import { writeFileSync } from 'node:fs'
import { exportJWK, generateKeyPair } from 'jose'

const [clientId] = process.argv.slice(2)
if (clientId === undefined) {
  console.error('usage: node examples/new-key.mjs <client id>')
  process.exit(2)
}
const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
const credential = { client_id: clientId, jwk: await exportJWK(privateKey) }
// "wx": a file that is there already is somebody's key.
writeFileSync(`${clientId}.credential.json`, `${JSON.stringify(credential)}\n`, { mode: 0o600, flag: 'wx' })
console.log(`${clientId}.credential.json: the private key, for its owner only (0600)`)
writeFileSync(`${clientId}.pub.jwk`, `${JSON.stringify(await exportJWK(publicKey))}\n`, { flag: 'wx' })
console.log(`${clientId}.pub.jwk: the public key, to be registered`)
