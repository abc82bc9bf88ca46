#!/bin/sh
# Installs what the laboratory runs: a registrar, phones and attackers.
# Needs root and Debian or Ubuntu. Quick and silent when everything is there.
# With `compare`: what Ringfence is measured beside, in place of that.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv="${CARGO_TARGET_DIR:-$root/target}/lab-venv"
sipvicious=0.3.8
packages='kamailio sip-tester sipsak fail2ban python3-venv iproute2 nftables ethtool util-linux openssh-server openssh-client iputils-ping debootstrap systemd ipset'
[ "${1:-}" != compare ] || packages='iproute2 ethtool util-linux iptables ipset nftables'

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Runs a command quietly; shows what it said only when it fails.
quietly() {
    "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        echo "lab/setup.sh: failed: $*" >&2
        exit 1
    }
}

missing=''
for package in $packages; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = 'install ok installed' ] || missing="$missing $package"
done

if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "lab/setup.sh: run as root, or install:$missing" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get update -q
    # shellcheck disable=SC2086 # one word a package
    quietly apt-get install -y -q --no-install-recommends $missing
    # The laboratory starts its own; those that packages start would hold a port, or ban on this host.
    for service in $missing; do
        case $service in
        kamailio | fail2ban) unit=$service ;;
        openssh-server) unit=ssh ;;
        *) continue ;;
        esac
        [ ! -d /run/systemd/system ] || quietly systemctl disable --now "$unit"
    done
fi

[ "${1:-}" != compare ] || exit 0
stamp="$venv/sipvicious-$sipvicious"
if [ ! -e "$stamp" ]; then
    quietly /usr/bin/python3 -m venv --clear "$venv"
    quietly "$venv/bin/python" -m pip install --disable-pip-version-check "sipvicious==$sipvicious"
    : >"$stamp"
fi
