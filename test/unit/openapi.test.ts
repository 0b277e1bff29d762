import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AccessTokens } from '../../src/http/access/access-tokens.ts'
import { buildServer, type HttpServerOptions } from '../../src/http/server.ts'
import { createMetrics } from '../../src/metrics.ts'

const COMMITTED = fileURLToPath(new URL('../../docs/openapi.json', import.meta.url))

interface Parameter {
  readonly name: string
  readonly in: string
  readonly description?: string
  readonly schema: Readonly<Record<string, unknown>>
}

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly tags: readonly string[]
  readonly parameters?: readonly Parameter[]
  readonly responses: Readonly<Record<string, unknown>>
}

interface Document extends Record<string, unknown> {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly tags: readonly { readonly name: string }[]
}

let app: FastifyInstance
let document: Document

beforeAll(async () => {
  // Routes are added, and none of them is asked for anything that needs more than itself.
  const nothing = {} as never
  const limits: HttpServerOptions['limits'] = { pageMaxRows: 1, exportMaxRows: 0, queryTimeoutMs: 0 }
  app = buildServer({
    guard: {
      tokens: new AccessTokens([]),
      host: '127.0.0.1',
      allowedHosts: [],
      requestsPerSecond: 0,
      maxConnections: 1,
      tls: undefined,
      readTls: () => undefined,
    },
    ...{ limits, logger: nothing, metrics: createMetrics(), readiness: nothing, repositories: nothing },
    tail: { tails: nothing, maxWatchers: 1 },
    otlp: { receiver: nothing, body: nothing },
  })
  document = (await app.inject('/openapi.json')).json()
})
afterAll(() => app?.close())

/** `GET /api/v1/traces/{traceId}` and so on, as Fastify's own tree of them has it. */
function routesOfFastify(): string[] {
  const above: string[] = []
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', path = '', methods = ''] = /^(\W*)[├└]── (\S+) \((.+)\)$/.exec(line) ?? []
      const depth = indent.length / 4
      above.splice(depth, above.length, (above[depth - 1] ?? '') + path)
      const url = above[depth]?.replaceAll(/:(\w+)/g, '{$1}')
      return methods
        .split(', ')
        .filter((method) => method !== 'HEAD' && path !== '')
        .map((method) => `${method} ${url}`)
    })
}

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
  )

describe('the OpenAPI document', () => {
  test('is what is committed (WRITE_OPENAPI=1 writes it anew)', async () => {
    const text = `${JSON.stringify(document, null, 2)}\n`
    if (process.env.WRITE_OPENAPI === '1') await writeFile(COMMITTED, text)
    expect(text).toBe(await readFile(COMMITTED, 'utf8'))
  })

  test('is valid, and whatever it refers to is in it', async () => {
    expect(await new Validator().validate(structuredClone(document))).toEqual({ valid: true })
    for (const [, pointer] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = pointer?.split('/').reduce<unknown>((at, key) => (at as Document)[key], document)
      expect(found, pointer).toBeDefined()
    }
  })

  test('has every route but those of the page; of others it is only said that they are not allowed', async () => {
    const described = operations().map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    const known = routesOfFastify().filter((route) => !/^GET \/($|page\/)/.test(route))
    expect(known.length).toBeGreaterThan(30)
    expect(described.filter((route) => !known.includes(route))).toEqual([])
    for (const route of known.filter((each) => !described.includes(each))) {
      const [method, url] = route.split(' ') as ['GET', string]
      const { statusCode, headers } = await app.inject({ method, url })
      expect([route, statusCode]).toEqual([route, route.startsWith('OPTIONS') ? 204 : 405])
      expect([route, headers.allow]).toEqual([route, expect.stringMatching(/^(?:GET|GET, HEAD|POST)$/)])
    }
  })

  test('has a description of every parameter, and a parameter for every part of a path', () => {
    for (const { path, method, parameters = [] } of operations()) {
      for (const { name, description = '' } of parameters)
        expect(description.length, `${method} ${path}: ${name}`).toBeGreaterThan(8)
      const parts = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      expect(parameters.filter((each) => each.in === 'path').map(({ name }) => name)).toEqual(parts)
    }
  })

  test('has a name, a summary and a tag of every operation', () => {
    const tags = document.tags.map(({ name }) => name)
    const names = operations().map(({ operationId }) => operationId)
    expect(new Set(names).size).toBe(names.length)
    for (const { path, summary, tags: own } of operations()) {
      expect(summary, path).toMatch(/^[A-Z].+[^.]$/)
      expect(tags).toContain(own[0])
    }
  })

  test('says what a query may be, and not what it may not', async () => {
    const { parameters = [] } = document.paths['/api/v1/llm/usage']?.get ?? {}
    expect(parameters.find(({ name }) => name === 'by')).toMatchObject({
      in: 'query',
      description: expect.stringContaining('provider, service'),
      schema: { default: 'model', maxLength: 1024 },
    })
    const spans = document.paths['/api/v1/spans']?.get?.parameters ?? []
    expect(spans.find(({ name }) => name === 'kind')?.schema).toMatchObject({
      enum: expect.arrayContaining(['server']),
    })
    expect(spans.find(({ name }) => name === 'attributes')).toMatchObject({
      explode: true,
      style: 'form',
      schema: { patternProperties: { '^attr\\.[^\\u0000]{1,256}$': { type: 'string' } } },
    })
    for (const { path, parameters: own = [] } of operations()) {
      if (!path.startsWith('/api/')) continue
      const wrong = own.filter(({ schema }) => schema.enum !== undefined).map(({ name }) => `${name}=!`)
      const url = path.replace('{spanId}', '0'.repeat(16)).replaceAll(/\{\w+\}/g, '0'.repeat(32))
      for (const query of ['unknown=1', ...wrong])
        expect([url, query, (await app.inject(`${url}?${query}`)).statusCode]).toEqual([url, query, 400])
    }
  })
})
