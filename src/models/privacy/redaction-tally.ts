/** How many values each redaction rule has hidden, by the name of the rule. */
export type RedactionTally = Map<string, number>
