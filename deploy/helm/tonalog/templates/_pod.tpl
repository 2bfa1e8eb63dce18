{{/* What holds for every container: the restricted pod security standard. */}}
{{- define "tonalog.confined" -}}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end }}

{{- define "tonalog.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .user }}
runAsGroup: {{ .user }}
fsGroup: {{ .user }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* A pod: .root, .component, .args, .restartPolicy; optional .probe, .ports. */}}
{{- define "tonalog.pod" -}}
{{- $values := .root.Values }}{{ $own := index $values .component }}
restartPolicy: {{ .restartPolicy }}
{{- with $own.terminationGracePeriodSeconds }}
terminationGracePeriodSeconds: {{ . }}
{{- end }}
serviceAccountName: {{ $values.serviceAccountName }}
automountServiceAccountToken: false # nothing here asks the cluster
enableServiceLinks: false
shareProcessNamespace: true # reaps orphans, as `init: true` does in the compose file
securityContext:
  {{- include "tonalog.podSecurity" (dict "user" 10001) | nindent 2 }}
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with $own.placement }}
{{ toYaml . }}
{{- end }}
containers:
  - name: {{ .component }}
    image: {{ printf "%s:%s" $values.image.repository $values.image.tag }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args: {{ toJson .args }}
    {{- $scraped := and $values.metrics.enabled (ne .component "migrate") }}
    {{- if or .ports $scraped }}
    ports:
      {{- with .ports }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      {{- if $scraped }}
      - {name: metrics, containerPort: {{ $values.metrics.port }}}
      {{- end }}
    {{- end }}
    securityContext:
      {{- include "tonalog.confined" . | nindent 6 }}
    env:
      {{- include "tonalog.env" . | trim | nindent 6 }}
    resources:
      {{- toYaml $own.resources | nindent 6 }}
    {{- with .probe }}
    # Not a livenessProbe: while a server is away no restart helps. A stalled process ends itself (its watchdog).
    readinessProbe:
      {{- toYaml . | nindent 6 }}
      initialDelaySeconds: 10
      periodSeconds: 60
      timeoutSeconds: 30
      failureThreshold: 3
    {{- end }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      - {name: home, mountPath: {{ $values.settings.TONALOG_HOME }}}
      {{- if $values.certificates.secret }}
      - {name: certificates, mountPath: /etc/tonalog/certificates, readOnly: true}
      {{- end }}
volumes:
  - name: tmp
    emptyDir: {medium: Memory, sizeLimit: {{ $own.spoolSize | default "64Mi" }}}
  - name: home
    {{- if not $own.home }}
    emptyDir: {medium: Memory, sizeLimit: {{ $own.spoolSize | default "64Mi" }}}
    {{- else if $own.home.existingClaim }}
    persistentVolumeClaim: {claimName: {{ $own.home.existingClaim }}}
    {{- else }}
    emptyDir: {sizeLimit: {{ $own.home.size }}}
    {{- end }}
  {{- if $values.certificates.secret }}
  - name: certificates
    secret: {secretName: {{ $values.certificates.secret }}}
  {{- end }}
{{- end }}

{{/* A Deployment: as tonalog.pod, and .replicas (null: whoever scales it says). */}}
{{- define "tonalog.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "tonalog.name" . }}
  labels:
    {{- include "tonalog.labels" . | nindent 4 }}
spec:
  {{- if ne .replicas nil }}
  replicas: {{ .replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "tonalog.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "tonalog.selector" . | nindent 8 }}
    spec:
      {{- include "tonalog.pod" (merge (dict "restartPolicy" "Always") .) | nindent 6 }}
{{- end }}
