/** A JSON Schema (draft 2020-12, that of OpenAPI 3.1). */
export type JsonSchema = Readonly<Record<string, unknown>>

type Members = Readonly<Record<string, JsonSchema>>

/** A schema of an object, which can be extended. */
export interface ObjectSchema extends JsonSchema {
  readonly required: readonly string[]
  readonly properties: Members
}

/** An object with members that are always there, and others that are left out where they do not apply. */
export function object(required: Members, optional: Members = {}): ObjectSchema {
  return {
    type: 'object',
    ...(Object.keys(required).length > 0 && { required: Object.keys(required) }),
    properties: { ...required, ...optional },
  } as ObjectSchema
}

/** An object with more members than another. */
export function extended(
  { required, properties }: ObjectSchema,
  more: Members,
  optional: Members = {},
): ObjectSchema {
  return {
    type: 'object',
    required: [...required, ...Object.keys(more)],
    properties: { ...properties, ...more, ...optional },
  }
}

/** The schema of this name among the components of the document. */
export function ref(name: string, description?: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}`, ...(description !== undefined && { description }) }
}

export function arrayOf(items: JsonSchema, description?: string): JsonSchema {
  return { type: 'array', items, ...(description !== undefined && { description }) }
}

/** A value that may be null instead. */
export function nullable(schema: JsonSchema): JsonSchema {
  return typeof schema.type === 'string'
    ? { ...schema, type: [schema.type, 'null'] }
    : { anyOf: [schema, { type: 'null' }] }
}

export function text(description?: string): JsonSchema {
  return { type: 'string', ...(description !== undefined && { description }) }
}

/** A count, or another number without a fraction; it may be past 2^53. */
export function integer(description?: string): JsonSchema {
  return { type: 'integer', ...(description !== undefined && { description }) }
}

export function flag(description: string): JsonSchema {
  return { type: 'boolean', description }
}

/** A member that says something only by being there. */
export function mark(description: string): JsonSchema {
  return { const: true, description }
}

export function oneOf(words: readonly string[], description?: string): JsonSchema {
  return { type: 'string', enum: [...words], ...(description !== undefined && { description }) }
}
