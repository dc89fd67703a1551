//! The live source against a small API server.

use serde_json::json;

use super::failure::ConnectError;
use super::fake::Server;
use super::{World, gather};
use crate::model::fact::{Fact, Need, Seen, Snapshot};
use crate::model::object::Kind;

fn status(code: u16, message: &str) -> (u16, String) {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": message, "code": code});
    (code, body.to_string())
}

async fn ask(server: &Server, need: Need) -> Fact {
    let mut facts = server.live().await.read(vec![need]).await;
    facts.pop().expect("one answer").1
}

fn http(path: &str) -> Need {
    Need::Http { namespace: "mon".into(), pod: "p".into(), port: 9090, path: path.into() }
}

fn log(previous: bool) -> Need {
    Need::Log { namespace: "mon".into(), pod: "p".into(), container: "c".into(), previous }
}

#[tokio::test]
async fn lists_are_paged_named_and_lightened() {
    let server = Server::start(|line| {
        let (token, name) =
            if line.ends_with("&continue=a%2Fb") { ("", "2") } else { ("a/b", "1") };
        let page = json!({"kind": "PodList", "metadata": {"continue": token}, "items": [
            {"metadata": {"name": name, "managedFields": [{}]}}]});
        (200, page.to_string())
    });
    let labels = "a in (b)".to_owned();
    let need = Need::List { kind: Kind::Pod, namespace: Some("mon".into()), labels };
    let pod = |name| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}});
    let expected = Fact::Known(Seen::List(vec![pod("1"), pod("2")]));
    assert_eq!(ask(&server, need).await, expected);
    let first = "GET /api/v1/namespaces/mon/pods?limit=500&labelSelector=a%20in%20%28b%29";
    assert_eq!(server.lines(), [first.to_owned(), format!("{first}&continue=a%2Fb")]);
    let agent = concat!("kubectl-prom_fix/", env!("CARGO_PKG_VERSION"));
    assert!(server.asked.lock().expect("unpoisoned")[0].headers.contains(agent));
}

#[tokio::test]
async fn of_a_definition_only_its_metadata_is_asked_for() {
    let metadata = json!({"name": "a.b", "annotations": {"c": "d"}});
    let answer = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata});
    let server = Server::start(move |_| (200, answer.to_string()));
    let need = Need::object(Kind::CustomResourceDefinition, "", "a.b");
    let object = json!({"kind": "CustomResourceDefinition",
        "apiVersion": "apiextensions.k8s.io/v1", "metadata": metadata});
    assert_eq!(ask(&server, need).await, Fact::Known(Seen::Object(object)));
    let headers = server.asked.lock().expect("unpoisoned")[0].headers.to_lowercase();
    assert!(headers.contains("accept: application/json;as=partialobjectmetadata;"), "{headers}");
}

#[tokio::test]
async fn pods_are_asked_for_by_node_and_cut_down() {
    let server = Server::start(|_| {
        let pod = json!({"metadata": {"name": "p", "uid": "u", "labels": {"a": "b"}},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}});
        (200, json!({"items": [pod]}).to_string())
    });
    let kept = json!({"metadata": {"name": "p", "uid": "u"},
        "spec": {"nodeName": "n", "containers": [{"name": "c"}]}});
    let but = Need::PodsBut { nodes: vec!["a".into(), "b".into()] };
    for need in [Need::PodsOn { node: "n".into() }, but] {
        assert_eq!(ask(&server, need).await, Fact::Known(Seen::List(vec![kept.clone()])));
    }
    let path = "GET /api/v1/pods?limit=500&fieldSelector=";
    let but = "spec.nodeName%21%3Da%2Cspec.nodeName%21%3Db%2Cspec.nodeName%21%3D";
    assert_eq!(server.lines(), [format!("{path}spec.nodeName%3Dn"), format!("{path}{but}")]);
}

#[tokio::test]
async fn an_expired_listing_is_begun_again_once() {
    let server = Server::start(|line| match line.contains("continue=") {
        true => status(410, "too old"),
        false => (200, json!({"metadata": {"continue": "x"}, "items": []}).to_string()),
    });
    let fact = ask(&server, Need::list(Kind::Pod, "mon")).await;
    assert_eq!(fact, Fact::Unreadable("the listing expired while it was read".into()));
    assert_eq!(server.lines().len(), 4);
}

