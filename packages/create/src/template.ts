/** The files of the example users-profile by path, put here by the build. */
declare const EXAMPLE_FILES: Readonly<Record<string, string>>

/** What apps are made of: a map that may be changed. */
export function template(): Map<string, string> {
  return new Map(Object.entries(EXAMPLE_FILES))
}
