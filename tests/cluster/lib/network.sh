# The cluster's network: a namespace joined to the host by one cable. Pods and
# Services exist only inside it; the host sees the node's address.

make_network() {
  ip netns add "$NETNS"
  ip link add prom-fix0 type veth peer name eth0 netns "$NETNS"
  ip addr add "$HOST_IP/24" dev prom-fix0
  ip link set prom-fix0 up
  ip -n "$NETNS" addr add "$NODE_IP/24" dev eth0
  ip -n "$NETNS" link set eth0 up
  ip -n "$NETNS" link set lo up
  # Nothing beyond the host answers, but kubelet and API server look for a
  # default route to learn which address is theirs.
  ip -n "$NETNS" route add default via "$HOST_IP"
  # Not with `ip netns exec`: that would mount a new /sys without the cgroups.
  nsenter --net="/run/netns/$NETNS" sysctl -qw net.ipv4.ip_forward=1
}

remove_network() {
  ip netns del "$NETNS" 2>/dev/null || true
  # Goes with its other end as a rule; not if the namespace is still held.
  ip link del prom-fix0 2>/dev/null || true
}
