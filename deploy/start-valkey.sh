#!/bin/sh
# Start Valkey with its password read from standard input, so that no process list shows it.
set -eu
umask 077
: "${VALKEY_PASSWORD:?must hold the broker password}"
exec "${VALKEY_SERVER:-valkey-server}" "${VALKEY_CONF:-/etc/valkey/redis.conf}" --dir "${VALKEY_DIR:-/data}" - <<EOF
requirepass ${VALKEY_PASSWORD}
EOF
