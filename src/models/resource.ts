import type { Attributes } from './attributes.ts'

/** The entity that produced telemetry (OpenTelemetry `Resource`). */
export interface Resource {
  readonly attributes: Attributes
  readonly schemaUrl: string | undefined
}

/** The library that recorded telemetry (OpenTelemetry `InstrumentationScope`). */
export interface InstrumentationScope {
  readonly name: string | undefined
  readonly version: string | undefined
  readonly attributes: Attributes
  readonly schemaUrl: string | undefined
}
