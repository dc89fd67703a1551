//! The way to a pod, step by step: `+` well, `x` broken, `?` not known, `.` not reached.

use serde_json::{Value, json};

use super::fixture::{World, healthy};
use super::states::READY;
use crate::classes::{ALL, Given};
use crate::model::{Fact, Kind, Need, Next, Passage, Path, Seen};

const REFUSED: &str = "dial tcp 10.0.0.1:9090: connect: connection refused";
/// Long enough ago to listen.
const UP: &str = "2026-11-22T17:50:00Z";

fn known(items: Vec<Value>) -> Fact {
    Fact::Known(Seen::List(items))
}

fn unread(why: &str) -> Fact {
    Fact::Unreadable(why.into())
}

fn answers(status: u16, body: &str) -> Fact {
    Fact::Known(Seen::Http { status, body: body.into() })
}

fn slice(service: &str, ready: bool) -> Value {
    json!({"metadata": {"name": service, "namespace": "mon",
               "labels": {"kubernetes.io/service-name": service}},
           "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}]})
}

fn service() -> Value {
    json!({"metadata": {"name": "front", "namespace": "mon"},
           "spec": {"clusterIP": "10.96.0.7", "selector": {"app": "p"},
                    "ports": [{"name": "http", "port": 80, "targetPort": "web"}]}})
}

fn dns() -> Need {
    let labels = "kubernetes.io/service-name=kube-dns".to_owned();
    Need::List { kind: Kind::EndpointSlice, namespace: Some("kube-system".into()), labels }
}

impl World {
    /// What `bind` reads beside, all of it well.
    fn read(mut self) -> World {
        let pod = self.pod().clone();
        let given = Given::new();
        let needs = ALL
            .iter()
            .flat_map(|c| c.job(&self.subject, &given).needs_when_asked(&self.seen).into_iter());
        let needs: Vec<Need> = needs.filter(|n| matches!(n, Need::List { .. })).collect();
        let world = needs.into_iter().fold(self, |world, need| world.fact(need, Fact::Absent));
        world
            .list(Kind::Service, vec![service()])
            .list(Kind::EndpointSlice, vec![slice("front", true)])
            .list(Kind::NetworkPolicy, vec![])
            .list(Kind::Ingress, vec![])
            .fact(dns(), known(vec![slice("kube-dns", true)]))
            .fact(Need::http(&pod, 9090, "/-/ready"), answers(200, "Ready."))
    }

    fn at_address(mut self, fact: Fact) -> World {
        let need = Need::http(self.pod(), 9090, "/-/ready");
        self.fact(need, fact)
    }

    fn at_loopback(mut self, fact: Fact) -> World {
        let need = Need::forward(self.pod(), 9090, "/-/ready");
        self.fact(need, fact)
    }

    /// Its address comes from where nobody reads it, and its log does not say it.
    fn told_elsewhere(self) -> World {
        self.flag("web.listen-address", "$(ADDRESS)").running(UP, READY)
    }

    fn client(self, url: &str) -> World {
        let grafana = json!({"kind": "Deployment", "metadata": {"name": "g", "namespace": "mon"},
            "spec": {"selector": {"matchLabels": {"app": "g"}},
                "template": {"metadata": {"labels": {"app": "g"}},
                "spec": {"containers": [{"name": "g", "env": [{"name": "URL", "value": url}]}]}}}});
        let space = json!({"metadata": {"name": "mon"}});
        let pods =
            Need::List { kind: Kind::Pod, namespace: Some("mon".into()), labels: "app=g".into() };
        let pod = json!({"metadata": {"name": "g-1", "namespace": "mon", "labels": {"app": "g"}},
            "status": {"phase": "Running"}});
        self.object(Kind::Deployment, "g", grafana).fact(pods, known(vec![pod])).of_cluster(
            Kind::Namespace,
            "mon",
            space,
        )
    }
}

fn grafana() -> Given {
    [("client".to_owned(), "mon/deploy/g".to_owned())].into()
}

/// `any pod: name+ listens+ …`
fn shape(path: &Path) -> String {
    let mark = |passage| match passage {
        Passage::Ok => '+',
        Passage::Broken => 'x',
        Passage::NotKnown => '?',
        Passage::NotReached => '.',
    };
    let steps: Vec<String> =
        path.steps.iter().map(|s| format!("{}{}", s.name, mark(s.passage))).collect();
    format!("{}: {}", path.from, steps.join(" "))
}

fn shapes(world: &World, given: &Given) -> Vec<String> {
    world.paths(given).iter().map(shape).collect()
}

/// What one step of the first way says.
fn says(world: &World, given: &Given, step: &str) -> String {
    let paths = world.paths(given);
    paths[0].steps.iter().find(|s| s.name == step).expect("a step").says.clone()
}

const OPEN: &str = "any pod: name+ listens+ port+ probes+ service+ endpoints+ policies+ scheme+ \
                    login+ prefix+";
const KUBELET: &str = "the kubelet: listens+ port+ probes+";

#[test]
fn a_way_on_which_all_was_read_is_open() {
    assert_eq!(shapes(&healthy().read(), &Given::new()), [OPEN, KUBELET]);
}

#[test]
fn what_was_not_read_is_not_known() {
    let refused = || unread("forbidden: cannot list");
    let rows = [
        (dns(), "name"),
        (Need::list(Kind::NetworkPolicy, "mon"), "policies"),
        (Need::list(Kind::CiliumNetworkPolicy, "mon"), "policies"),
        (Need::list(Kind::EndpointSlice, "mon"), "endpoints"),
    ];
    for (need, step) in rows {
        let world = healthy().read().fact(need, refused());
        let wanted = OPEN.replace(&format!("{step}+"), &format!("{step}?"));
        assert_eq!(shapes(&world, &Given::new())[0], wanted);
        assert!(says(&world, &Given::new(), step).contains("forbidden"), "{step}");
    }
    let world = healthy().read().fact(Need::list(Kind::Ingress, "mon"), refused());
    assert_eq!(shapes(&world, &Given::new())[2], "an Ingress: ingress?");
    let nothing = shapes(&healthy(), &Given::new());
    assert_eq!(nothing.len(), 2, "an Ingress that nobody asked about is not told of");
}

#[test]
fn the_loopback_is_proved_by_who_answers_where() {
    let world = |outside: Fact, inside: Fact| {
        healthy().read().told_elsewhere().at_address(outside).at_loopback(inside)
    };
    let proved = world(unread(REFUSED), answers(200, "Ready."));
    let (root, found, _) = proved.diagnose();
    assert_eq!(root, Some("bind/loopback"));
    let fields: Vec<&str> = found[0].evidence.iter().map(|e| e.field.as_str()).collect();
    assert_eq!(fields, ["port-forward", "pod proxy"]);
    let broken = "any pod: name+ listensx port. probes. service. endpoints. policies. scheme. \
                  login. prefix.";
    let kubelet = "the kubelet: listensx port. probes.";
    assert_eq!(shapes(&proved, &Given::new()), [broken, kubelet]);

    // Of these none is proof of the loopback.
    let rows = [
        ("nowhere", unread(REFUSED), unread("dial tcp4 127.0.0.1:9090: connection refused")),
        ("not tried", unread(REFUSED), unread("forbidden: cannot get")),
        ("the API server refuses", unread("connection refused"), answers(200, "Ready.")),
        ("kept away", unread("timed out"), answers(200, "Ready.")),
        ("reached", answers(503, "not yet"), answers(503, "not yet")),
    ];
    for (name, outside, inside) in rows {
        let world = world(outside, inside);
        let (root, ..) = world.diagnose();
        assert_ne!(root, Some("bind/loopback"), "{name}");
    }
    // It may not listen yet, and a proxy in the pod is there to be asked instead.
    let early = proved.running("2026-11-22T17:59:50Z", "");
    assert_ne!(early.diagnose().0, Some("bind/loopback"));
    let mut behind = world(unread(REFUSED), answers(200, "Ready."));
    let proxy = json!({"name": "oauth-proxy", "image": "p"});
    behind.pod()["spec"]["containers"].as_array_mut().expect("containers").push(proxy);
    assert_ne!(behind.diagnose().0, Some("bind/loopback"));
    // Something that bears no known name passes it on.
    let passed_on = healthy().flag("web.listen-address", "127.0.0.1:9090");
    assert_eq!(passed_on.diagnose().0, Some("bind/loopback"));
    let passed_on = passed_on.at_address(answers(200, "Ready."));
    assert_eq!(passed_on.diagnose().0, None);
}

#[test]
fn its_own_log_says_where_it_listens() {
    let line = "time=x level=INFO source=t.go:1 msg=\"Listening on\" component=web address=";
    let logged = |address: &str| {
        let log = format!("{line}{address}\n{READY}");
        healthy().flag("web.listen-address", "$(ADDRESS)").running(UP, &log)
    };
    assert_eq!(logged("127.0.0.1:9090").diagnose().0, Some("bind/loopback"));
    assert_eq!(logged("[::]:9090").diagnose().0, None);
}

#[test]
fn an_address_that_refuses_is_broken_and_a_look_says_why() {
    let world = healthy().read().told_elsewhere().at_address(unread(REFUSED));
    let (_, _, unknown) = world.diagnose();
    let open = unknown.iter().find(|u| u.vital).expect("why is not known");
    assert_eq!(open.get, "kubectl prom-fix bind sts/p -n mon --inspect");
    assert!(shapes(&world, &Given::new())[0].starts_with("any pod: name+ listensx port."));
}

#[test]
fn the_loopback_is_asked_only_where_a_look_was_allowed() {
    let forwards =
        |world: &World| world.needs().iter().filter(|n| matches!(n, Need::Forward { .. })).count();
    let event = "Readiness probe failed: Get \"http://10.0.0.1:9090/-/ready\": dial tcp \
                 10.0.0.1:9090: connect: connection refused";
    let mut world = healthy().told_elsewhere().pod_event("Unhealthy", event);
    let need = Need::http(world.pod(), 9090, "/-/ready");
    assert!(world.needs().contains(&need), "the kubelet is refused, and nothing says why");
    world = world.at_address(unread(REFUSED));
    assert_eq!(forwards(&world), 0);
    world.seen.inside.forwards = true;
    assert_eq!(forwards(&world), 1);
    world = world.at_address(answers(200, "Ready."));
    assert_eq!(forwards(&world), 0, "nothing is left to ask");
    assert!(!healthy().needs().contains(&need), "a server that is ready is not asked");
}

#[test]
fn who_is_let_in_is_said_of_one_client_or_of_all() {
    let policy = |ingress: Value| {
        json!({"metadata": {"name": "closed", "namespace": "mon"},
               "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress}})
    };
    let with = |ingress: Value| {
        let world = healthy().read().client("http://front/");
        world.list(Kind::NetworkPolicy, vec![policy(ingress)])
    };
    let of = |app: &str| json!([{"from": [{"podSelector": {"matchLabels": {"app": app}}}]}]);
    let way = "deploy/g -n mon: name+ listens+ port+ probes+ service+ endpoints+";
    let rows = [
        (of("g"), "policies?", "policies+ scheme+ login+ prefix+ url+"),
        (of("x"), "policies?", "policiesx scheme. login. prefix. url."),
        (json!([{}]), "policies+", "policies+ scheme+ login+ prefix+ url+"),
        (json!([{"ports": [{"port": 1}]}]), "policies?", "policiesx scheme. login. prefix. url."),
    ];
    for (ingress, anybody, client) in rows {
        let world = with(ingress);
        let wanted = OPEN.replace("policies+", anybody);
        assert_eq!(shapes(&world, &Given::new())[0], wanted);
        assert_eq!(shapes(&world, &grafana()), [format!("{way} {client}")]);
    }
}

#[test]
fn silence_is_a_hint_and_never_a_fault() {
    let silent = healthy().read().at_address(unread("timed out"));
    let wanted = OPEN.replace("policies+", "policies?");
    assert_eq!(shapes(&silent, &Given::new())[0], wanted);
    assert!(says(&silent, &Given::new(), "policies").contains("such as a policy"));
    let slow = silent.at_loopback(unread("timed out"));
    assert!(says(&slow, &Given::new(), "policies").ends_with("it is slow"));
    assert_eq!(slow.diagnose().0, None);
}

#[test]
fn what_the_kubelet_is_told_is_quoted() {
    let event = "Readiness probe failed: Get \"http://10.0.0.1:9090/x\": EOF";
    let world = healthy().read().running(UP, "").pod_event("Unhealthy", event);
    let paths = world.paths(&Given::new());
    let broken = paths[1].broken().expect("its probes");
    assert!(broken.says.ends_with(event), "{broken:?}");
}

/// An open way, and a server that is too slow for its probes.
#[test]
fn a_slow_server_breaks_at_its_probes() {
    let event = "Readiness probe failed: Get \"http://10.0.0.1:9090/-/ready\": context deadline \
                 exceeded (Client.Timeout exceeded while awaiting headers)";
    let line =
        "time=x level=INFO source=t.go:1 msg=\"Listening on\" component=web address=[::]:9090";
    let world = healthy().read().running(UP, &format!("{line}\n{READY}"));
    let world = world.pod_event("Unhealthy", event).at_address(unread("timed out"));
    let world = world.list(Kind::EndpointSlice, vec![slice("front", false)]);
    assert_eq!(world.diagnose().0, Some("other/overloaded"));
    let paths = world.paths(&Given::new());
    let broken = paths[0].broken().expect("its probes");
    assert_eq!((broken.name, broken.code.map(|c| c.0)), ("probes", Some("other/overloaded")));
    assert!(shape(&paths[0]).starts_with("any pod: name+ listens+ port+ probesx service."));
}

#[test]
fn an_ingress_leads_to_a_port_of_the_service() {
    let ingress = |port: Value, path: &str| {
        let backend = json!({"service": {"name": "front", "port": port}});
        let rules = json!([{"host": "p.example.com",
            "http": {"paths": [{"path": path, "backend": backend}]}}]);
        let object = json!({"metadata": {"name": "i", "namespace": "mon"}, "spec": {"rules": rules},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
        healthy().read().list(Kind::Ingress, vec![object])
    };
    let way = "ingress/i: listens+ port+ probes+ service+ endpoints+ policies+ scheme+ login+ \
               prefix+";
    let rows = [
        (json!({"name": "http"}), "/", "ingress+", None),
        (json!({"number": 80}), "/", "ingress+", None),
        (json!({"number": 80}), "/prom", "ingress?", None),
        (json!({"number": 9090}), "/", "ingressx", Some("bind/port-mismatch")),
    ];
    for (port, path, last, root) in rows {
        let world = ingress(port, path);
        assert_eq!(shapes(&world, &Given::new())[2], format!("{way} {last}"));
        assert_eq!(world.diagnose().0, root);
        if root.is_some() {
            assert!(matches!(world.next(), Next::Blocked(_)), "an Ingress is not ours to change");
        }
    }
}

#[test]
fn a_client_asks_in_the_scheme_that_is_spoken() {
    let tls = || answers(400, "Client sent an HTTP request to an HTTPS server.\n");
    let rows = [
        ("http://front/", tls(), "urlx", "https://front.mon.svc:80"),
        ("https://front:80/", answers(200, ""), "urlx", "http://front.mon.svc:80"),
        ("https://front:80/", tls(), "url+", ""),
        ("http://front/", answers(200, ""), "url+", ""),
    ];
    for (url, fact, last, right) in rows {
        let world = healthy().read().client(url).at_address(fact);
        let world = world.flag("web.config.file", "/w.yml");
        let shape = &shapes(&world, &grafana())[0];
        assert!(shape.ends_with(last), "{url}: {shape}");
        assert!(says(&world, &grafana(), "url").ends_with(right), "{url}");
    }
}

#[test]
fn names_are_resolved_by_who_is_there_to_do_it() {
    let world = healthy().read().fact(dns(), known(vec![slice("kube-dns", false)]));
    assert_eq!(world.told(), ["warn bind/no-ready-endpoint"]);
    assert!(shapes(&world, &Given::new())[0].starts_with("any pod: namex listens."));
    let none = healthy().read().fact(dns(), known(vec![]));
    assert!(shapes(&none, &Given::new())[0].starts_with("any pod: name? listens+"));
}

/// With no client named, a rule of a plugin that selects the pod may keep anybody away.
#[test]
fn who_a_plugin_lets_in_is_not_known() {
    let world = |app: &str, direction: &str| {
        let rule = json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
            "metadata": {"name": "closed", "namespace": "mon"},
            "spec": {"endpointSelector": {"matchLabels": {"app": app}}, (direction): [{}]}});
        healthy().read().list(Kind::CiliumNetworkPolicy, vec![rule])
    };
    let (selected, anybody) = (world("p", "ingress"), Given::new());
    assert_eq!(shapes(&selected, &anybody)[0], OPEN.replace("policies+", "policies?"));
    let says = says(&selected, &anybody, "policies");
    assert!(says.contains("/closed lets anybody through: it selects pod/p-0"), "{says}");
    for (app, direction) in [("p", "egress"), ("other", "ingress")] {
        assert_eq!(shapes(&world(app, direction), &anybody)[0], OPEN, "{app} {direction}");
    }
}

#[test]
fn an_answer_says_whether_a_login_and_another_prefix_are_asked_for() {
    let asks = "it asks for one: whether it is given is not read";
    let rows = [
        (200, "login+", "none is asked for"),
        (503, "login+", "none is asked for"),
        (401, "login?", asks),
        (403, "login?", asks),
        (200, "prefix+", "it answers below /"),
        (404, "prefix?", "it answers 404 below /, its route prefix"),
    ];
    for (status, mark, wanted) in rows {
        let world = healthy().read().at_address(answers(status, ""));
        let step = mark.trim_end_matches(['+', '?']);
        let shape = OPEN.replace(&format!("{step}+"), mark);
        assert_eq!(shapes(&world, &Given::new())[0], shape, "{status}");
        assert_eq!(says(&world, &Given::new(), step), wanted, "{status}");
    }
}
