#!/usr/bin/env bash
# Fetches the libraries of package.json by npm and bundles them: libraries.min.js, libraries.min.css, LICENSES.txt.
# `make vendor` calls it. To take newer ones, change package.json, remove package-lock.json, and call it.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp package.json entry.js uplot.css "$work"
[ ! -f package-lock.json ] || cp package-lock.json "$work"
cd "$work"

# without the addresses that packages came from: only versions and hashes
if [ -f package-lock.json ]; then npm ci; else npm install --omit-lockfile-registry-resolved; fi >&2
npm run --silent build >&2
sed -i 's/\x01/\\x01/g' libraries.min.js  # a control character within a string: HTML wants it escaped

npm ls --all --omit=dev --parseable | tail -n +2 | sort -u | while read -r folder; do
  node -p 'const p = require(process.argv[1]); `${p.name} ${p.version} (${p.license})`' "$folder/package.json"
  echo
  cat "$folder"/LICENSE*
  printf '\n----------------------------------------\n\n'
done > LICENSES.txt

cp package-lock.json libraries.min.js libraries.min.css LICENSES.txt "$OLDPWD"
