// Where mails arrive: an SMTP server. What is in `mails` was delivered.
import { once } from 'node:events'
import { SMTPServer } from 'smtp-server'

const MAX_BYTES = 64 * 1024

/** Starts an SMTP server for everybody on this machine, on a port that is free. */
export async function startMailbox({ cleanup }) {
  const mails = []
  const smtp = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    size: MAX_BYTES,
    onData(stream, session, done) {
      const chunks = []
      stream.on('data', (chunk) => chunks.push(chunk))
      stream.on('error', done)
      stream.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const subject = /^Subject: (.*)$/m.exec(text)?.[1].trim()
        mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), subject, text })
        done()
      })
    },
  })
  // A connection that breaks is the sender's trouble.
  smtp.on('error', () => {})
  smtp.listen(0, '127.0.0.1')
  await once(smtp.server, 'listening')
  cleanup.add('the mailbox', () => new Promise((resolve) => smtp.close(() => resolve(undefined))))
  const { port } = /** @type {import('node:net').AddressInfo} */ (smtp.server.address())
  return { mails, port }
}
