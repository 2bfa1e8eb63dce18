#!/bin/sh
# Write deploy/LICENCES.md from the metadata of the installed packages that the lock names: `make licences`.
set -eu
pip_licenses="$1" python="$2"
cd "$(dirname "$0")/.."
names="$(sed -n 's/^\([a-z0-9.-]*\)==.*/\1/p' deploy/requirements.lock)"
draft="$(mktemp)"
{
  echo "# Licences of what the image holds"
  echo
  echo "Made by \`make licences\` from each package's own metadata; a package that the lock names for another Python only is not in it."
  echo "A wheel can hold libraries of other licences than its own, and whoever passes the image on passes those on too: av's holds"
  echo "FFmpeg with x264 and x265 (GPL-2.0-or-later), soundfile's libsndfile (LGPL-2.1-or-later), psycopg-binary's libpq, OpenSSL,"
  echo "Kerberos and OpenLDAP, numpy's and scipy's OpenBLAS and libgfortran, scikit-learn's libgomp (GCC runtime exception)."
  echo
  # shellcheck disable=SC2086 - one word each
  "$pip_licenses" --python "$python" --from mixed --with-system --format markdown --order name --packages $names
} > "$draft"
mv "$draft" deploy/LICENCES.md
chmod 644 deploy/LICENCES.md
