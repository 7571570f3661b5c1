#!/usr/bin/env bash
# Checks a report in Chromium; see check.mjs.
#
#     check.sh REPORT.html [SCREENSHOT.png]
#
# Installs what it needs if it is missing: Debian's Chromium, and playwright-core in a folder of its own under the folder for temporary files.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
report=$(realpath "${1:?usage: check.sh REPORT.html [SCREENSHOT.png]}")
folder=${TMPDIR:-/tmp}/gracchus-browser
mkdir -p "$folder"
screenshot=$(realpath -m "${2:-$folder/report.png}")

# Registries fail now and then.
retry() {
  local tries
  for tries in 1 2 3 4; do
    if "$@"; then return; fi
    echo "try $tries failed: $*" >&2
    sleep $((tries * 5))
  done
  return 1
}

if [[ ! -x ${CHROMIUM:-/usr/bin/chromium} ]]; then
  retry apt-get update -q
  DEBIAN_FRONTEND=noninteractive retry apt-get install -y -q --no-install-recommends chromium
fi >"$folder/install.log" 2>&1 || { cat "$folder/install.log" >&2; exit 1; }

cd "$folder"
if [[ ! -d node_modules/playwright-core ]]; then
  retry npm install --no-save --no-audit --no-fund playwright-core@1.65.1
fi >"$folder/install.log" 2>&1 || { cat "$folder/install.log" >&2; exit 1; }

node "$here/check.mjs" "$report" "$screenshot"
