import { posix } from 'node:path'

/** What is asked of the machine; a test says it otherwise. */
export interface Machine {
  platform: NodeJS.Platform
  env: Readonly<Record<string, string | undefined>>
  /** The user's folder. */
  home: string
  /** Whether there is a program at a path. */
  isProgram(path: string): boolean
}

/** As distributions, vendors and snaps call it. Playwright drives each of them. */
const PROGRAMS = [
  ...['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'],
  ...['microsoft-edge', 'microsoft-edge-stable', 'brave-browser'],
]
/** Where vendors put it beside the PATH; a shell of a service has a short one. */
const LINUX_PLACES = [
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/lib64/chromium-browser/chromium-browser'],
  ...['/usr/bin/google-chrome-stable', '/opt/google/chrome/chrome', '/opt/microsoft/msedge/msedge'],
  ...['/snap/bin/chromium', '/run/current-system/sw/bin/chromium'],
]
const MACOS_APPS = ['Google Chrome', 'Chromium', 'Microsoft Edge', 'Brave Browser', 'Google Chrome Canary']

/**
 * The Chromium of a machine, or one of its kind.
 *
 * In this order: the variable `CHROME_PATH`, the PATH, where a macOS or a Linux has it.
 *
 * @returns `undefined` if there is none
 * @throws {Error} `CHROME_PATH` names no program
 */
export function findBrowser({ platform, env, home, isProgram }: Machine): string | undefined {
  const named = env.CHROME_PATH
  if (named !== undefined && named !== '') {
    if (!isProgram(named)) throw new Error(`There is no program at ${named}, which CHROME_PATH names.`)
    return named
  }
  const folders = (env.PATH ?? '').split(posix.delimiter).filter((folder) => folder !== '')
  const onPath = PROGRAMS.flatMap((name) => folders.map((folder) => posix.join(folder, name)))
  return [...onPath, ...places(platform, home)].find(isProgram)
}

function places(platform: NodeJS.Platform, home: string): string[] {
  if (platform === 'linux') return LINUX_PLACES
  if (platform !== 'darwin') return []
  return MACOS_APPS.flatMap((app) =>
    ['/Applications', posix.join(home, 'Applications')].map((folder) =>
      posix.join(folder, `${app}.app`, 'Contents/MacOS', app),
    ),
  )
}
