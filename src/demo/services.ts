export const SERVICES = ['gateway', 'agent', 'retriever', 'tools'] as const
export type DemoService = (typeof SERVICES)[number]

export const ENVIRONMENTS = ['production', 'staging'] as const
export type DemoEnvironment = (typeof ENVIRONMENTS)[number]

/** Resource attributes of one process of a service. Few and fixed, as those of real deployments are. */
export function resourceOf(
  service: DemoService,
  environment: DemoEnvironment,
): { attributes: Record<string, string> } {
  return {
    attributes: {
      'service.name': service,
      'service.namespace': 'demo-shop',
      'service.version': environment === 'production' ? '2.4.1' : '2.5.0-rc.2',
      'service.instance.id': `${service}-${environment}-1`,
      'deployment.environment.name': environment,
      'host.name': `${environment === 'production' ? 'prod' : 'stag'}-node-${SERVICES.indexOf(service) + 1}`,
      'telemetry.sdk.name': 'opentelemetry',
      'telemetry.sdk.language': service === 'gateway' ? 'nodejs' : 'python',
    },
  }
}
