# Ends everything and leaves the host as it was. Works on a cluster that runs,
# on one whose processes were killed, and on none.

anything_left() {
  [[ -e /run/netns/$NETNS || -e $SOCKETS ]] && return
  local root
  for root in $(cgroup_roots); do
    [[ -d $root/$CGROUP ]] && return
  done
  return 1
}

# The state folder whose cluster this host runs or ran last.
owner() { cat "$SOCKETS/owner" 2>/dev/null || true; }

teardown() {
  empty_store
  kill_all
  remove_cgroups
  unmount_all
  remove_network
  if [[ -f $SOCKETS/sysctl.before ]]; then
    sysctl -qp "$SOCKETS/sysctl.before" || true
  fi
  remove_folders
}

# Takes the containers out of containerd's store, so that its images can be
# used again. If that does not work the store stays marked as dirty, and the
# next start unpacks the images anew.
empty_store() {
  local pid
  alive containerd || return 0
  for pid in kubelet kube-controller-manager kube-scheduler; do
    alive "$pid" && kill -KILL "$(cat "$STATE/pids/$pid")"
  done
  kill_pods
  local ids
  ids=$(timeout 10 "$BIN/ctr" -a "$SOCKETS/containerd.sock" -n k8s.io containers ls -q) || return 0
  if [[ -n $ids ]]; then
    # shellcheck disable=SC2086 # one word for each container
    {
      timeout 60 "$BIN/ctr" -a "$SOCKETS/containerd.sock" -n k8s.io tasks rm -f $ids
      timeout 60 "$BIN/ctr" -a "$SOCKETS/containerd.sock" -n k8s.io containers rm $ids
    } >/dev/null 2>&1 || true
    [[ -z $(ctr containers ls -q) ]] || return 0
  fi
  pid=$(cat "$STATE/pids/containerd")
  kill -TERM "$pid"
  if until_true 10 gone "$pid"; then
    rm -f "$STORE/dirty"
  fi
}

gone() { ! in_our_network "$1"; }

kill_pods() {
  local root group pid
  for root in $(cgroup_roots); do
    [[ -d $root/$CGROUP ]] || continue
    while read -r group; do
      for pid in $(cat "$group" 2>/dev/null); do
        kill -KILL "$pid" 2>/dev/null || true
      done
    done < <(find "$root/$CGROUP" -name cgroup.procs)
  done
}

none_left() { [[ -z $(our_processes) ]]; }

kill_all() {
  local pid
  for pid in $(our_processes); do
    # The script itself may have been started from inside.
    [[ $pid == "$$" ]] || kill -KILL "$pid" 2>/dev/null || true
  done
  kill_pods
  until_true 10 none_left || say "some processes do not end: $(our_processes | xargs)"
}

remove_cgroups() {
  local root
  for root in $(cgroup_roots); do
    # A group can be removed only once the kernel has reaped its last process.
    until_true 5 remove_cgroup "$root/$CGROUP" || say "cgroup $root/$CGROUP is still in use"
  done
}

remove_cgroup() {
  [[ -d $1 ]] || return 0
  find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
  [[ ! -d $1 ]]
}

our_mounts() {
  awk -v a="$STATE/" -v b="$SOCKETS/" -v c="$STORE/" \
    'index($5, a) == 1 || index($5, b) == 1 || index($5, c) == 1 {print $5}' /proc/self/mountinfo | sort -r
}

unmount_all() {
  local place
  while read -r place; do
    umount "$place" 2>/dev/null || umount -l "$place" 2>/dev/null || true
  done < <(our_mounts)
}

remove_folders() {
  # A pod may have mounted a folder of the host: never delete through a mount.
  [[ -z $(our_mounts) ]] || fail "cannot unmount $(our_mounts | xargs)"
  # Kept: logs and logs.previous.
  find "$STATE" -mindepth 1 -maxdepth 1 ! -name 'logs*' -exec rm -rf {} +
  # The kubelet makes this folder wherever its own root is.
  [[ -f $SOCKETS/made-var-lib-kubelet ]] && rm -rf /var/lib/kubelet
  find /var/log/containers -lname "$STATE/*" -delete 2>/dev/null || true
  # Sockets of shims that were killed: no process of the host listens on them.
  local socket
  for socket in /run/containerd/s/*; do
    [[ -S $socket ]] && ! grep -qF "$socket" /proc/net/unix && rm -f "$socket"
  done
  rm -rf "$SOCKETS"
}
