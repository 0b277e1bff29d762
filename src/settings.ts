import { CONTENT_POLICIES, type ContentPolicyName } from './models/privacy/content-policy.ts'
import { READY_RULE_NAMES, type ReadyRuleName } from './models/privacy/ready-rules.ts'
import { MAX_RETENTION_DAYS, type RetentionRuleText } from './models/retention-rule.ts'

/** Levels of the log, most talkative first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Whether a dead letter keeps the refused record: with what must not be kept hidden as in any other, as it came, or not at all. */
export const DEAD_LETTER_PAYLOADS = ['redact', 'keep', 'drop'] as const
export type DeadLetterPayload = (typeof DEAD_LETTER_PAYLOADS)[number]

/** What Redis must have done with an export request before it is answered 200: taken it, copied it to a replica, put it on disk. */
export const OTLP_DURABILITIES = ['memory', 'replica', 'disk'] as const
export type OtlpDurability = (typeof OTLP_DURABILITIES)[number]

/** The time range that one partition of a telemetry table covers. */
export const PARTITION_INTERVALS = ['day', 'hour'] as const
export type PartitionInterval = (typeof PARTITION_INTERVALS)[number]

/** Which partitions get the indexes that only some have (src/retention/partition-indexes.ts). */
export const INDEXED_PARTITIONS = ['closed', 'hot', 'off'] as const
export type IndexedPartitions = (typeof INDEXED_PARTITIONS)[number]

/** The form of archives. */
export const ARCHIVE_FORMATS = ['parquet', 'ndjson'] as const
export type ArchiveFormat = (typeof ARCHIVE_FORMATS)[number]

/** What a token is for: `ingest` sends telemetry, `read` asks for it, `admin` does both. */
export const ACCESS_ROLES = ['ingest', 'read', 'admin'] as const
export type AccessRole = (typeof ACCESS_ROLES)[number]
/** A token that opens the HTTP server, after its role. */
export type AccessToken = `${AccessRole}:${string}`

/** Where HTTP may be listened to while there are no tokens. */
export const OPEN_PLACES = ['loopback', 'anywhere'] as const
export type OpenPlace = (typeof OPEN_PLACES)[number]

/** Every setting of the program, checked and frozen. Units are in the names; what each does is in {@link SETTINGS}. */
export interface Settings {
  readonly databaseUrl: string | undefined
  readonly redisUrl: string | undefined
  readonly httpHost: string
  readonly httpPort: number
  readonly httpWithoutTokens: OpenPlace
  readonly httpAllowedHosts: string | undefined
  readonly httpTlsCertFile: string | undefined
  readonly httpTlsKeyFile: string | undefined
  readonly httpMaxConnections: number
  readonly httpRateLimit: number
  readonly accessTokens: readonly AccessToken[]
  readonly accessToken: string | undefined
  readonly streamPrefix: string
  readonly consumerGroup: string
  readonly consumerName: string | undefined
  readonly batchMaxRows: number
  readonly batchMaxBytes: number
  readonly batchMaxAgeMs: number
  readonly readCount: number
  readonly readBlockMs: number
  readonly inFlightMaxBytes: number
  readonly reclaimMinIdleMs: number
  readonly streamKeepEntries: number
  readonly ledgerKeepDays: number
  readonly writeConcurrency: number
  readonly databasePoolMax: number
  readonly resultCacheMaxBytes: number
  readonly tailMaxWatchers: number
  readonly recordMaxBytes: number
  readonly recordMaxDepth: number
  readonly acceptPastDays: number
  readonly acceptFutureDays: number
  readonly otlpMaxBodyBytes: number
  readonly otlpInFlightMaxBytes: number
  readonly otlpBacklogMaxEntries: number
  readonly otlpDurability: OtlpDurability
  readonly otlpServiceRateLimit: number
  readonly seriesMaxPerMetric: number
  readonly seriesMaxPerService: number
  readonly deadLetterPayload: DeadLetterPayload
  readonly redact: readonly ReadyRuleName[]
  readonly redactionFile: string | undefined
  readonly content: ContentPolicyName
  readonly contentMaxCharacters: number
  readonly pricesFile: string | undefined
  readonly partitionInterval: PartitionInterval
  readonly partitionsAhead: number
  readonly indexPartitions: IndexedPartitions
  readonly retentionTracesDays: number
  readonly retentionMetricsDays: number
  readonly retentionLogsDays: number
  readonly retentionRules: readonly RetentionRuleText[]
  readonly archiveUrl: string | undefined
  readonly archiveFormat: ArchiveFormat
  readonly archiveS3Endpoint: string | undefined
  readonly archiveS3Region: string
  readonly archiveS3KeyId: string | undefined
  readonly archiveS3SecretKey: string | undefined
  readonly startupTimeoutMs: number
  readonly shutdownTimeoutMs: number
  readonly queryTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly pageMaxRows: number
  readonly exportMaxRows: number
  readonly logLevel: LogLevel
  readonly dataDir: string
  readonly embeddedPostgresBin: string | undefined
}

