import { ContentPolicy } from './models/privacy/content-policy.ts'
import { parseRules } from './models/privacy/parse-rules.ts'
import { Privacy } from './models/privacy/privacy.ts'
import { READY_RULES } from './models/privacy/ready-rules.ts'
import type { RedactionRule } from './models/privacy/redaction-rule.ts'
import { Redactor } from './models/privacy/redactor.ts'
import { readYamlFile } from './read-yaml-file.ts'
import type { Settings } from './settings.ts'

/**
 * What may be kept of records, as the settings say.
 * @throws ObservatoryError ERR_CONFIG_INVALID, one line per problem, when the file of rules cannot be read or is none.
 */
export function readPrivacy(
  settings: Pick<
    Settings,
    'redact' | 'redactionFile' | 'content' | 'contentMaxCharacters' | 'deadLetterPayload'
  >,
): Privacy {
  const { redact, redactionFile, content, contentMaxCharacters } = settings
  const own = redactionFile === undefined ? [] : readRules(redactionFile)
  const rules = [...own, ...redact.map((name) => READY_RULES[name])]
  return new Privacy(new Redactor(rules), new ContentPolicy(content, contentMaxCharacters), {
    sparesLetters: settings.deadLetterPayload === 'keep',
  })
}

function readRules(path: string): readonly RedactionRule[] {
  return readYamlFile(path, 'The file of redaction rules', { check: parseRules }).rules
}
