import type { Tracing } from './tracing.ts'

type Step = (...args: never[]) => Promise<unknown>

/**
 * A port whose functions run in spans: what is traced is the boundary of a step, so no step knows of it. Arguments and results are not
 * looked at.
 *
 * @param steps the functions to trace, and what their span is called.
 */
export function traced<Port extends object>(
  tracing: Tracing | undefined,
  port: Port,
  steps: { readonly [Name in keyof Port]?: Port[Name] extends Step ? string : never },
): Port {
  if (tracing === undefined) return port
  const wrapped = new Map<string, unknown>(Object.entries(port))
  for (const [name, label] of Object.entries(steps)) {
    const work = wrapped.get(name) as (...args: unknown[]) => Promise<unknown>
    wrapped.set(name, (...args: unknown[]) => tracing.step(String(label), () => work(...args)))
  }
  return Object.fromEntries(wrapped) as Port
}