/** A number of things, days or milliseconds; `bytes` also takes `64MiB` or `4MB`. */
export interface NumberSetting {
  readonly kind: 'integer' | 'bytes'
  readonly default: number
  readonly min: number
  readonly max: number
  readonly description: string
}

/**
 * Text: anything (`text`), one word without white space (`word`), a URL of one server, or a token. A `postgresUrl`
 * and a `redisUrl` hold a password, so they, a `token` of ours and a `secret` of others can also be read from a file: DATABASE_URL_FILE.
 */
export interface TextSetting<T extends string | undefined = string | undefined> {
  readonly kind: 'text' | 'word' | 'postgresUrl' | 'redisUrl' | 'token' | 'secret'
  readonly default: T
  readonly maxLength: number
  readonly description: string
}

/** One of a closed list of words. */
export interface ChoiceSetting<T extends string = string> {
  readonly kind: 'choice'
  readonly default: T
  readonly choices: readonly T[]
  readonly description: string
}

/** Any of a closed list of words: a list, or text with commas between them. */
export interface WordsSetting<T extends string = string> {
  readonly kind: 'words'
  readonly default: readonly T[]
  readonly choices: readonly T[]
  readonly description: string
}

/** Tokens with their roles, `role:token`, with commas or white space between them; a secret as {@link TextSetting} has it. */
export interface TokensSetting {
  readonly kind: 'tokens'
  readonly default: readonly AccessToken[]
  readonly description: string
}

/** Exceptions of retention (models/retention-rule.ts): one a line or with commas between, or a list. */
export interface RetentionRulesSetting {
  readonly kind: 'retentionRules'
  readonly default: readonly RetentionRuleText[]
  readonly description: string
}

export type Setting =
  | NumberSetting
  | TextSetting
  | ChoiceSetting
  | WordsSetting
  | TokensSetting
  | RetentionRulesSetting

type SettingFor<T> = [T] extends [number]
  ? NumberSetting
  : [T] extends [readonly AccessToken[]]
    ? TokensSetting
    : [T] extends [readonly RetentionRuleText[]]
      ? RetentionRulesSetting
      : [T] extends [readonly (infer Word)[]]
        ? WordsSetting<Word & string>
        : string extends T
          ? TextSetting<T & (string | undefined)>
          : ChoiceSetting<T & string>

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

/** A reply that waits longer than this would make stopping and noticing a dead Redis slow. */
export const MAX_READ_BLOCK_MS = 10_000

/**
 * Every setting: its kind, its default, what is allowed and, in one sentence, what it does. Parsing, the
 * options of the command line, their help and the table in the documentation all come from here. The key
 * gives the names: `httpPort` is `HTTP_PORT` in the environment and the file, `--http-port` as a flag.
 */
