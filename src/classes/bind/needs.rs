//! What the class must see: logs and events of pods that are down; Services and their endpoints
//! only once every pod runs, for before that they say nothing of their own: one that is killed for
//! memory time and again runs only between two kills.

use super::check::{discovery, foreign, knock, sources};
use super::client::{pods_need, spaces};
use crate::model::log::runs;
use crate::model::{Kind, Need, ObjectRef, Snapshot};
use crate::subject::Subject;
use crate::subject::pod::{self, Doing};

pub fn needs(subject: &Subject, seen: &Snapshot, client: Option<&ObjectRef>) -> Vec<Need> {
    let mut out = to_prove(subject, seen, client);
    out.extend(discovery::needs(subject, seen));
    if let Some(client) = client {
        out.extend(foreign::needs(seen, &spaces(subject.namespace(), client)));
        out.extend(sources::needs(seen, client));
    }
    out
}

/// Without what no repair of ours changes: where the client asks, and whose rules of other kinds there
/// are.
pub fn to_prove(subject: &Subject, seen: &Snapshot, client: Option<&ObjectRef>) -> Vec<Need> {
    let namespace = subject.namespace();
    let mut out = runs::needs(&subject.pods, &subject.container, seen);
    if subject.pods.iter().any(|p| !pod::is_ready(p)) {
        out.push(Need::list(Kind::Event, namespace));
    }
    if all_run(subject) {
        out.push(Need::list(Kind::Service, namespace));
        out.push(Need::list(Kind::EndpointSlice, namespace));
    }
    out.extend(knock::needs(subject, seen, false));
    out.extend(client.into_iter().flat_map(|client| of_client(namespace, client)));
    out.extend(client.and_then(|client| pods_need(seen.object(client).known()?)));
    out
}

/// What says of each step of the way how it is, also where nothing is wrong: the cluster's DNS, who is
/// kept away, an Ingress in front, and whether anything answers.
pub fn when_asked(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let namespace = subject.namespace();
    let mut out = vec![
        dns(),
        Need::object(Kind::Namespace, "", namespace),
        Need::list(Kind::NetworkPolicy, namespace),
        Need::list(Kind::Ingress, namespace),
    ];
    out.extend(foreign::needs(seen, &[namespace]));
    out.extend(discovery::when_asked(subject, seen));
    out.extend(knock::needs(subject, seen, true));
    out
}

/// Who answers behind the Service that clusters have for their DNS; its name is `kube-dns` whatever
/// runs behind it (kubernetes cluster/addons/dns).
pub fn dns() -> Need {
    Need::List {
        kind: Kind::EndpointSlice,
        namespace: Some("kube-system".into()),
        labels: "kubernetes.io/service-name=kube-dns".into(),
    }
}

/// The client, both namespaces, and what may stand between them.
fn of_client(namespace: &str, client: &ObjectRef) -> Vec<Need> {
    let mut out = vec![Need::Object(client.clone()), Need::list(Kind::Service, &client.namespace)];
    for space in spaces(namespace, client) {
        out.push(Need::object(Kind::Namespace, "", space));
        out.push(Need::list(Kind::NetworkPolicy, space));
    }
    out
}

/// Whether there are pods, and Prometheus runs in each.
pub fn all_run(subject: &Subject) -> bool {
    let runs = |p: &serde_json::Value| {
        pod::container(p, &subject.container).is_some_and(|c| {
            let killed = c.latest_end().is_some_and(|end| end.reason == "OOMKilled");
            matches!(c.doing, Doing::Running { .. }) && (pod::is_ready(p) || !killed)
        })
    };
    !subject.pods.is_empty() && subject.pods.iter().all(runs)
}
