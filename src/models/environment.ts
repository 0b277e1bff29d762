import type { Attributes } from './attributes.ts'

/** OpenTelemetry's `deployment.environment.name`, and its name before semantic conventions 1.27. */
const ENVIRONMENT_KEYS = ['deployment.environment.name', 'deployment.environment'] as const

/** The deployment environment that the attributes of a resource name. */
export function environmentOf(attributes: Attributes): string | undefined {
  for (const key of ENVIRONMENT_KEYS) {
    const environment = attributes[key]
    if (typeof environment === 'string') return environment
  }
  return undefined
}
