import { NamePattern } from '../name-pattern.ts'
import { isCardNumber } from './card-number.ts'
import type { RedactionRule } from './redaction-rule.ts'

export const READY_RULE_NAMES = ['email', 'card', 'key', 'token'] as const
export type ReadyRuleName = (typeof READY_RULE_NAMES)[number]

/*
 * These run over every text, most of which have nothing to hide: so a rule first asks for the marks without which it finds nothing, a hundredth of the work. Each alternative begins where a run of its characters does (a look behind says so) and repeats classes that what follows it
 * is not in: so none looks at a character more than a few times.
 */

/** Addresses as people write them (a part of RFC 5322), in any script. */
const EMAIL = /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]+@(?:[\p{L}\p{N}-]+\.){1,32}\p{L}{2,}/gu

/** Digits in one piece, in fours, or as on an American Express card; not those of a fraction. */
const CARD = /(?<![\d.])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{5})(?!\d)/g

/** Keys of APIs by the prefixes that their issuers document, and private keys (RFC 7468), also those cut off. */
const KEY = new RegExp(
  [
    // OpenAI, Anthropic, OpenRouter, Stripe; xAI, Groq, Hugging Face, Replicate, Perplexity, NVIDIA, npm, Linear.
    '(?<![\\w-])(?:(?:sk|pk|rk)[-_]|xai-|gsk_|hf_|r8_|pplx-|nvapi-|npm_|lin_api_)(?=[\\w-]*\\d)[\\w-]{20,}',
    '(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])',
    '(?<![\\w-])(?:gh[pousr]_|github_pat_|glpat-)\\w[\\w-]{19,}',
    '(?<![\\w-])xox[abeoprs]-[\\w-]{10,}',
    '(?<![\\w-])AIza[\\w-]{35}',
    '(?<![\\w.-])SG\\.[\\w-]{16,}\\.[\\w-]{16,}',
    '-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:[^]*?-----END [A-Z ]{0,40}PRIVATE KEY-----|[^]*)',
  ].join('|'),
  'g',
)

/** One of these is in all that {@link KEY} finds. */
const KEY_MARKS: readonly string[] = [
  ...[
    'sk-',
    'sk_',
    'pk-',
    'pk_',
    'rk-',
    'rk_',
    'xai-',
    'gsk_',
    'hf_',
    'r8_',
    'pplx-',
    'nvapi-',
    'npm_',
    'lin_api_',
  ],
  ...[
    'AKIA',
    'ASIA',
    'ghp_',
    'gho_',
    'ghu_',
    'ghs_',
    'ghr_',
    'github_pat_',
    'glpat-',
    'xox',
    'AIza',
    'SG.',
    '-----BEGIN ',
  ],
]

/** JSON Web Tokens (RFC 7519), credentials of HTTP (RFC 7617, 6750) and of URLs (RFC 3986). */
const TOKEN = new RegExp(
  [
    '(?<![\\w-])eyJ[\\w-]{8,}\\.eyJ[\\w-]{8,}(?:\\.[\\w-]*)?',
    '(?<![\\w-])(?:bearer|basic)[ \\t]{1,4}[\\w.~+/-]{12,}=*',
    '(?<=://)[^\\s/:@"\'<>]{0,256}:[^\\s/@"\'<>]{1,1024}(?=@)',
  ].join('|'),
  'gi',
)

/** One of these is in all that {@link TOKEN} finds; case does not count. */
const TOKEN_MARKS = /eyj|:\/\/|bearer|basic/i

const names = (...patterns: readonly string[]) => patterns.map((pattern) => new NamePattern(pattern))

/** As names are without `_` and `-`: `api_key`, `api-key` and `apiKey` are one. */
const KEY_NAMES = names(
  ...['*password', '*passwd', '*passphrase', '*secret', '*credentials', '*apikey'],
  ...['*privatekey', '*secretkey', '*accesskey', '*encryptionkey', '*signingkey'],
)
const TOKEN_NAMES = names(
  ...['*authorization', 'cookie', '*.cookie', '*setcookie', 'token', '*.token', 'idtoken', '*.idtoken'],
  ...[
    '*accesstoken',
    '*refreshtoken',
    '*authtoken',
    '*sessiontoken',
    '*bearertoken',
    '*csrftoken',
    '*apitoken',
  ],
)

/** The rules that come with the product. */
export const READY_RULES: Readonly<Record<ReadyRuleName, RedactionRule>> = {
  email: {
    name: 'email',
    keys: [],
    hide: (text, mask) => (text.includes('@') ? text.replace(EMAIL, mask) : text),
  },
  card: {
    name: 'card',
    keys: [],
    hide: (text, mask) => text.replace(CARD, (digits) => (isCardNumber(digits) ? mask : digits)),
  },
  key: {
    name: 'key',
    keys: KEY_NAMES,
    hide: (text, mask) => (KEY_MARKS.some((mark) => text.includes(mark)) ? text.replace(KEY, mask) : text),
  },
  token: {
    name: 'token',
    keys: TOKEN_NAMES,
    hide: (text, mask) => (TOKEN_MARKS.test(text) ? text.replace(TOKEN, mask) : text),
  },
}
