#!/bin/sh
# Give each process its database role and password, before and after every upgrade; running it again changes nothing.
set -eu
: "${DATABASE_URL:?}" "${PGPASSWORD:?}" "${ROLES_SQL:?}"
: "${MIGRATOR_DB_PASSWORD:?}" "${WORKER_DB_PASSWORD:?}" "${SCHEDULER_DB_PASSWORD:?}" "${HTTP_DB_PASSWORD:?}" "${WEBHOOKS_DB_PASSWORD:?}"
ask() { psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$DATABASE_URL" "$@"; }
ask --file="$ROLES_SQL"
# psql reads the passwords from its environment, so that no list of processes shows them.
ask <<'SQL'
\getenv migrator MIGRATOR_DB_PASSWORD
\getenv worker WORKER_DB_PASSWORD
\getenv scheduler SCHEDULER_DB_PASSWORD
\getenv http HTTP_DB_PASSWORD
\getenv webhooks WEBHOOKS_DB_PASSWORD
ALTER ROLE tonalog_migrator PASSWORD :'migrator';
ALTER ROLE tonalog_worker PASSWORD :'worker';
ALTER ROLE tonalog_scheduler PASSWORD :'scheduler';
ALTER ROLE tonalog_http PASSWORD :'http';
ALTER ROLE tonalog_webhooks PASSWORD :'webhooks';
SQL
# Whoever adds workers by the backlog has one more (deploy/helm).
[ -z "${SCALER_DB_PASSWORD:-}" ] || ask <<'SQL'
\getenv scaler SCALER_DB_PASSWORD
ALTER ROLE tonalog_scaler PASSWORD :'scaler';
SQL
