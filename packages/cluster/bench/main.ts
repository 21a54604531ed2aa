// All benches of the package, one after the other. `ROUNDS` makes them shorter.

await import('./throughput.js')
await import('./loss.js')
