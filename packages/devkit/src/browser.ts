import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { unpackDebianPackages } from './debian.js'
import { findBrowser } from './find-browser.js'

const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * Starts a Chromium without a window: the machine's, else the distribution's, unpacked without root. Close it.
 *
 * @throws {Error} none can be had, or it does not start
 */
export async function openBrowser(): Promise<Browser> {
  const { program, env } = await findChromium()
  return chromium.launch({
    executablePath: program,
    args,
    env: { ...(process.env as Record<string, string>), ...env },
  })
}

async function findChromium(): Promise<{ program: string; env: Record<string, string> }> {
  const { platform, env } = process
  const installed = findBrowser({ platform, env, home: homedir(), isProgram: existsSync })
  if (installed !== undefined) return { program: installed, env: {} }
  const unpacked = await unpackDebianPackages(['chromium'])
  // Debian's /usr/bin/chromium is a script that looks for the program at a fixed place.
  const program = join(unpacked.root, 'usr/lib/chromium/chromium')
  if (!existsSync(program)) {
    throw new Error('There is no Chromium, neither here nor in the package `chromium`.')
  }
  return { program, env: { LD_LIBRARY_PATH: withSound(unpacked.env.LD_LIBRARY_PATH!) } }
}

/** Chromium is linked with PulseAudio, which keeps a part of itself in a folder that only its own libraries look into. */
function withSound(folders: string): string {
  const sound = folders.split(delimiter).map((folder) => join(folder, 'pulseaudio'))
  return [folders, ...sound.filter(existsSync)].join(delimiter)
}
