//! What a person does where no plan is safe.

/// Steps by hand, in order; `{object}` is what the finding is about.
pub(super) fn of(code: &str) -> &'static [&'static str] {
    match code {
        "bind/address-unusable" => &[
            "set --web.listen-address to :9090 (HOST:PORT or :PORT, no scheme), or drop it",
            "host network: find who has the port on the node (ss -ltnp), and take another for Prometheus, its probes and its Service",
        ],
        "bind/loopback" => &[
            "set --web.listen-address to :9090, or remove spec.listenLocal from the custom resource",
            "meanwhile kubectl port-forward to {object} reaches it",
        ],
        "bind/port-mismatch" => &[
            "make --web.listen-address, containerPort, the probes' port and the Service's targetPort the same; name the port and refer to the name",
        ],
        "bind/service-selector" => &[
            "compare: kubectl get {object} -o wide and kubectl get pods --show-labels; set spec.selector to labels of the pods",
        ],
        "bind/network-policy" => &[
            "add a policy that lets in this client on this port; those that are there stay as they are",
            "a client in another namespace needs its namespace named too: kubernetes.io/metadata.name",
        ],
        "bind/client-down" => &["start {object}, and ask again"],
        "bind/client-address" => {
            &["set it where the client has it from, to what the finding says it should be"]
        }
        "bind/no-ready-endpoint" => &[
            "the pods are ready and the Service has no endpoint: look at its EndpointSlices and at kube-controller-manager",
        ],
        "bind/scheme-or-path" => &[
            "401, 403: give the probes the login (probe httpHeaders), or drop basic auth for a proxy in front",
            "400: set scheme: HTTPS on the probes; 404: put the route prefix before the probes' paths, or set --web.route-prefix=/",
            "a refused web configuration: mend the file that the line names",
        ],
        _ => &["kubectl prom-fix explain {code}"],
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::classes::bind::docs::DOCS;

    /// 0.0.0.0 is no address of a pod that has IPv6 alone; no host is every address of both.
    #[test]
    fn whoever_listens_by_hand_does_so_on_both_families() {
        for doc in DOCS {
            let ways = of(doc.code.0).join(" ");
            let all = format!("{} {} {ways}", doc.meaning, doc.plan);
            assert!(!all.contains("0.0.0.0"), "{all}");
        }
        for code in ["bind/loopback", "bind/address-unusable"] {
            assert!(of(code).iter().any(|way| way.contains("--web.listen-address to :9090")));
        }
    }
}
