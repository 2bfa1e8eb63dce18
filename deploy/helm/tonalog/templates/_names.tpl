{{- define "tonalog.name" -}}
{{- printf "%s-%s" .root.Release.Name .component | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "tonalog.selector" -}}
app.kubernetes.io/name: tonalog
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "tonalog.labels" -}}
{{ include "tonalog.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "tonalog.components" -}}
worker scheduler{{ if .Values.api.enabled }} api{{ end }}{{ if .Values.webhooks.enabled }} webhooks{{ end }}
{{- end }}
