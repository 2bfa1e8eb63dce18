#!/bin/sh
# Start SeaweedFS with three S3 identities: Tonalog only lists and reads, whoever brings recordings also writes, and the HTTP API
# writes and reads uploads.
set -eu
umask 077
: "${TONALOG_S3_ACCESS_KEY:?}" "${TONALOG_S3_SECRET_KEY:?}" "${UPLOAD_S3_ACCESS_KEY:?}" "${UPLOAD_S3_SECRET_KEY:?}"
: "${API_S3_ACCESS_KEY:?}" "${API_S3_SECRET_KEY:?}"
bucket="${S3_BUCKET:?must name the bucket of the recordings}"
identities="$(mktemp)"
cat > "$identities" <<EOF
{"identities": [
  {"name": "tonalog",
   "credentials": [{"accessKey": "${TONALOG_S3_ACCESS_KEY}", "secretKey": "${TONALOG_S3_SECRET_KEY}"}],
   "actions": ["Read:${bucket}", "List:${bucket}"]},
  {"name": "uploader",
   "credentials": [{"accessKey": "${UPLOAD_S3_ACCESS_KEY}", "secretKey": "${UPLOAD_S3_SECRET_KEY}"}],
   "actions": ["Read:${bucket}", "List:${bucket}", "Write:${bucket}", "Tagging:${bucket}"]},
  {"name": "api",
   "credentials": [{"accessKey": "${API_S3_ACCESS_KEY}", "secretKey": "${API_S3_SECRET_KEY}"}],
   "actions": ["Write:${bucket}/uploads/*", "Read:${bucket}/uploads/*"]}
]}
EOF
# Telemetry off: a store of voice notes reports to nobody. The IAM API would let keys be made past this file.
exec weed -logtostderr=true server -dir="${DATA_DIR:-/data}" -ip="${SEAWEEDFS_IP:-seaweedfs}" -ip.bind=0.0.0.0 \
  -master.telemetry=false -master.volumeSizeLimitMB=1024 -volume.max=0 \
  -s3 -s3.port=8333 -s3.iam=false -s3.config="$identities"
