export {
  type GrafanaDashboard,
  type GrafanaPanel,
  grafanaDashboard,
} from './slo-kit/grafana.js'
export { defaultObjectives, type Objective } from './slo-kit/objective.js'
export { type AlertRule, prometheusRules, type RecordingRule, type RuleFile } from './slo-kit/rules.js'
export { prometheusRuleTests, type RuleTestFile } from './slo-kit/rules-test.js'
export { toYaml } from './slo-kit/yaml.js'
