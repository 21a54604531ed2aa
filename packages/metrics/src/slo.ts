export { type Budget, type GateOptions, sloGate } from './slo-kit/gate.js'
export {
  type GrafanaDashboard,
  type GrafanaPanel,
  grafanaDashboard,
} from './slo-kit/grafana.js'
export { defaultObjectives, type Objective, type SloOptions } from './slo-kit/objective.js'
export {
  type AlertRule,
  prometheusRuleResource,
  prometheusRules,
  type RecordingRule,
  type RuleFile,
  type RuleResource,
  type RuleResourceMetadata,
} from './slo-kit/rules.js'
export { prometheusRuleTests, type RuleTestFile } from './slo-kit/rules-test.js'
export { toYaml } from './slo-kit/yaml.js'
