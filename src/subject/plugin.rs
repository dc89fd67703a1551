//! Whether a rule of a network plugin, of the cluster's administrator or of a mesh has a say on a
//! connection: whether it selects the pod at its own end of it. What it then says is not decided
//! here. Where a selector is not understood it may select: "no" is said only where that is sure.

use serde_json::Value;

use crate::model::object::{Kind, ObjectExt};
use crate::subject::network::Direction;
use crate::subject::selector::selects;

/// One end of a connection as rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    pub pod: &'a Value,
    pub namespace: &'a Value,
    /// The way a connection takes at this end: into the server, out of the client.
    pub direction: Direction,
    /// The server's port.
    pub port: u16,
    /// Where Istio keeps its rules for all namespaces.
    pub mesh_root: &'a str,
}

/// Where the mesh keeps the rules that are for all namespaces, unless it was told otherwise.
pub const MESH_ROOT: &str = "istio-system";

/// The same as the mesh's configuration says it (istio `mesh/v1alpha1/config.proto`,
/// `rootNamespace`); `None` where that is no such text.
pub fn root_of(mesh: &str) -> Option<String> {
    let config: Value = serde_saphyr::from_str(mesh).ok()?;
    let told = config.as_object()?.get("rootNamespace").and_then(Value::as_str).unwrap_or("");
    Some(if told.is_empty() { MESH_ROOT } else { told }.to_owned())
}

/// Whether the rule may have a say at this end.
pub fn concerns(rule: &Value, side: &Side<'_>) -> bool {
    let Some(kind) = Kind::of(rule.text("/apiVersion"), rule.text("/kind")) else { return true };
    let here = rule.namespace() == side.pod.namespace();
    match kind {
        Kind::CiliumNetworkPolicy => here && of_cilium(rule, side),
        Kind::CiliumClusterwideNetworkPolicy => of_cilium(rule, side),
        Kind::CalicoNetworkPolicy => here && of_calico(rule, side),
        Kind::CalicoGlobalNetworkPolicy => {
            of_calico(rule, side)
                && written(rule.text("/spec/namespaceSelector"), |key| match key {
                    "projectcalico.org/name" => Label::Is(side.namespace.name()),
                    _ => Label::of(side.namespace, key),
                })
        }
        Kind::AdminNetworkPolicy
        | Kind::BaselineAdminNetworkPolicy
        | Kind::ClusterNetworkPolicy => of_administrator(rule, side),
        Kind::AuthorizationPolicy | Kind::PeerAuthentication => of_istio(rule, side),
        Kind::LinkerdServer => here && of_linkerd(rule, side),
        _ => true,
    }
}

/// What is known of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label<'a> {
    Is(&'a str),
    /// The pod has none of this name.
    Missing,
    /// It is the plugin's own.
    Unknown,
}

impl<'a> Label<'a> {
    fn of(object: &'a Value, key: &str) -> Label<'a> {
        object.label(key).map_or(Label::Missing, Label::Is)
    }

    fn may_be(self, value: &str) -> bool {
        match self {
            Label::Is(own) => own == value,
            Label::Missing => false,
            Label::Unknown => true,
        }
    }
}

/// An object has rules for a direction, be they empty: an empty list closes it.
fn has(rule: &Value, direction: Direction) -> bool {
    let (plain, denying) = match direction {
        Direction::Ingress => ("ingress", "ingressDeny"),
        Direction::Egress => ("egress", "egressDeny"),
    };
    [plain, denying].iter().any(|key| rule.get(key).is_some())
}

/// One `spec`, or several `specs`; one for nodes is for their own pods too.
fn of_cilium(rule: &Value, side: &Side<'_>) -> bool {
    let specs = rule.get("spec").into_iter().chain(rule.list("/specs"));
    specs.into_iter().any(|spec| {
        let Some(selector) = spec.get("endpointSelector") else {
            return side.pod.is_true("/spec/hostNetwork");
        };
        has(spec, side.direction) && may_select(selector, |key| cilium_label(side, key))
    })
}

fn cilium_label<'a>(side: &Side<'a>, key: &str) -> Label<'a> {
    let plain = key.strip_prefix("k8s:").or_else(|| key.strip_prefix("any:")).unwrap_or(key);
    if plain == "io.kubernetes.pod.namespace" {
        return Label::Is(side.pod.namespace());
    }
    if let Some(key) = plain.strip_prefix("io.cilium.k8s.namespace.labels.") {
        return Label::of(side.namespace, key);
    }
    // Of another source (`reserved:`), or made by the plugin.
    if plain.contains(':') || plain.starts_with("io.cilium.") {
        return Label::Unknown;
    }
    Label::of(side.pod, plain)
}

/// A label selector over labels that may not be known. A label that the plugin was told to leave
/// out of a pod's identity is missing there: what asks for its absence may select.
fn may_select<'a>(selector: &Value, label: impl Fn(&str) -> Label<'a>) -> bool {
    let equal = selector.get("matchLabels").and_then(Value::as_object);
    let equal = equal.is_none_or(|all| {
        all.iter().all(|(key, value)| label(key).may_be(value.as_str().unwrap_or("")))
    });
    equal
        && selector.list("/matchExpressions").iter().all(|one| {
            let own = label(one.text("/key"));
            match one.text("/operator") {
                "In" => one.list("/values").iter().any(|v| own.may_be(v.as_str().unwrap_or(""))),
                "Exists" => own != Label::Missing,
                _ => true,
            }
        })
}

