# Where everything of the test cluster is, what it is called, and how a script
# says how far it got. Sourced by every script; it changes nothing by itself.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../versions.env
source "$HERE/versions.env"

# Root's PATH has no sbin where the shell was not a login.
PATH=$PATH:/usr/sbin:/sbin

CACHE=${PROM_FIX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-prom-fix}
STATE=${PROM_FIX_STATE:-$CACHE/run}
PARTS=$CACHE/parts
# containerd's images outlive a run: unpacking them takes longer than all the
# rest of a warm start.
STORE=$CACHE/store
# Sockets live outside the cache because a socket's path may have at most 107
# bytes, and a checkout's cache may be anywhere.
SOCKETS=/run/prom-fix-cluster

PKI=$STATE/pki
LOGS=$STATE/logs
BIN=$STATE/bin
AUDIT_LOG=$LOGS/audit.log
ADMIN=$STATE/admin.kubeconfig

# One cluster per host: these names and addresses are fixed.
NETNS=prom-fix
NODE=node-1
HOST_IP=10.213.0.1
NODE_IP=10.213.0.2
POD_CIDR=10.244.0.0/24
SERVICE_CIDR=10.96.0.0/16
DNS_IP=10.96.0.10
SERVER=https://$NODE_IP:6443
CGROUP=prom-fix

SINCE=$(date +%s%N)

# say WORDS... : one line of progress on stderr, with the seconds so far.
say() {
  local ms=$((($(date +%s%N) - SINCE) / 1000000))
  printf '[%3d.%d s] %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*" >&2
}

fail() {
  printf 'test cluster: %s\n' "$*" >&2
  exit 1
}

# The host cannot do this at all; a test runner turns 3 into a skipped test.
cannot() {
  printf 'test cluster: cannot run here: %s\n' "$*" >&2
  exit 3
}

# until_true SECONDS COMMAND... : try again until it succeeds or time is up.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.2
  done
}

# fill FILE : a manifest with its @NAMES@ replaced by this run's values.
fill() {
  local text name
  text=$(<"$HERE/manifests/$1")
  for name in STATE PKI SOCKETS STORE CGROUP NODE DNS_IP POD_CIDR COREDNS OPERATOR \
    PROMETHEUS_NEW CNI_PLUGINS RUNC SNAPSHOTTER NAME TAG; do
    text=${text//@$name@/${!name:-}}
  done
  [[ ! $text =~ @[A-Z_]+@ ]] || fail "$1: nothing is known for ${BASH_REMATCH[0]}"
  printf '%s\n' "$text"
}

kubectl() { "$BIN/kubectl" --kubeconfig "$ADMIN" "$@"; }
ctr() { "$BIN/ctr" -a "$SOCKETS/containerd.sock" -n k8s.io "$@"; }
