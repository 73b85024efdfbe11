import type { Counter, Gauge, Histogram, MetricObjectWithValues, MetricValue } from 'prom-client'

/** One request, as its door saw it. Nothing in it names a caller. */
export interface RequestSeen {
  /** The pattern of the route, never the path. */
  readonly route: string
  readonly status: number
  /** The refusal that was answered, if it was one. */
  readonly refusal: string | undefined
  /** Whether it asked for a token by exchange (RFC 8693). */
  readonly isExchange: boolean
  /** From the request's head to its answer's. Unit: seconds. */
  readonly seconds: number
}

/** What is read when somebody looks. */
export interface MetricSources {
  /** Issuances that wait for the database. */
  readonly commitsWaiting: () => number
  /** Connections of this process to the database; absent where it is embedded. */
  readonly connections: (() => { readonly total: number; readonly idle: number; readonly waiting: number }) | undefined
  /** Requests that were turned away at the door, since the start. */
  readonly shed: () => number
}

/** The values of one process, as one that adds up several takes them. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[]

export interface Metrics {
  readonly saw: (request: RequestSeen) => void
  readonly snapshot: () => Promise<MetricsSnapshot>
}

/** From a millisecond to what a hanging database takes to be given up. Unit: seconds. */
const BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]

/** Opens the metrics of this process. Loaded when it is called: a server without metrics does not hold the package. */
export async function openMetrics(sources: MetricSources): Promise<Metrics> {
  const prom = await import('prom-client')
  const register = new prom.Registry()
  const registers = [register]
  prom.collectDefaultMetrics({ register })

  const requests: Counter = new prom.Counter({
    ...{
      name: 'writ_requests_total',
      help: 'Requests by route and outcome',
      labelNames: ['route', 'outcome'],
      registers,
    },
  })
  const refusals: Counter = new prom.Counter({
    ...{ name: 'writ_refusals_total', help: 'Refusals by code', labelNames: ['code'], registers },
  })
  const exchanges: Histogram = new prom.Histogram({
    ...{ name: 'writ_exchange_seconds', help: 'How long a token exchange took, in the server', registers },
    ...{ labelNames: ['outcome'], buckets: BUCKETS },
  })
  const gauge = (name: string, help: string, collect: (this: Gauge) => void) =>
    new prom.Gauge({ name, help, registers, collect })
  gauge('writ_commits_waiting', 'Issuances that wait for the database', function () {
    this.set(sources.commitsWaiting())
  })
  new prom.Counter({
    ...{ name: 'writ_shed_total', help: 'Requests turned away at the door, for there was too much to do', registers },
    collect() {
      this.reset()
      this.inc(sources.shed())
    },
  })
  const { connections } = sources
  if (connections !== undefined) {
    gauge('writ_database_connections', 'Connections to the database', function () {
      this.set(connections().total)
    })
    gauge('writ_database_connections_idle', 'Connections to the database that are idle', function () {
      this.set(connections().idle)
    })
    gauge('writ_database_waiting', 'Statements that wait for a connection', function () {
      this.set(connections().waiting)
    })
  }
  return {
    saw: ({ route, status, refusal, isExchange, seconds }) => {
      const outcome = outcomeOf(status)
      requests.inc({ route, outcome })
      if (refusal !== undefined) refusals.inc({ code: refusal })
      if (isExchange) exchanges.observe({ outcome }, seconds)
    },
    snapshot: () => register.getMetricsAsJSON() as Promise<MetricsSnapshot>,
  }
}

const outcomeOf = (status: number) =>
  status < 400 ? 'ok' : status < 500 ? 'refused' : status === 503 ? 'unavailable' : 'fault'
