import { isRefusal, refuse } from '../../core/refusal.ts'
import type { ActualAction } from './actual-action.ts'
import { type Admitted, admissionOf } from './admission.ts'
import type { ResourceRefusal } from './challenge.ts'
import { type CallAnswer, type KeptAnswer, toKeptAnswer } from './kept-answer.ts'
import type { ResourceRequest } from './resource-request.ts'
import type { Authorized, ResourceServer, UnenforcedCredentials } from './resource-server.ts'
import type { CallState, Effect, OnceOutcome, ResultStore, TransactionalResultStore } from './result-store.ts'

/** A call to be executed: the request, or what `verify` made of it, and the action it is. */
export interface OnceCall {
  readonly from: ResourceRequest | UnenforcedCredentials
  readonly actual: ActualAction | (() => ActualAction | Promise<ActualAction>)
}

/** What a call answered, now or when it ran. */
export interface OnceAnswer<Answer> {
  readonly answer: Answer | KeptAnswer
  /** Whether this is what was kept: the call ran before, and not now. */
  readonly isKept: boolean
}

/**
 * Verifies a call and executes it at most once; who lost its answer and asks again, with the same token and a fresh proof, gets
 * the answer that was kept.
 *
 * A retry is refused where there is none: `call_running`, `call_unfinished` (it may have run), `call_finished` (it has run). What
 * the effect throws is thrown, and the call counts as one that may have run.
 *
 * @throws TypeError when the server has no result store.
 */
export async function executeOnce<Answer extends CallAnswer>(
  server: ResourceServer,
  call: OnceCall,
  effect: (authorized: Authorized) => Promise<Answer>,
): Promise<OnceAnswer<Answer> | ResourceRefusal> {
  return execute(server, call, (results, { call, time, authorized }, keep) =>
    results.once(call, time, async () => keep(await effect(authorized))),
  )
}

/**
 * As `executeOnce`, with claim, effect and answer in one transaction of the server's result store: the effect runs exactly once
 * for an agent that retries until it has an answer. What the effect does beside the transaction has no such guarantee.
 *
 * What it throws undoes all of it, and the retry runs.
 *
 * @throws TypeError when `results` is not the result store of the server.
 */
export async function executeInTransaction<Transaction, Answer extends CallAnswer>(
  server: ResourceServer,
  results: TransactionalResultStore<Transaction>,
  call: OnceCall,
  effect: (authorized: Authorized, transaction: Transaction) => Promise<Answer>,
): Promise<OnceAnswer<Answer> | ResourceRefusal> {
  if (admissionOf(server).results !== results) throw new TypeError('these are not the results of this resource server')
  return execute(server, call, (_, { call, time, authorized }, keep) =>
    results.transact(call, time, async (transaction) => keep(await effect(authorized, transaction))),
  )
}

type Keep<Answer> = (answer: Answer) => Awaited<ReturnType<Effect>>

async function execute<Answer extends CallAnswer>(
  server: ResourceServer,
  { from, actual }: OnceCall,
  run: (results: ResultStore, admitted: Admitted, keep: Keep<Answer>) => Promise<OnceOutcome>,
): Promise<OnceAnswer<Answer> | ResourceRefusal> {
  const { admit, results } = admissionOf(server)
  if (results === undefined) throw new TypeError('createResourceServer needs results to execute once')

  // Step 1: is this the authorized action, and by who may?
  const credentials = 'unenforced' in from ? from : await server.verify(from)
  if (isRefusal(credentials)) return credentials
  const admitted = await admit(credentials, typeof actual === 'function' ? await actual() : actual)
  if (isRefusal(admitted)) return admitted

  // Step 2: may it begin? When the one use was given away before, only where no claim for sure means that it never began.
  const { call, time, earlier } = admitted
  if (earlier !== undefined && (earlier.hasReceipt || !results.isDurable)) {
    const over: CallState = { kind: earlier.hasReceipt ? 'unkept' : 'unfinished' }
    return told((await results.find(call, time)) ?? over)
  }

  // Step 3: run it, unless it began before.
  const ran: { answer?: Answer } = {}
  const outcome = await run(results, admitted, (answer) => {
    ran.answer = answer
    return toKeptAnswer(answer)
  })
  if (outcome.kind !== 'ran') return told(outcome)
  if (ran.answer === undefined) throw new TypeError('the result store says that the call ran, and it did not')
  return { answer: ran.answer, isKept: false }
}

/** What a retry hears. */
function told(outcome: Exclude<OnceOutcome, { kind: 'ran' }>): { answer: KeptAnswer; isKept: true } | ResourceRefusal {
  switch (outcome.kind) {
    case 'kept':
      return { answer: outcome.answer, isKept: true }
    case 'unkept':
      return refuse('call_finished', 'the call has run, and its answer was not kept')
    case 'running':
      return refuse('call_running', 'the call is running')
    case 'unfinished':
      return refuse('call_unfinished', 'the call began before, and may have run')
    case 'foreign':
      return refuse('token_replayed', 'the access token was used before')
    case 'full':
      return refuse('replay_store_full', 'too many requests at the moment')
    default:
      outcome satisfies never
      // A store of somebody else's may answer what we do not know.
      return refuse('call_unfinished', 'the call began before, and may have run')
  }
}
