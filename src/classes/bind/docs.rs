//! What `explain` says of the codes. Facts: prometheus v3.14.0 `cmd/prometheus/main.go`, `web/`,
//! kubernetes v1.34.

use crate::model::{Code, CodeDoc, Stage};

pub const DOCS: &[CodeDoc] = &[
    CodeDoc {
        code: Code("bind/address-unusable"),
        stage: Stage::Listen,
        meaning: "Prometheus cannot open the address it is told to listen on",
        proof: "\"Unable to start web listener\" (or \"error starting web server\", 2.23 and older) with \
                \"address already in use\", \"cannot assign requested address\", \"permission denied\", or \
                \"parse external URL\": address … before any log line",
        plan: "listen on :9090, which is every address of the pod. In use: on the host network another \
               process of the node has the port; take another. Not this pod's: never give a pod's IP. Below 1024: take a higher \
               port. A URL is no address: HOST:PORT or :PORT only",
        risk: "the pod restarts; where the port changes, Services, probes and scrapers must follow",
    },
    CodeDoc {
        code: Code("bind/loopback"),
        stage: Stage::Reach,
        meaning: "Prometheus listens on the pod's loopback only, and nothing in the pod passes requests on",
        proof: "--web.listen-address is 127.0.0.1, localhost or [::1] (spec.listenLocal of the custom \
                resource does that), or its log says so; or probes and the pod proxy are refused, while a \
                port-forward is answered (bind --inspect), wherever it was told that",
        plan: "listen on :9090, or remove listenLocal, or put a proxy container in front. Where only the \
               config-reloader is not ready: prometheus-operator before 0.75 probes it at the address of \
               the pod; with a newer one listenLocal may stay",
        risk: "what is opened is open to the cluster: if loopback was meant as protection, use a \
               NetworkPolicy or the web configuration instead",
    },
    CodeDoc {
        code: Code("bind/port-mismatch"),
        stage: Stage::Reach,
        meaning: "arguments, container port, probe and Service do not name the same port",
        proof: "a probe asks a port on which Prometheus does not listen, or no port of a Service leads to \
                a port of its pods",
        plan: "make --web.listen-address, containerPort, probe port and targetPort the same; best by the \
               port's name in all but the first",
        risk: "a change of the template restarts the pods; a change of the Service does not",
    },
    CodeDoc {
        code: Code("bind/service-selector"),
        stage: Stage::Reach,
        meaning: "the Service of this Prometheus selects none of its pods",
        proof: "its spec.selector is no part of the pods' labels, and its EndpointSlices are empty",
        plan: "set the selector to labels of the pod template",
        risk: "none for the pods; a wrong selector leads clients to others",
    },
    CodeDoc {
        code: Code("bind/no-ready-endpoint"),
        stage: Stage::Reach,
        meaning: "a Service of this Prometheus has no ready endpoint",
        proof: "its EndpointSlices hold no endpoint with ready: true. Mostly it follows from pods that \
                are down, and is explained by what stops them",
        plan: "heal the pods. If they are ready: look at the endpoint controller and the Service's ports",
        risk: "none",
    },
    CodeDoc {
        code: Code("bind/network-policy"),
        stage: Stage::Reach,
        meaning: "a NetworkPolicy does not let the client in, or not out; as a warning, not Prometheus \
                  itself out to the API server, so that its service discovery finds nothing new",
        proof: "a policy selects the Prometheus pods and no ingress rule fits the client and the port; the \
                pod is ready all the while, for the kubelet is let through. kube-prometheus ships such a \
                policy. Or a pod with the client's labels got no answer (bind --client --inspect), and no \
                NetworkPolicy says so: a plugin's own rules. The warning: its requests for targets time out (2.x logs it; of 3.x bind reads what it \
                counted)",
        plan: "bind --client judges one workload, and plans a policy more for it and this port alone; \
               those that are there stay as they are. For the warning: a rule of egress to address and port \
               of the API server, as endpoints kubernetes -n default shows them",
        risk: "a rule that is too wide opens all metrics to the cluster",
    },
    CodeDoc {
        code: Code("bind/scheme-or-path"),
        stage: Stage::Reach,
        meaning: "Prometheus is asked in the wrong scheme, without login, or at the wrong path",
        proof: "probes answered with 400 (TLS), 401 (login), 404 (route prefix, which defaults to the path \
                of --web.external-url); or \"Unable to validate web configuration file\"",
        plan: "probes: scheme HTTPS, the login as a header, the path below the prefix; or \
               --web.route-prefix=/ beside the external URL; or mend the named file",
        risk: "a login in a probe header is readable by who may read the pod",
    },
    CodeDoc {
        code: Code("bind/client-down"),
        stage: Stage::Reach,
        meaning: "Prometheus is well, and the client has no pod that runs: nothing asks",
        proof: "the workload of --client is scaled to 0, has no pods, or none of them is Running",
        plan: "start the client; bind --client says then whether it is let through",
        risk: "none for Prometheus",
    },
    CodeDoc {
        code: Code("bind/client-address"),
        stage: Stage::Reach,
        meaning: "Prometheus is well, and the client asks at a wrong address",
        proof: "the client's URL names no Service, namespace or port that leads here",
        plan: "set the client's URL to http://SERVICE.NAMESPACE.svc:PORT and the prefix, if there is one",
        risk: "none for Prometheus",
    },
];