export const SETTINGS: { readonly [K in keyof Settings]: SettingFor<Settings[K]> } = {
  databaseUrl: url(
    'postgresUrl',
    'PostgreSQL to use (postgresql://user:password@host:5432/database); without it one is embedded.',
  ),
  redisUrl: url(
    'redisUrl',
    'Redis to use (redis://, rediss://, redis+sentinel:// or the path of a unix socket); without it one is embedded.',
  ),
  httpHost: word('127.0.0.1', 255, 'Address the HTTP server listens on; 0.0.0.0 is every IPv4 interface.'),
  httpPort: integer(4318, 0, 65_535, 'Port the HTTP server listens on; 0 is any free one.'),
  httpWithoutTokens: choice(
    'loopback',
    OPEN_PLACES,
    'Where the HTTP server may listen without ACCESS_TOKENS: on this machine alone, or anywhere (something in front decides who may ask).',
  ),
  httpAllowedHosts: optionalText(
    'Host names, with commas between them, by which the HTTP server is asked beside localhost.',
  ),
  httpTlsCertFile: optionalText(
    'Certificate (PEM, with those it is signed by) for HTTPS; looked at again each minute.',
  ),
  httpTlsKeyFile: optionalText('Key (PEM) of the certificate.'),
  httpMaxConnections: integer(
    20_000,
    1,
    1_000_000,
    'Connections of clients at once; further ones are closed.',
  ),
  httpRateLimit: integer(
    0,
    0,
    1_000_000,
    'Requests a second of one client (its token, or its address), past which it is answered 429; 0 is no limit.',
  ),
  accessTokens: {
    kind: 'tokens',
    default: [],
    description:
      'Tokens that open the HTTP server, each with its role (ingest, read or admin): ingest:<token>,read:<token>.',
  },
  accessToken: {
    kind: 'token',
    default: undefined,
    maxLength: 4096,
    description: 'Token that commands send to a service.',
  },
  streamPrefix: word(
    'telemetry',
    200,
    'Start of the stream names: telemetry gives telemetry:traces, telemetry:metrics and telemetry:logs.',
  ),
  consumerGroup: word('observatory', 200, 'Consumer group that the streams are read with.'),
  consumerName: optionalWord(
    200,
    'Name of this consumer in the group; without it the host name and the lowest free slot.',
  ),
  batchMaxRows: integer(10_000, 1, 1_000_000, 'Rows at which a batch is written.'),
  batchMaxBytes: bytes(4 * MIB, 4 * KIB, 256 * MIB, 'Bytes at which a batch is written.'),
  batchMaxAgeMs: integer(250, 1, 60_000, 'Age at which a batch is written, however small.'),
  readCount: integer(256, 1, 100_000, 'Entries asked of a stream in one read, at most.'),
  readBlockMs: integer(1000, 1, MAX_READ_BLOCK_MS, 'How long one read waits for entries.'),
  inFlightMaxBytes: bytes(
    64 * MIB,
    8 * KIB,
    64 * GIB,
    'Bytes read and not yet committed, over all streams, at which reading pauses.',
  ),
  reclaimMinIdleMs: integer(
    60_000,
    1000,
    86_400_000,
    'How long an entry lies with a consumer that is gone before another one takes it over.',
  ),
  streamKeepEntries: integer(
    10_000,
    0,
    1_000_000_000,
    'Entries that stay in a stream after every group is done with them.',
  ),
  ledgerKeepDays: integer(7, 1, 3650, 'Days for which it is known what was ingested, at least.'),
  writeConcurrency: integer(2, 1, 16, 'Batches of one telemetry signal that are written at the same time.'),
  databasePoolMax: integer(10, 2, 1000, 'PostgreSQL connections that queries of the API use, at most.'),
  resultCacheMaxBytes: bytes(
    32 * MIB,
    0,
    GIB,
    'Memory of Redis that answers of statistics take, at most; 0 keeps none.',
  ),
  tailMaxWatchers: integer(2000, 1, 100_000, 'Tails that may be open at once, each of one client.'),
  recordMaxBytes: bytes(MIB, KIB, 16 * MIB, 'Size past which a record is refused.'),
  recordMaxDepth: integer(32, 1, 128, 'Nesting past which a record is refused.'),
  acceptPastDays: integer(30, 1, 3650, 'Age past which a record is refused.'),
  acceptFutureDays: integer(1, 0, 365, 'How far ahead of the clock a record may be before it is refused.'),
  otlpMaxBodyBytes: bytes(
    64 * MIB,
    KIB,
    GIB,
    'Size past which the body of an OTLP request is refused, also after decompression.',
  ),
  otlpInFlightMaxBytes: bytes(
    80 * MIB,
    KIB,
    64 * GIB,
    'Bytes of OTLP bodies in memory past which further ones are answered 503.',
  ),
  otlpBacklogMaxEntries: integer(
    1_000_000,
    1,
    1_000_000_000,
    'Entries of a stream beyond STREAM_KEEP_ENTRIES, past which OTLP requests are answered 503: ingest is behind.',
  ),
  otlpDurability: choice(
    'memory',
    OTLP_DURABILITIES,
    'What Redis must have done with an OTLP request before it is answered 200: taken it, copied it to a replica (WAIT), put it on disk (WAITAOF, Redis 7.2).',
  ),
  otlpServiceRateLimit: integer(
    0,
    0,
    100_000_000,
    'Records a second of one service by OTLP, past which its requests are answered 429; 0 is no limit.',
  ),
  seriesMaxPerMetric: integer(
    10_000,
    1,
    10_000_000,
    'Series of one metric past which points of new ones are refused.',
  ),
  seriesMaxPerService: integer(
    50_000,
    1,
    10_000_000,
    'Series of one service past which points of new ones are refused.',
  ),
  deadLetterPayload: choice(
    'redact',
    DEAD_LETTER_PAYLOADS,
    'What a dead letter keeps of the refused record: what may be kept of any other, all of it, nothing.',
  ),
  redact: words(READY_RULE_NAMES, 'What is hidden in texts and attributes before they are stored.'),
  redactionFile: optionalText('YAML file with redaction rules of your own.'),
  content: choice(
    'keep',
    CONTENT_POLICIES,
    'What is kept of prompts and completions: all, CONTENT_MAX_CHARACTERS of each text, a hash, nothing.',
  ),
  contentMaxCharacters: integer(
    1000,
    1,
    10_000_000,
    'Characters that CONTENT=truncate keeps of each text of a prompt or completion.',
  ),
  pricesFile: optionalText('YAML file with prices of models, which come before those of the product.'),
  partitionInterval: choice('day', PARTITION_INTERVALS, 'Time range of one partition.'),
  partitionsAhead: integer(3, 1, 100, 'Partitions that are made ahead of time.'),
  indexPartitions: choice(
    'closed',
    INDEXED_PARTITIONS,
    'Which partitions get indexes for attributes and words: those whose time is over, those of now too (hot: ingest is slower), none.',
  ),
  retentionTracesDays: retentionDays('spans and evaluations'),
  retentionMetricsDays: retentionDays('data points'),
  retentionLogsDays: retentionDays('log records'),
  retentionRules: {
    kind: 'retentionRules',
    default: [],
    description:
      'Exceptions of retention, the first one that matches decides: "logs level<=debug 3, traces status=error 90".',
  },
  archiveUrl: optionalText(
    'Where archives are written to: a folder, file:///var/lib/archives, or s3://bucket/prefix; of one database alone.',
  ),
  archiveFormat: choice('parquet', ARCHIVE_FORMATS, 'Form of archives; ndjson is compressed by gzip.'),
  archiveS3Endpoint: optionalText(
    'URL of an S3-compatible server (https://s3.example.com); without it that of AWS for the region.',
  ),
  archiveS3Region: word('us-east-1', 64, 'Region of the bucket.'),
  archiveS3KeyId: secret('Access key id for the bucket.'),
  archiveS3SecretKey: secret('Secret access key for the bucket.'),
  startupTimeoutMs: integer(
    30_000,
    0,
    3_600_000,
    'How long to wait at start for PostgreSQL and Redis to answer.',
  ),
  shutdownTimeoutMs: integer(
    20_000,
    100,
    3_600_000,
    'How long a graceful stop may take before the process exits with 1.',
  ),
  queryTimeoutMs: integer(
    30_000,
    0,
    86_400_000,
    'How long a query of the API may take for its first rows, and for the next ones; 0 is no limit.',
  ),
  statementTimeoutMs: integer(
    3_600_000,
    0,
    86_400_000,
    'How long one statement of the API may run with all the time its client takes to read; 0 is no limit.',
  ),
  pageMaxRows: integer(10_000, 1, 1_000_000, 'Rows of one answer in the format json, at most.'),
  exportMaxRows: integer(
    0,
    0,
    1_000_000_000,
    'Rows of one answer as ndjson or csv, at most: more must be asked for in parts; 0 is no limit.',
  ),
  logLevel: choice('info', LOG_LEVELS, 'Least severe level that is logged.'),
  dataDir: text('.observatory', 'Folder of the embedded servers and their data.'),
  embeddedPostgresBin: optionalText(
    'Folder of the PostgreSQL programs to embed instead of the installed ones.',
  ),
}

