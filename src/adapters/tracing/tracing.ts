import { AsyncLocalStorage } from 'node:async_hooks'
import type { Attributes, Context, Span } from '@opentelemetry/api'

/** What is said of a request when it was answered. Nothing in it names a caller, a token or a key. */
export interface RequestTraced {
  readonly route: string
  readonly status: number
  readonly refusal: string | undefined
  readonly requestId: string
}

export interface Tracing {
  /** Runs a request in a span of its own, below the caller's where `traceparent` names one (W3C Trace Context §3.2). */
  readonly request: (
    method: string,
    traceparent: string | undefined,
    work: () => Promise<RequestTraced>,
  ) => Promise<void>
  /** Runs one step of a request in a span below it; outside of a request, and of one that is not sampled, just runs it. */
  readonly step: <Result>(name: string, work: () => Promise<Result>) => Promise<Result>
  /** Sends what was not sent yet, for as long as one attempt may take. */
  readonly close: () => Promise<void>
}

/** Version, trace, parent, flags (W3C Trace Context §3.2.2); zeroes name nothing. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/
const EXPORT_TIMEOUT_MS = 3_000

/**
 * Opens the sending of spans to an OpenTelemetry collector, by OTLP over HTTP with JSON. Loaded when it is called.
 *
 * A collector that is away or slow costs spans, never requests: they are sent in batches in the background, and dropped when 2,048 wait.
 *
 * @param endpoint base URL of the collector; `/v1/traces` is added. Headers and sampling come from the OTEL_ variables.
 */
export async function openTracing(endpoint: string, serviceName: string): Promise<Tracing> {
  const [{ ROOT_CONTEXT, SpanKind, SpanStatusCode, trace }, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ])
  const url = `${endpoint.replace(/\/$/, '')}/v1/traces`
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS })
  const provider = new sdk.BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName }),
    spanProcessors: [new sdk.BatchSpanProcessor(exporter, { exportTimeoutMillis: EXPORT_TIMEOUT_MS })],
  })
  const tracer = provider.getTracer('writ')
  const current = new AsyncLocalStorage<Context>()

  const parentOf = (traceparent: string | undefined): Context => {
    const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? []
    if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT
    return trace.setSpanContext(ROOT_CONTEXT, {
      ...{ traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true },
    })
  }
  /** The message of an error may repeat what somebody sent, so only its name is told. */
  const fail = (span: Span, error: unknown) => {
    span.setStatus({ code: SpanStatusCode.ERROR })
    span.setAttribute('error.type', error instanceof Error ? error.name : 'unknown')
  }
  const within = async <Result>(span: Span, parent: Context, work: () => Promise<Result>): Promise<Result> => {
    try {
      return await current.run(trace.setSpan(parent, span), work)
    } catch (error) {
      fail(span, error)
      throw error
    } finally {
      span.end()
    }
  }
  return {
    request: (method, traceparent, work) => {
      const parent = parentOf(traceparent)
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER }, parent)
      return within(span, parent, async () => {
        const { route, status, refusal, requestId } = await work()
        const attributes: Attributes = {
          'http.request.method': method,
          'http.route': route,
          'http.response.status_code': status,
          'writ.request_id': requestId,
        }
        span.updateName(`${method} ${route}`)
        span.setAttributes(attributes)
        if (refusal !== undefined) span.setAttribute('writ.refusal', refusal)
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
      })
    },
    step: (name, work) => {
      const parent = current.getStore()
      return parent === undefined ? work() : within(tracer.startSpan(name, {}, parent), parent, work)
    },
    close: () => provider.shutdown().catch(() => undefined),
  }
}
