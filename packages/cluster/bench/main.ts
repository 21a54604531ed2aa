// All benches of the package, one after the other. `ROUNDS` makes them shorter, `COMPARE` chooses a comparison.

await import('./throughput.js')
await import('./loss.js')