function integer(fallback: number, min: number, max: number, description: string): NumberSetting {
  return { kind: 'integer', default: fallback, min, max, description }
}

function retentionDays(what: string): NumberSetting {
  return integer(0, 0, MAX_RETENTION_DAYS, `Days that ${what} are kept, at least; 0 is for ever.`)
}

function bytes(fallback: number, min: number, max: number, description: string): NumberSetting {
  return { kind: 'bytes', default: fallback, min, max, description }
}

function choice<T extends string>(fallback: T, choices: readonly T[], description: string): ChoiceSetting<T> {
  return { kind: 'choice', default: fallback, choices, description }
}

function words<T extends string>(choices: readonly T[], description: string): WordsSetting<T> {
  return { kind: 'words', default: [], choices, description }
}

function word(fallback: string, maxLength: number, description: string): TextSetting<string> {
  return { kind: 'word', default: fallback, maxLength, description }
}

function optionalWord(maxLength: number, description: string): TextSetting<string | undefined> {
  return { kind: 'word', default: undefined, maxLength, description }
}

function text(fallback: string, description: string): TextSetting<string> {
  return { kind: 'text', default: fallback, maxLength: 4096, description }
}

function optionalText(description: string): TextSetting<string | undefined> {
  return { kind: 'text', default: undefined, maxLength: 4096, description }
}

function url(kind: 'postgresUrl' | 'redisUrl', description: string): TextSetting<string | undefined> {
  return { kind, default: undefined, maxLength: 4096, description }
}

function secret(description: string): TextSetting<string | undefined> {
  return { kind: 'secret', default: undefined, maxLength: 4096, description }
}

/** The name of a setting in the environment and in the file: `httpPort` is `HTTP_PORT`. */
export function settingName(key: keyof Settings): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

const SECRET_KINDS: ReadonlySet<Setting['kind']> = new Set([
  'postgresUrl',
  'redisUrl',
  'token',
  'tokens',
  'secret',
])

/** Whether the value holds a password or a token: then it can also be read from a file, `DATABASE_URL_FILE`. */
export function isSecret(key: keyof Settings): boolean {
  return SECRET_KINDS.has(SETTINGS[key].kind)
}
