const output = document.querySelector('#output')
const form = document.querySelector('#credentials')

/** Sends a request with the session cookie and shows what came back. */
async function send(method, path, body) {
  const startedAt = performance.now()
  const response = await fetch(path, {
    method,
    credentials: 'same-origin',
    ...(body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const tookMs = performance.now() - startedAt
  const text = await response.text()
  const answer = text === '' ? null : JSON.parse(text)
  if (answer?.token) answer.token = '…'
  output.textContent = `${response.status} ${response.statusText}\n${answer === null ? '' : JSON.stringify(answer, null, 2)}`
  return { response, tookMs }
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const { name, email, password } = Object.fromEntries(new FormData(form))
  const action = event.submitter?.value
  if (action === 'register') await send('POST', '/v1/users', { name, email, password })
  else if (action === 'logout') await send('POST', '/v1/logout')
  else if (action === 'forgot') await send('POST', '/v1/password/reset', { email })
  else await send('POST', '/v1/login', { email, password })
})

// A link from a mail: what it carries stands behind the #, and is taken out of the address at once.
const [, action, secret] = /^#(verify|reset)=([\w-]+)$/.exec(location.hash) ?? []
if (action !== undefined) history.replaceState(null, '', location.pathname)
if (action === 'verify') await send('POST', '/v1/email/verify', { token: secret })
const reset = document.querySelector('#reset')
reset.hidden = action !== 'reset'
reset.addEventListener('submit', async (event) => {
  event.preventDefault()
  const { next } = Object.fromEntries(new FormData(reset))
  const { response } = await send('POST', '/v1/password/reset/confirm', { token: secret, next })
  reset.hidden = response.ok
})

// Shown where a provider is configured.
const { oidc } = await (await fetch('/v1/login/methods')).json()
document.querySelector('#oidc').hidden = !oidc

document.querySelector('#load').addEventListener('click', async () => {
  const { response, tookMs } = await send('GET', '/v1/profile')
  document.querySelector('#took').textContent = `${tookMs.toFixed(1)} ms`
  document.querySelector('#cache').textContent = response.headers.get('Cache-Status') ?? 'not asked'
  showQuota(response.headers)
})

/** `RateLimit: "profile";r=7;t=43` and `RateLimit-Policy: "profile";q=10;w=60` */
function showQuota(headers) {
  const quota = /;q=(\d+)/.exec(headers.get('RateLimit-Policy') ?? '')?.[1]
  const remaining = /;r=(\d+)/.exec(headers.get('RateLimit') ?? '')?.[1]
  if (quota === undefined || remaining === undefined) return
  const meter = document.querySelector('#quota')
  meter.max = Number(quota)
  meter.value = Number(remaining)
  document.querySelector('#quota-text').textContent = `${remaining} of ${quota}`
}
