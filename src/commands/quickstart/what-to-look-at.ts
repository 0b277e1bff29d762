import { resolve } from 'node:path'
import { connectionCommands } from '../../embedded/connection-commands.ts'
import { quoteForShell } from '../../embedded/quote-for-shell.ts'
import { streamKey } from '../../models/stream-entry.ts'
import { parseDatabaseUrl } from '../../postgres-tls.ts'
import type { Settings } from '../../settings.ts'

export interface WhatToLookAtOptions {
  readonly settings: Settings
  readonly service: { readonly url: string }
  readonly databaseUrl: string
  readonly redisUrl: string
}

const TOKENS_BY_MODEL =
  'select model, count(*) as calls, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens, sum(cost) as dollars ' +
  'from llm_calls group by model order by calls desc'

const OWN_RECORD = "'*' service api level error message boom user.id 42"

/** Kept out of the list of commands that a shell has had; what follows has it, observatory tail and status too. */
const TAKE_TOKEN = 'read -rs ACCESS_TOKEN && export ACCESS_TOKEN'

/** Commands to paste into another terminal, a line each, indented, under a line that says what they show. Holds no password. */
export function whatToLookAt(options: WhatToLookAtOptions): string {
  const { settings, service } = options
  const isOpen = settings.accessTokens.length === 0
  // The certificate is hardly one for the address that is listened on.
  const curlProgram = service.url.startsWith('https:') ? 'curl -sk' : 'curl -s'
  const open = (path: string): string => `${curlProgram} ${quoteForShell(`${service.url}${path}`)}`
  const curl = (path: string): string =>
    isOpen ? open(path) : `${open(path)} -H "Authorization: Bearer $ACCESS_TOKEN"`
  const { psql, redisCli } = clientCommands(options)
  const stream = quoteForShell(streamKey(settings.streamPrefix, 'logs'))
  const sections: readonly (readonly [title: string, ...commands: string[]])[] = [
    ...(isOpen ? [] : [['First one of ACCESS_TOKENS that may read: it is not shown', TAKE_TOKEN] as const]),
    [
      `In a browser${isOpen ? '' : ' (any user, the token is the password)'}: what comes in, traces, whether ingest keeps up`,
      `${service.url}/`,
    ],
    [
      'Spans, errors in the logs, metrics',
      curl('/api/v1/spans?limit=5'),
      curl('/api/v1/logs?level=error'),
      curl('/api/v1/metrics'),
    ],
    ['The service itself, for Prometheus and for a readiness probe', curl('/metrics'), open('/readyz')],
    [
      'Sessions of users, and how evaluations came out by model',
      curl('/api/v1/sessions?limit=3'),
      curl('/api/v1/evaluations/stats?by=model'),
    ],
    [
      'Calls, tokens and cost by model, in SQL (leave out -c for a prompt)',
      `${psql} -c "${TOKENS_BY_MODEL}"`,
    ],
    [
      'A log record of your own, and a second later the same as a row',
      `${redisCli} XADD ${stream} ${OWN_RECORD}`,
      `${psql} -c "select time, service, level, body, attributes from log_view where body = 'boom'"`,
    ],
  ]
  return sections
    .map(([title, ...commands]) => `${title}:\n${commands.map((command) => `  ${command}\n`).join('')}`)
    .join('\n')
}

function clientCommands({ settings, databaseUrl, redisUrl }: WhatToLookAtOptions): {
  readonly psql: string
  readonly redisCli: string
} {
  const embedded = connectionCommands({
    dataDir: resolve(settings.dataDir),
    databaseUrl: settings.databaseUrl === undefined ? databaseUrl : undefined,
    redisUrl: settings.redisUrl === undefined ? redisUrl : undefined,
  })
  return {
    psql: embedded.psql ?? psqlFor(databaseUrl),
    redisCli: embedded.redisCli ?? redisCliFor(redisUrl),
  }
}

/** psql asks for the password by itself, when the server does. Its TLS default is the one we have, too. */
function psqlFor(databaseUrl: string): string {
  const { host, port, user, database, parameters } = parseDatabaseUrl(databaseUrl)
  const words = { host, port: String(port), user, dbname: database, sslmode: parameters.get('sslmode') }
  const info = Object.entries(words).map(([name, value]) =>
    value ? `${name}=${escapedForLibpq(value)}` : '',
  )
  return `psql ${quoteForShell(info.filter((word) => word !== '').join(' '))}`
}

/** A value of a libpq connection string (PostgreSQL documentation, 34.1.1.1). */
function escapedForLibpq(value: string): string {
  return /^[\w./:-]+$/.test(value) ? value : `'${value.replace(/[\\']/g, '\\$&')}'`
}

/** `--askpass` keeps the password out of the command. */
function redisCliFor(redisUrl: string): string {
  const isSocket = redisUrl.startsWith('/')
  const [path = '', query = ''] = redisUrl.split('?')
  const { protocol, hostname, port, username, password, pathname, searchParams } = new URL(
    isSocket ? `redis://socket?${query}` : redisUrl,
  )
  const host = hostname.replace(/^\[|\]$/g, '') || 'localhost'
  const words = isSocket ? ['-s', path] : ['-h', host, '-p', port || '6379']
  if (protocol === 'rediss:') words.push('--tls')
  const database = searchParams.get('db') ?? pathname.slice(1)
  if (database !== '' && database !== '0') words.push('-n', database)
  const user = searchParams.get('username') ?? decodeURIComponent(username)
  if (user !== '') words.push('--user', user)
  if (password !== '' || searchParams.has('password')) words.push('--askpass')
  return `redis-cli ${words.map(quoteForShell).join(' ')}`
}
