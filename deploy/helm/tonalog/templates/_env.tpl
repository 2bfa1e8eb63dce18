{{/* Whole numbers come as floats, and 1e+06 is no number of a setting. */}}
{{- define "tonalog.word" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- define "tonalog.secret" -}}
- name: {{ .variable }}
  valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}{{ if .optional }}, optional: true{{ end }}}}
{{- end }}

{{/* What a process reads: the settings, and the secrets that it needs. */}}
{{- define "tonalog.env" -}}
{{- $values := .root.Values }}{{ $secrets := $values.secrets }}{{ $component := .component }}
{{- range $name, $value := $values.settings }}
{{- if and (not (kindIs "invalid" $value)) (ne (toString $value) "") }}
- name: {{ $name }}
  value: {{ include "tonalog.word" $value | quote }}
{{- end }}
{{- end }}
{{- if and $values.metrics.enabled (ne $component "migrate") }}
- name: TONALOG_METRICS_HOST
  value: "0.0.0.0"
- name: TONALOG_METRICS_PORT
  value: {{ $values.metrics.port | quote }}
{{- end }}
{{ include "tonalog.secret" (dict "variable" "TONALOG_DATABASE_URL" "secret" (index $secrets $component) "key" "database-url") }}
{{- if has $component (list "worker" "scheduler" "migrate") }}
{{ include "tonalog.secret" (dict "variable" "TONALOG_BROKER_URL" "secret" $secrets.shared "key" "broker-url") }}
{{- end }}
{{- if and $secrets.hasS3Keys (ne $component "webhooks") }}
{{- /* The api's are for uploads alone, with the rights of deploy/s3/api.json; without them uploads are refused. */}}
{{- $of := ternary $secrets.api $secrets.shared (eq $component "api") }}
{{ include "tonalog.secret" (dict "variable" "TONALOG_S3_ACCESS_KEY" "secret" $of "key" "s3-access-key" "optional" (eq $component "api")) }}
{{ include "tonalog.secret" (dict "variable" "TONALOG_S3_SECRET_KEY" "secret" $of "key" "s3-secret-key" "optional" (eq $component "api")) }}
{{- end }}
{{- if has $component (list "migrate" "scheduler" "api") }}
{{ include "tonalog.secret" (dict "variable" "TONALOG_SUBJECT_KEY" "secret" $secrets.shared "key" "subject-key" "optional" true) }}
{{- end }}
{{- if eq $component "scheduler" }}
{{ include "tonalog.secret" (dict "variable" "TONALOG_SMTP_URL" "secret" $secrets.shared "key" "smtp-url" "optional" true) }}
{{- end }}
{{- end }}
