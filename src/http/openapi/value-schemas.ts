import { arrayOf, integer, type JsonSchema, nullable, object, ref, text } from './json-schema.ts'

const NON_FINITE = ['NaN', 'Infinity', '-Infinity']

/** What the members of records and results are made of. */
export const VALUE_SCHEMAS = {
  UnixNano: {
    type: 'string',
    pattern: '^[0-9]+$',
    description: 'Nanoseconds since 1970 (UTC), as text: they are past 2^53.',
    examples: ['1767225600000000000'],
  },
  TraceId: { type: 'string', pattern: '^[0-9a-f]{32}$', examples: ['5b8aa5a2d2c872e8321cf37308d69df2'] },
  SpanId: { type: 'string', pattern: '^[0-9a-f]{16}$', examples: ['051581bf3cb55c13'] },
  Number: {
    description: 'A number, or what JSON has no number for, as OTLP writes it.',
    anyOf: [{ type: 'number' }, { type: 'string', enum: NON_FINITE }],
  },
  Attributes: {
    type: 'object',
    additionalProperties: true,
    description:
      'Values by name: any JSON. Bytes are {"bytesValue": base64}; integers past 2^53 keep all their digits.',
    examples: [{ 'gen_ai.request.model': 'gpt-4o', 'http.response.status_code': 200 }],
  },
  Resource: object({ attributes: ref('Attributes') }, { schemaUrl: text() }),
  Scope: object({ attributes: ref('Attributes') }, { name: text(), version: text(), schemaUrl: text() }),
  Quantiles: nullable(object({ p50: integer(), p90: integer(), p95: integer(), p99: integer() })),
  Message: {
    ...object(
      {
        role: text('As it was sent: mostly system, user, assistant or tool.'),
        parts: arrayOf(ref('MessagePart')),
      },
      { name: text(), finishReason: text() },
    ),
    description: 'A message in the form of OpenTelemetry, whichever instrumentation told it.',
  },
  MessagePart: {
    description: 'By its type: what was said, a call of a tool or its answer, or something else as it came.',
    oneOf: [
      object({ type: { enum: ['text', 'reasoning'] }, content: text() }),
      object({ type: { const: 'tool_call' }, name: text() }, { id: text(), arguments: {} }),
      object({ type: { const: 'tool_call_response' }, response: {} }, { id: text() }),
      object({ type: { const: 'other' }, kind: text('The type that it came with.'), value: {} }),
    ],
  },
} satisfies Readonly<Record<string, JsonSchema>>

/** Tokens and cost, as they are told of traces and sessions. */
export const USAGE_MEMBERS = {
  inputTokens: integer(),
  outputTokens: integer(),
  cost: { type: 'number', description: 'US dollars.' },
}
