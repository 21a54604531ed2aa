/** What runs in the page: asks for the numbers, of now and of the last ten minutes, takes differences, and draws. */
export const script: string = String.raw`
'use strict';
const WINDOW_MS = 30000;
const refreshMs = Number(document.body.dataset.refreshMs);
const source = location.pathname.replace(/\/?$/, '/data.json');
let samples = [];
const lines = new Map();
let isPaused = false;
let timer;
const byId = (id) => document.getElementById(id);

byId('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  byId('pause').setAttribute('aria-pressed', String(isPaused));
  say(isPaused ? 'Paused.' : 'Updating.');
  clearTimeout(timer);
  if (!isPaused) poll();
});

async function poll() {
  clearTimeout(timer);
  try {
    const response = await fetch(source, { cache: 'no-store', signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error('status ' + response.status);
    const summary = await response.json();
    if (isPaused) return;
    samples = [...summary.history, summary];
    draw();
    say(summary.workers.missing > 0
      ? summary.workers.missing + ' of ' + summary.workers.reporting + ' workers do not answer.'
      : 'Updating.');
  } catch (error) {
    say('No numbers: the service does not answer.');
  }
  if (!isPaused) timer = setTimeout(poll, refreshMs);
}

let said = '';
function say(text) {
  // A screen reader speaks each change: only what is new is one.
  if (text !== said) byId('status').textContent = said = text;
}

function draw() {
  const now = samples.at(-1);
  const then = samples.length > 1 ? samples.find((one) => one.at >= now.at - WINDOW_MS) : undefined;
  const seconds = then ? (now.at - then.at) / 1000 : undefined;
  byId('window').textContent = then ? 'last ' + Math.round(seconds) + ' s' : 'since the start';
  const grown = (pick) => pick(now) - (then ? pick(then) : 0);
  const rate = (pick) => (then ? perSecond(grown(pick) / seconds) : '–');
  const spread = (pick) => difference(pick(now), then && pick(then));
  const latency = spread((one) => one.latency);
  const loop = spread((one) => one.loopDelay);
  const store = spread((one) => one.store.latency);
  const quotaAll = grown((one) => one.quotas.allowed + one.quotas.refused);
  const hits = (one) => one.cache.hits + one.cache.stale;
  const reads = grown((one) => hits(one) + one.cache.misses);
  const served = grown(hits);
  const errors = grown((one) => one.requests.errors);
  figure('requests', 'Requests', rate((one) => one.requests.total), now.requests.total + ' in all, ' + now.requests.active + ' under way', { line: steps((a, b) => (b.requests.total - a.requests.total) / ((b.at - a.at) / 1000)) });
  figure('errors', 'Server errors', share(errors, grown((one) => one.requests.total)), now.requests.errors + ' in all, ' + now.requests.disconnects + ' clients left', { bad: errors > 0, line: steps((a, b) => ratio(b.requests.errors - a.requests.errors, b.requests.total - a.requests.total)) });
  figure('latency', 'Latency p95', duration(quantile(latency, 0.95)), 'p50 ' + duration(quantile(latency, 0.5)) + ', p99 ' + duration(quantile(latency, 0.99)), { line: steps((a, b) => quantile(difference(b.latency, a.latency), 0.95)) });
  figure('quotas', 'Quota refusals', share(grown((one) => one.quotas.refused), quotaAll), now.quotas.refused + ' refused, ' + now.quotas.allowed + ' allowed in all');
  figure('cache', 'Cache hit ratio', share(served, reads), now.cache.hits + now.cache.stale + ' hits, ' + now.cache.misses + ' misses in all', { line: steps((a, b) => ratio(hits(b) - hits(a), hits(b) + b.cache.misses - hits(a) - a.cache.misses)) });
  figure('sessions', 'Sessions opened', rate((one) => one.sessions.created), now.sessions.created + ' opened, ' + now.sessions.ended + ' ended, ' + now.sessions.refused + ' tokens refused');
  figure('workers-figure', 'Workers', String(now.workers.reporting || 1), now.workers.missing + ' silent', { bad: now.workers.missing > 0 });
  figure('loop', 'Event loop delay p99', duration(quantile(loop, 0.99)), 'p50 ' + duration(quantile(loop, 0.5)), { line: steps((a, b) => quantile(difference(b.loopDelay, a.loopDelay), 0.99)) });
  figure('store', 'Redis p95', duration(quantile(store, 0.95)), now.store.failures + ' without an answer, ' + now.store.breakersOpen + ' breakers open', { bad: now.store.breakersOpen > 0 });
  rows('routes', now.routes.map((one) => [one.method, one.route || '(no route)', one.requests, one.errors, ...[0.5, 0.95, 0.99].map((q) => duration(quantile(one.latency, q)))]));
  rows('workers', now.workers.each.map((one) => [one.worker, percent(one.loopUtilization), bytes(one.residentBytes), bytes(one.heapBytes), age(one.startedAt == null ? NaN : (now.at - one.startedAt) / 1000)]));
}

function figure(id, name, value, more, options = {}) {
  let card = lines.get(id);
  if (!card) {
    card = document.createElement('div');
    card.id = id;
    card.append(element('dt', name), element('dd', '', 'value'), element('dd', '', 'more'));
    byId('figures').append(card);
    lines.set(id, card);
  }
  put(card.children[1], value);
  card.children[1].className = options.bad ? 'value bad' : 'value';
  put(card.children[2], more);
  if (options.line) spark(card, name, options.line);
}

function spark(card, name, values) {
  let svg = card.querySelector('svg');
  if (!svg) {
    const place = document.createElement('dd');
    svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('viewBox', '0 0 100 20');
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('role', 'img');
    svg.append(document.createElementNS('http://www.w3.org/2000/svg', 'polyline'));
    place.append(svg);
    card.append(place);
  }
  svg.setAttribute('aria-label', name + ' over the last ten minutes, as a line');
  // Beyond every bucket: as high as the line goes.
  const top = Math.max(...values.filter(Number.isFinite), 1e-9);
  const height = (value) => Math.min(value || 0, top) / top;
  const points = values.map((value, at) => (values.length < 2 ? 0 : (at / (values.length - 1)) * 100).toFixed(1) + ',' + (19 - height(value) * 18).toFixed(1));
  svg.firstChild.setAttribute('points', points.join(' '));
}

function steps(of) {
  return samples.slice(1).map((sample, index) => of(samples[index], sample));
}

function rows(id, table) {
  const body = byId(id);
  while (body.rows.length > table.length) body.deleteRow(-1);
  table.forEach((cells, index) => {
    const row = body.rows[index] || body.insertRow();
    cells.forEach((cell, at) => put(row.cells[at] || row.appendChild(headed(at)), String(cell)));
  });
}

function headed(at) {
  const cell = element(at === 0 ? 'th' : 'td', '');
  if (at === 0) cell.scope = 'row';
  return cell;
}

// Only what is new: text that somebody has selected, to copy it, stays selected.
function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function difference(now, then) {
  const same = then && then.bounds.length === now.bounds.length;
  return { bounds: now.bounds, counts: now.counts.map((count, at) => count - (same ? then.counts[at] : 0)) };
}

// As Prometheus does: straight lines inside a bucket.
function quantile({ bounds, counts }, q) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let below = 0;
  for (let at = 0; at < bounds.length; at++) {
    if (below + counts[at] >= q * total && counts[at] > 0) {
      const lower = at === 0 ? 0 : bounds[at - 1];
      return lower + (bounds[at] - lower) * ((q * total - below) / counts[at]);
    }
    below += counts[at];
  }
  return Infinity;
}

function duration(seconds) {
  if (seconds === undefined) return '–';
  if (seconds === Infinity) return 'beyond 10 s';
  return seconds >= 1 ? seconds.toFixed(2) + ' s' : (seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0) + ' ms';
}
function perSecond(value) { return value.toFixed(value < 10 ? 1 : 0) + '/s'; }
function ratio(part, whole) { return whole > 0 ? part / whole : 0; }
function share(part, whole) { return whole > 0 ? percent(part / whole) : '–'; }
function percent(ratio) { return (ratio * 100).toFixed(ratio > 0 && ratio < 0.1 ? 1 : 0) + ' %'; }
function bytes(count) { return count == null ? '–' : (count / 1048576).toFixed(0) + ' MiB'; }
function age(seconds) {
  if (Number.isNaN(seconds)) return '–';
  if (seconds < 120) return Math.round(seconds) + ' s';
  return seconds < 7200 ? Math.round(seconds / 60) + ' min' : Math.round(seconds / 3600) + ' h';
}

poll();
`
