// What is printed: short lines, who does what, what was answered.
import { basename } from 'node:path'
import { styleText } from 'node:util'

const NAME_WIDTH = 28
/** Unit: columns. */
const MAX_COMMAND = 88

/** Prints with `write`, one call a line; colours only where a person looks at a terminal. */
export function transcript({ write, isColoured }) {
  const paint = (style, text) => (isColoured ? styleText(style, text, { validateStream: false }) : text)
  const indented = (line) => write(`      ${line}`)
  let chapters = 0
  return {
    opening() {
      write('An agent may send mail for Alice. It sends one; then it is taken over.')
      write(paint('dim', 'Starting a server of its own …'))
      write('')
    },
    parts({ issuer, smtpPort, apis }) {
      write('The parts, each at a port of its own:')
      write(`  server          ${issuer}  (writ, a process of its own)`)
      write(`  mail API        ${apis.mail.resource}  (writ/resource)`)
      write(`  newsletter API  ${apis.newsletter.resource}  (the same program)`)
      write(`  mailbox         smtp://127.0.0.1:${smtpPort}`)
    },
    chapter(title) {
      chapters += 1
      write('')
      write(paint('bold', `${chapters}. ${title}`))
    },
    step({ name, deed, must, came, isRight }) {
      write(`  ${isRight ? paint('green', '✓') : paint('red', '✗')} ${name.padEnd(NAME_WIDTH)}${deed.tries}`)
      if (deed.does === 'writ') for (const line of shown(deed.args)) indented(paint('dim', line))
      if (isRight) {
        for (const line of answer(deed, came)) indented(line)
        return
      }
      indented(`${paint('red', 'expected')}  ${JSON.stringify(must)}`)
      const { entries: _, ...rest } = came
      indented(`${paint('red', 'came')}      ${JSON.stringify(rest)}`)
    },
    end(wrong, seconds) {
      write('')
      if (wrong === undefined) write(paint('green', `Every step went as it should (${seconds.toFixed(1)} s).`))
      else write(paint('red', `The story went wrong at the step "${wrong}".`))
    },
  }
}

/** What was answered, in a line or two, or a small table. */
function answer({ does, at }, came) {
  const who = does === 'send' || does === 'call' ? `${at ?? 'mail'} API` : 'server'
  if (came.error !== undefined) return [`${who}: ${came.status} ${came.error}: ${came.why}`]
  switch (does) {
    case 'writ':
      return [came.said]
    case 'enrol':
      return [`server: it is ${came.agent}`]
    case 'find':
      return [`server: ${came.delegations} delegation, of ${came.principal}, at ${came.resource}`]
    case 'exchange':
      return [`server: a token for ${came.granted}, good for one call within ${came.seconds} s`]
    case 'send':
    case 'call':
      return [`${who}: ${came.status}, delivered`]
    case 'mailbox':
      return came.mails.map(({ to, subject }) => `1 mail: to ${to.join(', ')}, "${subject}"`)
    case 'counts':
      return Object.entries(came).map(([name, { sent, refused }]) => `${name}: ${sent} sent, ${refused} refused`)
    case 'record':
      return table(came.entries)
    default:
      return []
  }
}

/** The record as a small table. */
function table(entries) {
  const rows = entries.map(({ at, client, decision, kind, action_type, action, refusal, because }) => [
    new Date(at * 1_000).toISOString().slice(11, 19),
    client ?? '',
    decision,
    because?.operation ?? [action_type ?? kind, action?.to?.join(', ')].filter((text) => text).join(' to '),
    refusal ?? '',
  ])
  const all = [['TIME', 'BY', 'DECISION', 'WHAT', 'WHY NOT'], ...rows]
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)))
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  )
}

/** A command as one would type it, in lines that are not too long; of files only the name. */
function shown(args) {
  const lines = ['$ writ']
  for (const group of grouped(args)) {
    const text = group.map(quoted).join(' ')
    const longer = `${lines.at(-1)} ${text}`
    if (longer.length > MAX_COMMAND && group[0].startsWith('--')) lines.push(`${lines.pop()} \\`, `    ${text}`)
    else lines[lines.length - 1] = longer
  }
  return lines
}

/** An option and its value stay together. */
function grouped(args) {
  const groups = []
  for (const arg of args) {
    if (arg.startsWith('--') || !groups.at(-1)?.[0].startsWith('--')) groups.push([arg])
    else groups.at(-1).push(arg)
  }
  return groups
}

function quoted(arg) {
  const word = arg.startsWith('/') ? basename(arg) : arg
  return /^[\w./:@-]+$/.test(word) ? word : `'${word}'`
}