#[tokio::test]
async fn absent_forbidden_and_broken_are_told_apart() {
    let server = Server::start(|line| {
        if line.contains("prometheuses") {
            return (404, "404 page not found".into());
        }
        if line.contains("nodes") {
            let refusal = "nodes is forbidden: User \"e\" cannot list resource \"nodes\" in API \
                           group \"\" at the cluster scope";
            return status(403, refusal);
        }
        status(500, "etcd is gone")
    });
    let rows = [
        (Need::list(Kind::Prometheus, "mon"), Fact::Absent),
        (Need::object(Kind::Prometheus, "mon", "k8s"), Fact::Absent),
        (
            Need::list_all(Kind::Node),
            Fact::Unreadable("forbidden: cannot list resource \"nodes\"".into()),
        ),
        (Need::list_all(Kind::Pod), Fact::Unreadable("server error 500: etcd is gone".into())),
    ];
    let live = server.live().await;
    let needs = rows.iter().map(|(need, _)| need.clone()).collect();
    assert_eq!(live.read(needs).await, rows);
    assert_eq!(live.requests(), 4);
    assert_eq!(live.transport_failure(), None);
}

/// What a policy keeps away gets no answer, for which the API server waits half a minute.
#[tokio::test]
async fn whether_anything_answers_is_not_waited_for() {
    let server = Server::start(|_| {
        std::thread::sleep(std::time::Duration::from_secs(30));
        (200, String::new())
    });
    let began = std::time::Instant::now();
    assert_eq!(ask(&server, http("/prom/-/ready")).await, Fact::Unreadable("timed out".into()));
    assert!(began.elapsed().as_secs() < 6);
}

#[tokio::test]
async fn the_proxy_and_the_process_behind_it_are_told_apart() {
    let unreachable = "error trying to reach service: dial tcp 10.0.0.1:9090: connect: \
                       connection refused";
    let rows = [
        ((503, "Service Unavailable".to_owned()), Some(503)),
        ((400, "Client sent an HTTP request to an HTTPS server.".into()), Some(400)),
        ((404, "404 page not found".into()), Some(404)),
        ((200, "ok".into()), Some(200)),
        (status(503, unreachable), None),
        ((502, unreachable.to_owned()), None),
    ];
    for (answer, expected) in rows {
        let served = answer.clone();
        let server = Server::start(move |_| served.clone());
        let fact = ask(&server, http("/api?q={a}")).await;
        let line = "GET /api/v1/namespaces/mon/pods/p:9090/proxy/api?q=%7Ba%7D";
        assert_eq!(server.lines(), [line]);
        let why = "dial tcp 10.0.0.1:9090: connect: connection refused";
        let expected = match expected {
            Some(status) => Fact::Known(Seen::Http { status, body: answer.1 }),
            None => Fact::Unreadable(why.into()),
        };
        assert_eq!(fact, expected);
    }
    let server = Server::start(|_| status(404, "pods \"p\" not found"));
    assert_eq!(ask(&server, http("/")).await, Fact::Absent);
}

#[tokio::test]
async fn a_log_that_never_was_is_absent() {
    let rows = [
        (status(400, "previous terminated container \"c\" in pod \"p\" not found"), Fact::Absent),
        (status(400, "container \"c\" in pod \"p\" is waiting to start: x"), Fact::Absent),
        ((200, "a\n".to_owned()), Fact::Known(Seen::Log("a\n".into()))),
        (
            (200, "unable to retrieve container logs for containerd://1".to_owned()),
            Fact::Unreadable("unable to retrieve container logs for containerd://1".into()),
        ),
    ];
    for (answer, expected) in rows {
        let server = Server::start(move |_| answer.clone());
        assert_eq!(ask(&server, log(true)).await, expected);
        let line = "GET /api/v1/namespaces/mon/pods/p/log?container=c&previous=true\
                    &tailLines=1500&limitBytes=1048576";
        assert_eq!(server.lines(), [line]);
    }
}

#[tokio::test]
async fn a_log_cut_at_its_end_is_asked_for_again_with_fewer_lines() {
    let server = Server::start(|line| match line.contains("tailLines=250") {
        true => (200, "newest".into()),
        false => (200, "x".repeat(1 << 20)),
    });
    assert_eq!(ask(&server, log(false)).await, Fact::Known(Seen::Log("newest".into())));
}

#[tokio::test]
async fn what_does_not_say_that_it_is_whole_is_not() {
    let need = || Need::Rules { namespace: "mon".into() };
    let rule = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]});
    let answer = json!({"status": {"resourceRules": [rule], "nonResourceRules": []}});
    let text = answer.to_string();
    let server = Server::start(move |_| (201, text.clone()));
    let expected = json!({"resourceRules": [rule], "incomplete": true});
    assert_eq!(ask(&server, need()).await, Fact::Known(Seen::Rules(expected)));
    let asked = server.asked.lock().expect("unpoisoned");
    assert_eq!(asked[0].line, "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews");
    assert!(asked[0].body.contains("\"namespace\":\"mon\""), "{}", asked[0].body);
}

