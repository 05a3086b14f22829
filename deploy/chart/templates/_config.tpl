{{/* Whether incidents are kept in a file. */}}
{{- define "bot.file" -}}
{{- if ne .Values.config.store.kind "kubernetes" }}true{{ end -}}
{{- end -}}

{{/* Whether the runbook is not the one that is compiled in. */}}
{{- define "bot.ownRunbook" -}}
{{- if or .Values.runbook.content .Values.runbook.configMap }}true{{ end -}}
{{- end -}}

{{- define "bot.storeNamespace" -}}
{{- default .Release.Namespace .Values.config.store.namespace -}}
{{- end -}}

{{/* config.yaml: what the values say, and what the chart decides. */}}
{{- define "bot.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if include "bot.ownRunbook" . -}}
{{- $_ := set $config "runbook" (printf "/etc/redis-session-bot/runbook/%s" .Values.runbook.key) -}}
{{- end -}}
{{- if .Values.kubeconfig.secret -}}
{{- $_ := set $config "kubeconfig" (printf "/etc/redis-session-bot/kubeconfig/%s" .Values.kubeconfig.key) -}}
{{- end -}}
{{- if not (include "bot.file" .) -}}
{{- /* A kubeconfig's context may name another namespace than the release's. */ -}}
{{- $_ := set $config.store "namespace" (include "bot.storeNamespace" .) -}}
{{- $_ := unset $config.store "path" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* What cannot be meant, and no schema can say in a sentence. */}}
{{- define "bot.check" -}}
{{- if and (include "bot.file" .) (gt (int .Values.replicas) 1) -}}
{{- fail (printf "replicas: %d replicas cannot share one file. Keep the incidents in the cluster (config.store.kind: kubernetes), or run one replica." (int .Values.replicas)) -}}
{{- end -}}
{{- if and .Values.runbook.content .Values.runbook.configMap -}}
{{- fail "runbook: content and configMap are both set. Keep one of them." -}}
{{- end -}}
{{- if and (include "bot.ownRunbook" .) .Values.rbac.create (not .Values.rbac.rules) -}}
{{- fail "rbac: the chart knows the rules of the runbook that is compiled in, not those of your own. Run bot rbac --runbook FILE: set rbac.rules to the rules that it prints for a target's namespace, or rbac.create to false and apply all of it." -}}
{{- end -}}
{{- if and (include "bot.ownRunbook" .) .Values.rbac.create -}}
{{- range (.Values.config.targets | default (list dict)) -}}
{{- if not .namespace -}}
{{- fail "config.targets: name the targets and the namespace of each. The runbook is your own, and the chart cannot read its target." -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.config.alerts.listen (eq (include "bot.port" .Values.config.alerts.listen) (include "bot.port" .Values.config.http.listen)) -}}
{{- fail "config: alerts.listen and http.listen are the same port. Give each its own." -}}
{{- end -}}
{{- end -}}
