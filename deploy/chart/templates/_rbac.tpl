{{/* The targets in this cluster, as the bot completes them: a key that one leaves out takes the runbook's value. */}}
{{- define "bot.targets" -}}
{{- $names := (.Files.Get "files/rbac.yaml" | fromYaml).names -}}
{{- $targets := list -}}
{{- range (.Values.config.targets | default (list (dict))) -}}
{{- if not .context -}}
{{- $target := mergeOverwrite (deepCopy $names) . -}}
{{- $targets = append $targets $target -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "all" $targets) -}}
{{- end -}}

{{/* The rules for the targets of one namespace, in the words of the generated file: once each, with what needs it. */}}
{{- define "bot.rules" -}}
{{- $rules := list -}}
{{- range $target := .targets -}}
{{- range $entry := $.entries -}}
{{- $rule := deepCopy $entry.rule -}}
{{- if $rule.resourceNames -}}
{{- $named := list -}}
{{- range $rule.resourceNames -}}
{{- $named = append $named (ternary (get $target (trimPrefix "$" .)) . (hasPrefix "$" .)) -}}
{{- end -}}
{{- $_ := set $rule "resourceNames" (uniq $named | sortAlpha) -}}
{{- end -}}
{{- $rules = append $rules (dict "why" $entry.why "rule" $rule) -}}
{{- end -}}
{{- end -}}
{{- range uniq $rules }}
{{- if .why }}
# {{ .why }}
{{- end }}
- {{ toYaml .rule | nindent 2 | trim }}
{{- end -}}
{{- end -}}

{{- define "bot.subjects" -}}
subjects:
  - kind: ServiceAccount
    namespace: {{ .Release.Namespace }}
    name: {{ include "bot.account" . }}
{{- end -}}
