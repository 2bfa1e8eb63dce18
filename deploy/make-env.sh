#!/bin/sh
# Write .env beside docker-compose.yml with fresh random secrets; never overwrites one.
set -eu
umask 077
cd "$(dirname "$0")/.."
if [ -e .env ]; then
  echo ".env is there already; move it away first if you mean to replace every secret" >&2
  exit 1
fi
draft="$(mktemp ./.env.XXXXXX)"
while IFS= read -r line; do
  case "$line" in
    *=GENERATE) echo "${line%GENERATE}$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" ;;
    *) echo "$line" ;;
  esac
done < deploy/env.example > "$draft"
mv "$draft" .env
echo "wrote .env"
