import { arrayOf, type OptionCheck, type OptionChecks, oneOf, string } from '@scale/core'

/** A part of the example that not every service has. */
export type Part = 'catalogue' | 'oidc'

/** Options of `create`. */
export interface CreateOptions {
  /** Where the app goes: a folder that is empty, or not there yet. */
  folder: string
  /** What it is called, in package.json, logs, metrics and deployments: a DNS label. Default: the last part of `folder` */
  name?: string
  /** Which parts it has besides. Default `[]` */
  parts?: readonly Part[]
}

/** What `create` falls back to. */
export const createDefaults: Readonly<Required<Pick<CreateOptions, 'parts'>>> = Object.freeze({
  parts: Object.freeze([]),
})

/** What Kubernetes, systemd, npm and PostgreSQL all take (RFC 1123). */
const LABEL = /^[a-z](?:[a-z0-9-]{0,28}[a-z0-9])?$/
const label: OptionCheck = (value) =>
  typeof value === 'string' && LABEL.test(value)
    ? undefined
    : 'a name of 1 to 30 small letters, digits and hyphens that begins with a letter'

export const createChecks: OptionChecks<CreateOptions> = {
  folder: string(1, 4_096),
  name: label,
  parts: arrayOf(oneOf('catalogue', 'oidc')),
}