#[tokio::test]
async fn a_review_is_the_only_post() {
    let server = Server::start(|_| (201, json!({"status": {"allowed": true}}).to_string()));
    let need = Need::May {
        verb: "patch",
        kind: Kind::StatefulSet,
        subresource: "scale",
        namespace: "mon".into(),
    };
    assert_eq!(ask(&server, need).await, Fact::Known(Seen::May(true)));
    let asked = server.asked.lock().expect("unpoisoned");
    assert_eq!(asked[0].line, "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
    let body: serde_json::Value = serde_json::from_str(&asked[0].body).expect("json");
    let expected = json!({"group": "apps", "namespace": "mon", "resource": "statefulsets",
        "subresource": "scale", "verb": "patch"});
    assert_eq!(body.pointer("/spec/resourceAttributes"), Some(&expected));
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let server = Server::start(|_| status(429, "busy"));
    let fact = ask(&server, Need::object(Kind::Pod, "mon", "p")).await;
    assert_eq!(fact, Fact::Unreadable("server error 429: busy".into()));
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn an_answer_without_end_is_not_held() {
    let server = Server::start(|_| (200, "x".repeat((8 << 20) + 1)));
    let fact = ask(&server, http("/metrics")).await;
    assert_eq!(fact, Fact::Unreadable("the answer is larger than 8 MiB".into()));
}

#[tokio::test]
async fn what_stops_everything_is_one_error() {
    let server = Server::none();
    let url = server.flags.server.clone().expect("a server");
    let world = World::Live(server.live().await);
    let facts = world.read(vec![Need::list(Kind::Pod, "mon")]).await;
    assert_eq!(facts[0].1, Fact::Unreadable("connection refused".into()));
    assert_eq!(world.transport_failure(), Some(ConnectError::Refused { server: url }));

    let server = Server::start(|_| status(401, "Unauthorized"));
    let world = World::Live(server.live().await);
    let facts = world.read(vec![Need::list(Kind::Pod, "mon")]).await;
    assert_eq!(facts[0].1, Fact::Unreadable("unauthorized".into()));
    assert!(matches!(world.transport_failure(), Some(ConnectError::Unauthorized { .. })));
}

#[tokio::test]
async fn a_silent_server_times_out() {
    let mut server = Server::start(|_| {
        std::thread::sleep(std::time::Duration::from_secs(2));
        (200, "{}".into())
    });
    server.flags.request_timeout = Some(std::time::Duration::from_millis(50));
    let live = server.live().await;
    let facts = live.read(vec![Need::object(Kind::Pod, "mon", "p")]).await;
    assert_eq!(facts[0].1, Fact::Unreadable("timed out".into()));
    assert!(matches!(live.transport_failure(), Some(ConnectError::TimedOut { .. })));
}

#[tokio::test]
async fn impersonation_is_sent() {
    let mut server = Server::start(|_| (200, "{}".into()));
    server.flags.as_user = Some("bob".into());
    server.flags.as_group = vec!["ops".into(), "dev".into()];
    server.flags.as_uid = Some("7".into());
    server.flags.token = Some("hush".into());
    ask(&server, Need::object(Kind::Pod, "mon", "p")).await;
    let headers = server.asked.lock().expect("unpoisoned")[0].headers.to_lowercase();
    for header in [
        "impersonate-user: bob",
        "impersonate-uid: 7",
        "impersonate-group: ops",
        "impersonate-group: dev",
        "authorization: bearer hush",
    ] {
        assert!(headers.contains(header), "{header} in {headers}");
    }
}

#[tokio::test]
async fn gathering_ends_when_nothing_new_is_asked() {
    let server = Server::start(|_| (200, json!({"items": []}).to_string()));
    let world = World::Live(server.live().await);
    let mut seen = Snapshot::new(world.clock());
    let mut rounds = 0;
    gather(&world, &mut seen, &mut |_| {
        rounds += 1;
        vec![Need::list(Kind::Pod, "mon"), Need::object(Kind::Pod, "mon", "a")]
    })
    .await;
    assert_eq!((rounds, world.requests()), (2, 2));
    let mut endless = 0;
    gather(&world, &mut seen, &mut |_| {
        endless += 1;
        vec![Need::list(Kind::Pod, &format!("n{endless}"))]
    })
    .await;
    assert_eq!(endless, super::ROUNDS);
}
