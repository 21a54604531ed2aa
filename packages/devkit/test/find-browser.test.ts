import { describe, expect, it } from 'vitest'
import { findBrowser, type Machine } from '../src/find-browser.js'

/** A machine that has these programs and no others. */
function machine(programs: string[], others: Partial<Machine> = {}): Machine {
  const env = { PATH: '/usr/local/bin:/usr/bin' }
  return {
    platform: 'linux',
    env,
    home: '/users/ada',
    isProgram: (path) => programs.includes(path),
    ...others,
  }
}

describe('findBrowser', () => {
  it.each([
    ['Debian', '/usr/bin/chromium'],
    ['Ubuntu’s snap', '/snap/bin/chromium'],
    ['Fedora', '/usr/lib64/chromium-browser/chromium-browser'],
    ['Chrome’s own package', '/opt/google/chrome/chrome'],
    ['NixOS', '/run/current-system/sw/bin/chromium'],
    ['somebody’s own', '/usr/local/bin/google-chrome'],
  ])('finds that of %s', (_, path) => {
    expect(findBrowser(machine([path]))).toBe(path)
  })

  it.each([
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/users/ada/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
    '/usr/local/bin/chromium',
  ])('finds %s on macOS', (path) => {
    expect(findBrowser(machine([path], { platform: 'darwin', home: '/users/ada' }))).toBe(path)
    expect(findBrowser(machine([path], { platform: 'darwin', home: '/users/other' }))).toBe(
      path.startsWith('/users') ? undefined : path,
    )
  })

  it('takes what the PATH names before what lies elsewhere, and what CHROME_PATH names before all', () => {
    const programs = ['/opt/google/chrome/chrome', '/usr/local/bin/chromium', '/opt/mine']
    expect(findBrowser(machine(programs))).toBe('/usr/local/bin/chromium')
    expect(findBrowser(machine(programs, { env: { CHROME_PATH: '/opt/mine' } }))).toBe('/opt/mine')
    expect(() => findBrowser(machine(programs, { env: { CHROME_PATH: '/gone' } }))).toThrow('CHROME_PATH')
  })

  it('finds none where there is none', () => {
    expect(findBrowser(machine([]))).toBeUndefined()
    expect(findBrowser(machine(['/usr/bin/chromium'], { platform: 'win32', env: {} }))).toBeUndefined()
    expect(findBrowser(machine(['/chromium'], { env: { PATH: '' } }))).toBeUndefined()
  })
})
