# Can this host run the cluster, and what must be installed on it first.

# Debian packages that must be installed because they bring libraries along.
# Everything else from Debian is only unpacked into the cache: nothing is
# started, and a Docker already on the host is left alone.
HOST_PACKAGES=(conntrack ipset iptables iproute2 kmod libseccomp2 openssl procps util-linux)
HOST_COMMANDS=(conntrack ipset iptables ip openssl sysctl nsenter)

check_host() {
  [[ $(uname -s) == Linux ]] || cannot "it needs Linux, this is $(uname -s)"
  [[ $(uname -m) == x86_64 ]] || cannot "it needs an x86-64 machine, this is $(uname -m)"
  [[ $(id -u) == 0 ]] || cannot "it needs root (namespaces, mounts, cgroups)"
  [[ -n ${HOME:-} ]] || cannot "HOME is not set"
  command -v go >/dev/null || cannot "it needs Go to build Kubernetes"
  local go_version; go_version=$(GOTOOLCHAIN=local go env GOVERSION)
  printf '%s\n' "go$GO_AT_LEAST" "$go_version" | sort -CV ||
    cannot "it needs Go $GO_AT_LEAST for Prometheus $PROMETHEUS_NEW, this is $go_version"
  command -v apt-get >/dev/null || cannot "it needs a Debian host: there is no apt-get"
  # shellcheck source=/dev/null
  local release; release=$(. /etc/os-release && echo "$ID $VERSION_ID")
  [[ $release == "debian $DEBIAN_RELEASE" ]] ||
    cannot "it needs Debian $DEBIAN_RELEASE for Prometheus $PROMETHEUS_FROM_DEBIAN, this is $release"
  unshare --net true 2>/dev/null || cannot "this root may not make network namespaces"
  unshare --mount true 2>/dev/null || cannot "this root may not make mounts"
  [[ -e /dev/kmsg ]] || cannot "there is no /dev/kmsg, which the kubelet reads"
  [[ -n $(cgroup_roots) ]] || cannot "no writable cgroup hierarchy under /sys/fs/cgroup"
}

# Every hierarchy in which the kubelet and runc keep groups: one for cgroup v2,
# one for each controller for v1.
cgroup_roots() {
  if [[ -w /sys/fs/cgroup/cgroup.procs ]]; then
    echo /sys/fs/cgroup
    return
  fi
  local root
  for root in /sys/fs/cgroup/*; do
    [[ -d $root && ! -L $root && -w $root/cgroup.procs ]] && echo "$root"
  done
  return 0
}

APT_READY=
apt_get() {
  if [[ -z $APT_READY ]]; then
    apt-get -qq update </dev/null >&2 || fail "apt-get update did not work"
    APT_READY=yes
  fi
  # Root downloads into directories that apt's own user may not enter.
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o APT::Sandbox::User=root "$@" </dev/null >&2
}

install_host_packages() {
  local command
  for command in "${HOST_COMMANDS[@]}"; do
    command -v "$command" >/dev/null && continue
    apt_get install --no-install-recommends "${HOST_PACKAGES[@]}" ||
      fail "apt-get could not install ${HOST_PACKAGES[*]}"
    return
  done
}
