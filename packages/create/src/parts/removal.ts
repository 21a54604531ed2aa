/** What has to go from the example, so that a part of it goes and the rest is whole. */
export interface Removal {
  files: readonly string[]
  /** In each of these texts, by path. */
  cuts: Readonly<Record<string, readonly Cut[]>>
}

/** A text that occurs exactly once, or all that matches; and what comes in its place, nothing by default. */
export type Cut = string | RegExp | readonly [from: string | RegExp, to: string]

/**
 * Takes something out of the files.
 *
 * @throws {Error} a file or a text is not there: the example has changed, and this removal has to follow it
 */
export function remove(files: Map<string, string>, { files: paths, cuts }: Removal): void {
  for (const path of paths) if (!files.delete(path)) throw new Error(`The example has no ${path}.`)
  for (const [path, list] of Object.entries(cuts)) {
    for (const cut of list) files.set(path, cutOut(files.get(path) ?? '', cut, path))
  }
}

function cutOut(text: string, cut: Cut, path: string): string {
  const [from, to] = typeof cut === 'string' || cut instanceof RegExp ? [cut, ''] : cut
  const found = typeof from === 'string' ? text.split(from).length - 1 : text.match(from)?.length
  if (found !== 1 && !(from instanceof RegExp && found)) {
    throw new Error(`${path} of the example has ${found ?? 0} of ${from}.`)
  }
  return text.replace(from, () => to)
}
