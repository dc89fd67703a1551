# One authority per run, and an identity for each component, so that the audit
# log tells a test's own requests from those of the cluster.

make_authority() {
  mkdir -p "$PKI"
  new_key ca
  openssl req -x509 -new -key "$PKI/ca.key" -out "$PKI/ca.crt" -days 3650 -subj /CN=prom-fix-test
  new_key service-accounts
  openssl pkey -in "$PKI/service-accounts.key" -pubout -out "$PKI/service-accounts.pub"
}

# Elliptic keys: an RSA key can take a second, and there are nine.
new_key() { # NAME
  openssl ecparam -name prime256v1 -genkey -noout -out "$PKI/$1.key"
}

# DAYS=0 makes one that has expired a second later.
certificate() { # NAME SUBJECT USAGE [SUBJECT-ALT-NAMES]
  new_key "$1"
  openssl req -new -key "$PKI/$1.key" -subj "$2" -out "$PKI/$1.csr"
  openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -days "${DAYS:-3650}" \
    -set_serial "0x$(openssl rand -hex 8)" -out "$PKI/$1.crt" \
    -extfile <(printf 'keyUsage=digitalSignature\nextendedKeyUsage=%s\n' "$3"
      [[ -z ${4:-} ]] || printf 'subjectAltName=%s\n' "$4") 2>/dev/null
  rm "$PKI/$1.csr"
}

# Everything is inside the file, so that a test may copy it anywhere.
kubeconfig() { # NAME FILE
  cat >"$2" <<END
apiVersion: v1
kind: Config
clusters:
- name: prom-fix-test
  cluster:
    server: $SERVER
    certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 "$PKI/$1.crt")
    client-key-data: $(base64 -w0 "$PKI/$1.key")
contexts:
- name: prom-fix-test
  context: {cluster: prom-fix-test, user: $1}
current-context: prom-fix-test
END
  chmod 600 "$2"
}

identity() { # NAME SUBJECT
  certificate "$1" "$2" clientAuth
  kubeconfig "$1" "$STATE/$1.kubeconfig"
}

make_certificates() {
  make_authority
  certificate kube-apiserver /CN=kube-apiserver serverAuth \
    "IP:$NODE_IP,IP:10.96.0.1,IP:127.0.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
  certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
  certificate node "/O=system:nodes/CN=system:node:$NODE" clientAuth,serverAuth "IP:$NODE_IP,DNS:$NODE"
  kubeconfig node "$STATE/node.kubeconfig"
  identity admin /O=system:masters/CN=admin
  identity cluster-setup /O=system:masters/CN=cluster-setup
  identity controller-manager /CN=system:kube-controller-manager
  identity scheduler /CN=system:kube-scheduler
  identity proxy /CN=system:kube-proxy
  identity provisioner /O=system:masters/CN=volume-provisioner
}
