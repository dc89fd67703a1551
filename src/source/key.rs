//! The written name of a need: how `recorded.json` and `may.json` of a bundle refer to it. One
//! line, readable and typable by hand, the same for ever.

use crate::model::fact::Need;
use crate::model::object::{Kind, ObjectRef};

/// `get apps/v1 StatefulSet mon/k8s` · `list v1 Pod mon app=x` · `log mon/pod/container` ·
/// `previous mon/pod/container` · `http mon/pod:9090/-/ready` · `forward mon/pod:9090/-/ready`
/// · `may patch apps/v1 StatefulSet mon` · `rules mon` · `addresses mon/secret`.
pub fn of(need: &Need) -> String {
    match need {
        Need::Object(of) => object(of),
        Need::List { kind, namespace, labels } => list(*kind, namespace.as_deref(), labels),
        Need::Nodes { .. } => list(Kind::Node, None, ""),
        Need::PodsOn { node } => format!("pods on {node}"),
        Need::PodsBut { nodes } => format!("pods not on {}", nodes.join(",")),
        Need::Log { namespace, pod, container, previous } => {
            let which = if *previous { "previous" } else { "log" };
            format!("{which} {namespace}/{pod}/{container}")
        }
        Need::Http { namespace, pod, port, path } => format!("http {namespace}/{pod}:{port}{path}"),
        Need::Forward { namespace, pod, port, path } => {
            format!("forward {namespace}/{pod}:{port}{path}")
        }
        Need::May { verb, kind, subresource, namespace } => {
            let slash = if subresource.is_empty() { "" } else { "/" };
            let what = format!("may {verb} {} {}", kind.api_version(), kind.name());
            format!("{what}{slash}{subresource} {}", scope(*kind, Some(namespace)))
        }
        Need::Rules { namespace } => format!("rules {namespace}"),
        Need::Addresses { namespace, secret } => format!("addresses {namespace}/{secret}"),
    }
}

fn object(of: &ObjectRef) -> String {
    let slash = if of.namespace.is_empty() { "" } else { "/" };
    let kind = of.kind;
    format!("get {} {} {}{slash}{}", kind.api_version(), kind.name(), of.namespace, of.name)
}

/// The name of a listing; `*` stands for all namespaces and for kinds that have none.
pub fn list(kind: Kind, namespace: Option<&str>, labels: &str) -> String {
    let space = if labels.is_empty() { "" } else { " " };
    let scope = scope(kind, namespace);
    format!("list {} {} {scope}{space}{labels}", kind.api_version(), kind.name())
}

fn scope(kind: Kind, namespace: Option<&str>) -> &str {
    match namespace {
        Some(name) if kind.namespaced() && !name.is_empty() => name,
        _ => "*",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable() {
        let set = ObjectRef::new(Kind::StatefulSet, "mon", "k8s");
        assert_eq!(of(&Need::Object(set)), "get apps/v1 StatefulSet mon/k8s");
        assert_eq!(of(&Need::object(Kind::Node, "", "a")), "get v1 Node a");
        assert_eq!(of(&Need::list(Kind::Pod, "mon")), "list v1 Pod mon");
        assert_eq!(of(&Need::list(Kind::Node, "mon")), "list v1 Node *");
        assert_eq!(list(Kind::Pod, None, "a=b,c=d"), "list v1 Pod * a=b,c=d");
        let may = |subresource| Need::May {
            verb: "get",
            kind: Kind::Pod,
            subresource,
            namespace: "mon".into(),
        };
        assert_eq!(of(&may("log")), "may get v1 Pod/log mon");
        assert_eq!(of(&may("")), "may get v1 Pod mon");
    }
}
