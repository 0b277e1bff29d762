import { type Command, Option } from 'commander'
import { settingOptions } from '../setting-options.ts'
import { SETTINGS, type Settings } from '../settings.ts'

/** Headings in the order in which help shows them. */
const HEADINGS = {
  servers: 'Servers:',
  http: 'HTTP:',
  streams: 'Streams:',
  batches: 'Batches:',
  acceptance: 'What is accepted:',
  privacy: 'What is kept of it:',
  storage: 'Storage:',
  archive: 'Archives:',
  process: 'Process:',
} as const

/** Under which heading each setting stands in help. A setting that is missing here does not compile. */
const GROUPS: { readonly [K in keyof Settings]: keyof typeof HEADINGS } = {
  databaseUrl: 'servers',
  redisUrl: 'servers',
  dataDir: 'servers',
  embeddedPostgresBin: 'servers',
  startupTimeoutMs: 'servers',
  httpHost: 'http',
  httpPort: 'http',
  httpWithoutTokens: 'http',
  httpAllowedHosts: 'http',
  httpTlsCertFile: 'http',
  httpTlsKeyFile: 'http',
  httpMaxConnections: 'http',
  httpRateLimit: 'http',
  accessTokens: 'http',
  accessToken: 'http',
  otlpServiceRateLimit: 'http',
  otlpMaxBodyBytes: 'http',
  otlpInFlightMaxBytes: 'http',
  otlpBacklogMaxEntries: 'http',
  otlpDurability: 'http',
  streamPrefix: 'streams',
  consumerGroup: 'streams',
  consumerName: 'streams',
  readCount: 'streams',
  readBlockMs: 'streams',
  reclaimMinIdleMs: 'streams',
  streamKeepEntries: 'streams',
  batchMaxRows: 'batches',
  batchMaxBytes: 'batches',
  batchMaxAgeMs: 'batches',
  inFlightMaxBytes: 'batches',
  writeConcurrency: 'batches',
  recordMaxBytes: 'acceptance',
  recordMaxDepth: 'acceptance',
  acceptPastDays: 'acceptance',
  acceptFutureDays: 'acceptance',
  seriesMaxPerMetric: 'acceptance',
  seriesMaxPerService: 'acceptance',
  deadLetterPayload: 'privacy',
  redact: 'privacy',
  redactionFile: 'privacy',
  content: 'privacy',
  contentMaxCharacters: 'privacy',
  pricesFile: 'storage',
  partitionInterval: 'storage',
  partitionsAhead: 'storage',
  indexPartitions: 'storage',
  retentionTracesDays: 'storage',
  retentionMetricsDays: 'storage',
  retentionLogsDays: 'storage',
  retentionRules: 'storage',
  archiveUrl: 'archive',
  archiveFormat: 'archive',
  archiveS3Endpoint: 'archive',
  archiveS3Region: 'archive',
  archiveS3KeyId: 'archive',
  archiveS3SecretKey: 'archive',
  ledgerKeepDays: 'storage',
  databasePoolMax: 'storage',
  queryTimeoutMs: 'http',
  statementTimeoutMs: 'http',
  pageMaxRows: 'http',
  exportMaxRows: 'http',
  resultCacheMaxBytes: 'http',
  tailMaxWatchers: 'http',
  shutdownTimeoutMs: 'process',
  logLevel: 'process',
}

const ALL = Object.keys(SETTINGS) as readonly (keyof Settings)[]

/**
 * Adds the settings, all or those named, to a command as options, under headings of their own, and `--config`. Their values
 * are not looked at here: `loadSettings` checks them together with what comes from elsewhere.
 */
export function addSettings(command: Command, keys: readonly (keyof Settings)[] = ALL): Command {
  for (const [group, heading] of Object.entries(HEADINGS)) {
    for (const key of keys.filter((each) => GROUPS[each] === group)) {
      for (const { flags, description } of settingOptions(key)) {
        command.addOption(shortened(flags, description).helpGroup(heading))
      }
    }
  }
  const config = '--config <file>'
  return command.addOption(
    new Option(config, 'Settings file, instead of observatory.yaml or .toml here.').helpGroup(
      HEADINGS.process,
    ),
  )
}

/** The widest option decides how much room help has for every description: a list of words goes into its own. */
function shortened(flags: string, description: string): Option {
  const [, words] = /<(.*\|.*)>/.exec(flags) ?? []
  if (words === undefined) return new Option(flags, description)
  const choices = words.split('|').join(', ')
  return new Option(flags.replace(`<${words}>`, '<word>'), description.replace('(', `One of ${choices}. (`))
}
