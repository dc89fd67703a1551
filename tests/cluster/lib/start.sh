# The stages of a start, in the order in which `up` calls them.

# Requests of the start itself do not show as the admin's in the audit log.
setup() { "$BIN/kubectl" --kubeconfig "$STATE/cluster-setup.kubeconfig" "$@"; }

KERNEL_SETTINGS=(vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops
  kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

make_folders() {
  mkdir -p "$STATE"/{pids,bin,cni,kubelet,volumes,users,pod-logs} "$SOCKETS" "$STORE"
  echo "$STATE" >"$SOCKETS/owner"
  rm -rf "$LOGS.previous"
  [[ ! -d $LOGS ]] || mv "$LOGS" "$LOGS.previous"
  mkdir -p "$LOGS"
  # The kubelet sets these for the whole host; teardown puts them back.
  sysctl "${KERNEL_SETTINGS[@]}" >"$SOCKETS/sysctl.before" 2>/dev/null || true
  [[ -e /var/lib/kubelet ]] || touch "$SOCKETS/made-var-lib-kubelet"
}

link_programs() {
  local applet debian kube
  kube=$(readlink -f "$PARTS/kube")
  debian=$(readlink -f "$PARTS/debian")
  for applet in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do
    ln -s "$kube/kube" "$BIN/$applet"
  done
  ln -s "$debian"/usr/bin/{etcd,containerd,containerd-shim-runc-v2,ctr} "$debian/usr/sbin/runc" "$BIN/"
  ln -s "$(readlink -f "$PARTS/helm")/helm" "$(readlink -f "$PARTS/prometheus-new")/promtool" \
    "$(readlink -f "$PARTS/tools")"/{probe,provisioner} "$BIN/"
  CNI_PLUGINS=$debian/usr/lib/cni
  RUNC=$debian/usr/sbin/runc
}

make_cgroups() {
  local root file
  for root in $(cgroup_roots); do
    mkdir -p "$root/$CGROUP"
    # A new v1 cpuset may use no processor at all until it is told which.
    for file in cpuset.mems cpuset.cpus; do
      [[ ! -f $root/$file || -f $root/cgroup.controllers ]] || cat "$root/$file" >"$root/$CGROUP/$file"
    done
    if [[ -f $root/cgroup.controllers ]]; then
      for file in $(<"$root/cgroup.controllers"); do
        echo "+$file" >"$root/cgroup.subtree_control" 2>/dev/null || true
        echo "+$file" >"$root/$CGROUP/cgroup.subtree_control" 2>/dev/null || true
      done
    fi
  done
}

start_containerd() {
  local images
  images=$(<"$PARTS/images/images.sha256")
  # Containers of a run that was killed are still in the store.
  if [[ -e $STORE/dirty || $(cat "$STORE/imported" 2>/dev/null) != "$images" ]]; then
    rm -rf "$STORE"
    mkdir -p "$STORE"
  fi
  touch "$STORE/dirty"
  # An overlay cannot lie on an overlay, as when the host is a container.
  SNAPSHOTTER=overlayfs
  [[ $(stat -f -c %T "$STORE") != overlayfs ]] || SNAPSHOTTER=native
  fill containerd.toml >"$STATE/containerd.toml"
  fill pod-network.conflist >"$STATE/cni/10-pods.conflist"
  start containerd "$BIN/containerd" -c "$STATE/containerd.toml"
}

import_images() {
  stage containerd answers -- 20 ctr version
  [[ ! -f $STORE/imported ]] || return 0
  ctr images import "$PARTS/images/images.tar" >>"$LOGS/images.log" 2>&1 ||
    fail "the images could not be imported; see $LOGS/images.log"
  cp "$PARTS/images/images.sha256" "$STORE/imported"
  say images unpacked
}

start_api_server() {
  # Durability is of no use to a cluster that starts empty each time.
  start etcd "$BIN/etcd" --data-dir "$STATE/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380
  start kube-apiserver "$BIN/kube-apiserver" \
    --etcd-servers=http://127.0.0.1:2379 \
    --advertise-address="$NODE_IP" --bind-address="$NODE_IP" --secure-port=6443 \
    --tls-cert-file="$PKI/kube-apiserver.crt" --tls-private-key-file="$PKI/kube-apiserver.key" \
    --client-ca-file="$PKI/ca.crt" \
    --kubelet-certificate-authority="$PKI/ca.crt" \
    --kubelet-client-certificate="$PKI/kubelet-client.crt" \
    --kubelet-client-key="$PKI/kubelet-client.key" \
    --kubelet-preferred-address-types=InternalIP \
    --service-account-key-file="$PKI/service-accounts.pub" \
    --service-account-signing-key-file="$PKI/service-accounts.key" \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-cluster-ip-range="$SERVICE_CIDR" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --allow-privileged \
    --audit-policy-file="$HERE/manifests/audit-policy.yaml" \
    --audit-log-path="$AUDIT_LOG" --audit-log-maxsize=1000
}

# Only once the API server is ready: the controllers give up at once where they
# may not yet read what they need.
start_controllers() {
  start kube-controller-manager "$BIN/kube-controller-manager" \
    --kubeconfig="$STATE/controller-manager.kubeconfig" \
    --authentication-kubeconfig="$STATE/controller-manager.kubeconfig" \
    --authorization-kubeconfig="$STATE/controller-manager.kubeconfig" \
    --service-account-private-key-file="$PKI/service-accounts.key" --root-ca-file="$PKI/ca.crt" \
    --use-service-account-credentials --leader-elect=false \
    --allocate-node-cidrs --cluster-cidr=10.244.0.0/16
  start kube-scheduler "$BIN/kube-scheduler" --kubeconfig="$STATE/scheduler.kubeconfig" \
    --authentication-kubeconfig="$STATE/scheduler.kubeconfig" \
    --authorization-kubeconfig="$STATE/scheduler.kubeconfig" --leader-elect=false
}

start_node() {
  fill kubelet.yaml >"$STATE/kubelet.yaml"
  start kubelet "$BIN/kubelet" --config "$STATE/kubelet.yaml" --kubeconfig "$STATE/node.kubeconfig" \
    --hostname-override "$NODE" --node-ip "$NODE_IP" --root-dir "$STATE/kubelet"
  fill kube-proxy.yaml >"$STATE/kube-proxy.yaml"
  start kube-proxy "$BIN/kube-proxy" --config "$STATE/kube-proxy.yaml"
  start provisioner "$BIN/provisioner" "$SERVER" "$PKI/ca.crt" "$PKI/provisioner.crt" \
    "$PKI/provisioner.key" "$NODE" "$STATE/volumes"
}

create_objects() {
  {
    fill storage.yaml
    echo ---
    fill coredns.yaml
  } | setup create -f - >>"$LOGS/objects.log" 2>&1 || fail "see $LOGS/objects.log"
  setup create -f "$PARTS/crds/" >>"$LOGS/objects.log" 2>&1 || fail "see $LOGS/objects.log"
  setup wait --for=condition=Established --timeout=30s -f "$PARTS/crds/" >>"$LOGS/objects.log" 2>&1 ||
    fail "the operator's definitions are not established; see $LOGS/objects.log"
  say "the operator's definitions are established"
  fill operator.yaml | setup create -f - >>"$LOGS/objects.log" 2>&1 || fail "see $LOGS/objects.log"
}

ready_node() {
  setup wait --for=condition=Ready --timeout=1s "node/$NODE"
}

available() { # NAMESPACE DEPLOYMENT
  setup wait --for=condition=Available --timeout=5s -n "$1" "deployment/$2"
}
