import { writeFileSync } from 'node:fs'
import type { Options } from 'tsup'
import { library } from '../devkit/src/build.js'
import { grafanaDashboard, prometheusRules, prometheusRuleTests, toYaml } from './src/slo.js'

const built = library({ entries: ['index', 'slo', 'slo-kit/bin'] })

const config: Options = {
  ...built,
  // What needs no Node to be used: Grafana and Prometheus read it as it is.
  onSuccess: async () => {
    await (built.onSuccess as () => Promise<void>)()
    writeFileSync('dist/grafana.json', `${JSON.stringify(grafanaDashboard(), null, 2)}\n`)
    writeFileSync('dist/rules.yml', toYaml(prometheusRules()))
    writeFileSync('dist/rules.test.yml', toYaml(prometheusRuleTests('rules.yml')))
  },
}

export default config
