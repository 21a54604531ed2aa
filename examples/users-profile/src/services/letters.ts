import type { Letter } from '../infrastructure/mail.js'

type Person = { name: string; email: string }

/** What the service writes to people. @param publicUrl  where a browser finds it, without a slash at the end */
export function letters(publicUrl: string): {
  welcome(person: Person, secret: string): Letter
  reset(person: Person, secret: string): Letter
  passwordChanged(person: Person): Letter
} {
  // Behind the `#`: a browser sends it to nobody, and no log keeps it.
  const link = (action: string, secret: string): string => `${publicUrl}/#${action}=${secret}`
  return {
    welcome: ({ name, email }, secret) => ({
      recipient: email,
      subject: 'Welcome',
      body: `Hello ${name},\n\nyour account is ready. That this address is yours you confirm here, within a day:\n${link('verify', secret)}\n`,
    }),
    reset: ({ name, email }, secret) => ({
      recipient: email,
      subject: 'A new password',
      body: `Hello ${name},\n\nsomebody asked for a new password for your account. If it was you, choose one here within an hour:\n${link('reset', secret)}\n\nIf it was not, there is nothing to do.\n`,
    }),
    passwordChanged: ({ name, email }) => ({
      recipient: email,
      subject: 'Your password was changed',
      body: `Hello ${name},\n\nyour password was changed, and you were logged out everywhere else. If it was not you, choose another:\n${publicUrl}/\n`,
    }),
  }
}
