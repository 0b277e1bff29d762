/** Containers that may stand inside one another in what is looked through. No attribute is so deep, only JSON in a text. */
export const MAX_DEPTH = 256

/** Texts of JSON in texts of JSON that are looked into. */
export const MAX_NESTED_TEXTS = 3
