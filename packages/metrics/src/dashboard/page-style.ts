/** Light and dark by what the reader prefers; every text has a contrast of at least 4.5. */
export const style: string = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --ground: #fff; --card: #f4f6f8; --line: #c9d1d9; --mark: #0b5cad; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #a3adb8; --ground: #0d1117; --card: #161b22; --line: #30363d; --mark: #6cb2ff; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; } small { color: var(--soft); font-weight: 400; }
button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--soft); border-radius: .4rem; padding: .35rem .8rem; cursor: pointer; }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
#status { color: var(--soft); margin-left: .75rem; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: .75rem; margin: 0; }
dl > div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
dt { color: var(--soft); font-size: .875rem; } dd { margin: 0; } dd.value { font-size: 1.5rem; font-variant-numeric: tabular-nums; }
dd.value.bad { color: var(--bad); font-weight: 700; } dd.more { color: var(--soft); font-size: .875rem; }
svg { display: block; width: 100%; height: 2rem; } polyline { fill: none; stroke: var(--mark); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { color: var(--soft); font-weight: 600; font-size: .875rem; } tbody th { font-weight: 600; }
#routes th, #routes td:nth-child(2), thead th:first-child, th:nth-child(2):not(#workers *), tbody th { text-align: left; }
`
