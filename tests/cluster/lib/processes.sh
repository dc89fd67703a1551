# The cluster's own processes: started in its network, found again by it.

# The environment is emptied: a proxy set for the host would catch the API
# server's calls to the kubelet.
start() { # NAME COMMAND...
  local name=$1
  shift
  (
    close_others
    exec env -i HOME=/root PATH="$BIN:/usr/sbin:/usr/bin:/sbin:/bin" \
      setsid nsenter --net="/run/netns/$NETNS" -- "$@"
  ) </dev/null >>"$LOGS/$name.log" 2>&1 &
  echo $! >"$STATE/pids/$name"
}

# A daemon outlives its caller, and would keep every lock and pipe of theirs.
close_others() {
  local open
  for open in "/proc/$BASHPID/fd"/*; do
    open=${open##*/}
    ((open <= 2)) || exec {open}>&-
  done
}

in_our_network() { # PID
  [[ /proc/$1/ns/net -ef /run/netns/$NETNS ]]
}

# A number alone would not do: after a reboot it may be somebody else's.
alive() { # NAME
  local pid
  pid=$(cat "$STATE/pids/$1" 2>/dev/null) && in_our_network "$pid"
}

DAEMONS=(etcd kube-apiserver kube-controller-manager kube-scheduler containerd kubelet kube-proxy provisioner)

all_alive() {
  local name
  for name in "${DAEMONS[@]}"; do
    alive "$name" || return 1
  done
}

# Every process in our network but the pods, which have networks of their own:
# the daemons, containerd's shims, and pods on the host network.
our_processes() {
  [[ -e /run/netns/$NETNS ]] || return 0
  local process
  for process in /proc/[0-9]*; do
    in_our_network "${process#/proc/}" && echo "${process#/proc/}"
  done
  return 0
}

# stage WORDS... -- SECONDS COMMAND... : wait for it, say so, or name the logs.
stage() {
  local words=()
  while [[ $1 != -- ]]; do
    words+=("$1")
    shift
  done
  shift
  until_true "$@" || fail "not in time: ${words[*]}; see $LOGS"
  say "${words[*]}"
}
