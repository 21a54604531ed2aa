import { createHash } from 'node:crypto'
import { script } from './page-script.js'
import { style } from './page-style.js'

/** The page, whole: nothing else is loaded but the numbers. */
export function page(title: string, refreshMs: number): string {
  const heading = escapeHtml(title)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${heading}: live metrics</title>
<style>${style}</style>
</head>
<body data-refresh-ms="${refreshMs}">
<header>
<h1>${heading}</h1>
<p><button type="button" id="pause" aria-pressed="false">Pause updates</button>
<span id="status" role="status">Waiting for the first numbers.</span></p>
</header>
<main>
<section aria-labelledby="now"><h2 id="now">Now <small id="window"></small></h2>
<dl id="figures"></dl></section>
<section aria-labelledby="routes-heading"><h2 id="routes-heading">Routes</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="routes-heading">
<table><thead><tr><th scope="col">Method</th><th scope="col">Route</th><th scope="col">Requests</th>
<th scope="col">Errors</th><th scope="col">p50</th><th scope="col">p95</th><th scope="col">p99</th></tr></thead>
<tbody id="routes"></tbody></table></div></section>
<section aria-labelledby="workers-heading"><h2 id="workers-heading">Processes</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="workers-heading">
<table><thead><tr><th scope="col">Worker</th><th scope="col">Loop busy</th><th scope="col">Resident memory</th>
<th scope="col">Heap</th><th scope="col">Up</th></tr></thead>
<tbody id="workers"></tbody></table></div></section>
</main>
<script>${script}</script>
</body>
</html>
`
}

/** Only what this page brings itself may run; it may talk to nobody but its own server. */
export const contentSecurityPolicy: string = [
  "default-src 'none'",
  `script-src '${hash(script)}'`,
  `style-src '${hash(style)}'`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
