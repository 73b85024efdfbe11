// A health check for images that have no curl:
//
//   node deploy/healthy.mjs <url> [status]       exits 0 when the URL answers with that status (200) in 2 seconds
const [, , url, status = '200'] = process.argv
try {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000), redirect: 'manual' })
  if (String(answer.status) === status) process.exit(0)
  console.error(`${url} answers ${answer.status}`)
} catch (error) {
  console.error(`${url} does not answer: ${error.cause?.message ?? error.message}`)
}
process.exit(1)
