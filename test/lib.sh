# Common to test/check and test/demo: what the machine needs, building, installing, and becoming a
# user under which PostgreSQL is willing to run. Sourced by bash with `set -euo pipefail`.

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pg_major=15
pg_bin=/usr/lib/postgresql/$pg_major/bin
pgxs_dir=/usr/lib/postgresql/$pg_major/lib/pgxs

packages=(
    postgresql-$pg_major postgresql-server-dev-$pg_major g++ make libboost1.81-dev rapidjson-dev
    libcurl4-openssl-dev libssl-dev libzstd-dev libxxhash-dev libkrb5-dev
)

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "This needs root or sudo: $*"; fi
}

# Installs those of the packages that are missing.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || die "Install these first: ${missing[*]}"
    say "Installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null
}

build_and_install() {
    say "Building and installing sync"
    make -s -C "$root_dir" -j"$(nproc)" PG_CONFIG=$pg_bin/pg_config DEBUG_INFO=-g1
    as_root make -s -C "$root_dir" PG_CONFIG=$pg_bin/pg_config install >/dev/null
}

# PostgreSQL refuses to run as root: then its own user runs the servers.
if [ "$(id -u)" = 0 ]; then server_user=postgres; else server_user=$(id -un); fi

as_server_user() {
    if [ "$(id -un)" = "$server_user" ]; then "$@"; else runuser -u "$server_user" -- "$@"; fi
}

# Makes a directory that the server's user owns and that vanishes with the script.
make_work_dir() {
    work_dir=$(mktemp -d /tmp/sync-XXXXXX)
    if [ "$(id -u)" = 0 ]; then chown "$server_user" "$work_dir"; fi
    chmod 755 "$work_dir"
}