/// Its own selector is an expression; unset types are ingress, and egress where there are rules
/// for it (docs.tigera.io, reference of NetworkPolicy). A pod on its node's network is the node.
fn of_calico(rule: &Value, side: &Side<'_>) -> bool {
    let types = rule.list("/spec/types");
    let of_direction = match (side.direction, types) {
        (Direction::Ingress, []) => {
            rule.list("/spec/egress").is_empty() || !rule.list("/spec/ingress").is_empty()
        }
        (Direction::Egress, []) => !rule.list("/spec/egress").is_empty(),
        (Direction::Ingress, types) => types.iter().any(|t| t == "Ingress"),
        (Direction::Egress, types) => types.iter().any(|t| t == "Egress"),
    };
    if side.pod.is_true("/spec/hostNetwork") {
        return true;
    }
    of_direction
        && written(rule.text("/spec/selector"), |key| match key {
            "projectcalico.org/namespace" => Label::Is(side.pod.namespace()),
            // Made by the plugin, of the namespace and the service account.
            key if key.contains("projectcalico.org/") || key.starts_with("pc") => Label::Unknown,
            key => Label::of(side.pod, key),
        })
}

/// `a == 'b' && has(c)`, the forms that almost all have; of any other it is not known.
fn written<'a>(expression: &str, label: impl Fn(&str) -> Label<'a>) -> bool {
    if expression.contains("||") || expression.contains('!') {
        return true;
    }
    expression.split("&&").map(str::trim).all(|term| {
        if let Some(key) = term.strip_prefix("has(").and_then(|rest| rest.strip_suffix(')')) {
            return label(key.trim()) != Label::Missing;
        }
        let Some((key, value)) = term.split_once("==") else { return true };
        let key = key.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
        let value = value.trim();
        let quoted = |mark| value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
        match quoted('\'').or_else(|| quoted('"')) {
            Some(value) if key.chars().all(plain) => label(key).may_be(value),
            _ => true,
        }
    })
}

/// Of pods of all namespaces, none on its node's network; an object without rules of a direction
/// leaves that alone (network-policy-api v0.1.7, v0.2.0).
fn of_administrator(rule: &Value, side: &Side<'_>) -> bool {
    let rules = match side.direction {
        Direction::Ingress => rule.list("/spec/ingress"),
        Direction::Egress => rule.list("/spec/egress"),
    };
    if rules.is_empty() || side.pod.is_true("/spec/hostNetwork") {
        return false;
    }
    if let Some(namespaces) = rule.pointer("/spec/subject/namespaces") {
        return selects(namespaces, side.namespace);
    }
    let Some(pods) = rule.pointer("/spec/subject/pods") else { return true };
    let fits = |key: &str, object| pods.get(key).is_none_or(|selector| selects(selector, object));
    fits("namespaceSelector", side.namespace) && fits("podSelector", side.pod)
}

/// Enforced at the server, by its sidecar or the node's proxy; in the root namespace for every
/// namespace, with a selector and without. With a target it is for a gateway or a waypoint.
fn of_istio(rule: &Value, side: &Side<'_>) -> bool {
    let here = rule.namespace() == side.pod.namespace() || rule.namespace() == side.mesh_root;
    if side.direction == Direction::Egress || !here || !in_istio(side) {
        return false;
    }
    let selector = rule.pointer("/spec/selector");
    selector.is_none_or(|selector| selects(selector, side.pod))
}

/// Whether Istio has a say at this end at all.
pub fn in_istio(side: &Side<'_>) -> bool {
    let mode = |object: &Value| object.label("istio.io/dataplane-mode") == Some("ambient");
    let waypoint = |object: &Value| object.label("istio.io/use-waypoint").is_some();
    has_container(side.pod, "istio-proxy")
        || side.pod.annotation("sidecar.istio.io/status").is_some()
        || side.pod.annotation("ambient.istio.io/redirection") == Some("enabled")
        || [side.pod, side.namespace].iter().any(|object| mode(object) || waypoint(object))
}

/// A sidecar may be an init container that restarts.
fn has_container(pod: &Value, name: &str) -> bool {
    let all = pod.list("/spec/containers").iter().chain(pod.list("/spec/initContainers"));
    all.into_iter().any(|container| container.text("/name") == name)
}

/// A Server of the port closes it to all that no authorization names; only a pod with the proxy
/// has one.
fn of_linkerd(rule: &Value, side: &Side<'_>) -> bool {
    if side.direction == Direction::Egress || !has_container(side.pod, "linkerd-proxy") {
        return false;
    }
    let is_port = match rule.pointer("/spec/port") {
        Some(Value::Number(port)) => port.as_u64() == Some(u64::from(side.port)),
        Some(Value::String(port)) => {
            let ports = side.pod.list("/spec/containers").iter().flat_map(|c| c.list("/ports"));
            let named = |p: &Value| p.text("/name") == port;
            let number = |p: &Value| p.number("/containerPort") == Some(i64::from(side.port));
            port.parse() == Ok(side.port) || ports.into_iter().any(|p| named(p) && number(p))
        }
        _ => true,
    };
    is_port && rule.pointer("/spec/podSelector").is_some_and(|s| selects(s, side.pod))
}
