{{- define "secfpp.name" -}}
{{- default .Release.Name .Values.name -}}
{{- end -}}

{{- define "secfpp.labels" -}}
app.kubernetes.io/name: secfpp
app.kubernetes.io/part-of: secfpp
app.kubernetes.io/component: {{ .Values.role }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "secfpp.selector" -}}
app.kubernetes.io/name: secfpp
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "secfpp.port" -}}
{{- if eq .Values.role "coordinator" }}7750{{ else }}7760{{ end -}}
{{- end -}}

{{- define "secfpp.image" -}}
{{- $own := printf "secfpp-%s" .Values.role -}}
{{ default $own .Values.image.repository }}:{{ .Values.image.tag }}
{{- end -}}

{{- define "secfpp.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
