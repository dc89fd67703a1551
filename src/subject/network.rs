//! Whether NetworkPolicies let a connection through (networking.k8s.io/v1, as the API server stores
//! them). Pure; what only a network plugin knows is not decided here.
//!
//! A pod that no policy of a direction selects is open in that direction. One that is selected is
//! reached by what at least one rule of those policies names, and by nothing else.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::model::object::ObjectExt;
use crate::subject::selector::selects;

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    /// A pod, with the labels of its namespace's object.
    Pod { pod: &'a Value, namespace: &'a Value },
    /// What is no pod: a node, or outside of the cluster.
    Address(IpAddr),
}

/// A connection to a port as the server's pod knows it, not as a Service names it.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    pub client: End<'a>,
    pub server: End<'a>,
    pub port: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into the server.
    Ingress,
    /// Out of the client.
    Egress,
}

/// What policies say of a connection, in one direction.
#[derive(Clone, Debug, PartialEq)]
pub enum Ruling<'a> {
    /// No policy selects the pod: everything passes.
    Open,
    /// A rule of this policy names it.
    Allowed(&'a Value),
    /// These select the pod, and none names it.
    Denied(Vec<&'a Value>),
    /// It depends on the network plugin, for this reason.
    Plugin(&'static str),
}

impl Ruling<'_> {
    /// Whether the policies alone let it through; `None` where they alone do not decide.
    #[must_use]
    pub fn passes(&self) -> Option<bool> {
        match self {
            Ruling::Open | Ruling::Allowed(_) => Some(true),
            Ruling::Denied(_) => Some(false),
            Ruling::Plugin(_) => None,
        }
    }
}

const OWN_NODE: &str = "it is on its node's network, where policies do not select pods";
const OTHER_NODE: &str = "the other end is on its node's network, and looks like the node";
pub const BLOCK_OF_POD: &str = "only an ipBlock holds the pod's address; some plugins match pods by \
                            their labels alone";

/// What the policies say; any order, any namespace.
#[must_use]
pub fn rule<'a>(policies: &[&'a Value], way: &Way<'_>, direction: Direction) -> Ruling<'a> {
    let (own, other) = match direction {
        Direction::Ingress => (way.server, way.client),
        Direction::Egress => (way.client, way.server),
    };
    // Policies are about pods.
    let End::Pod { pod, .. } = own else { return Ruling::Open };
    let selecting = of_pod(policies, pod, direction);
    if selecting.is_empty() {
        return Ruling::Open;
    }
    if pod.is_true("/spec/hostNetwork") {
        return Ruling::Plugin(OWN_NODE);
    }
    let lets = |by: By| selecting.iter().copied().find(|p| allows(p, way, other, direction, by));
    if let Some(policy) = lets(By::Labels) {
        return Ruling::Allowed(policy);
    }
    match (lets(By::Address), other) {
        (Some(policy), End::Address(_)) => Ruling::Allowed(policy),
        (Some(_), End::Pod { .. }) => Ruling::Plugin(BLOCK_OF_POD),
        (None, End::Pod { pod, .. }) if pod.is_true("/spec/hostNetwork") => {
            Ruling::Plugin(OTHER_NODE)
        }
        (None, _) => Ruling::Denied(selecting),
    }
}

/// The policies that select a pod in one direction, and among them the first that lets everybody on
/// the port pass.
#[must_use]
pub fn selecting<'a>(
    policies: &[&'a Value],
    way: &Way<'_>,
    direction: Direction,
) -> (Vec<&'a Value>, Option<&'a Value>) {
    let (own, rules, peers) = match direction {
        Direction::Ingress => (way.server, "/spec/ingress", "/from"),
        Direction::Egress => (way.client, "/spec/egress", "/to"),
    };
    let End::Pod { pod, .. } = own else { return (Vec::new(), None) };
    let selecting = of_pod(policies, pod, direction);
    let to_all = |rule: &Value| {
        let ports = rule.list("/ports");
        rule.list(peers).is_empty() && (ports.is_empty() || ports.iter().any(|p| is_port(p, way)))
    };
    let open = selecting.iter().copied().find(|policy| policy.list(rules).iter().any(to_all));
    (selecting, open)
}

fn of_pod<'a>(policies: &[&'a Value], pod: &Value, direction: Direction) -> Vec<&'a Value> {
    policies
        .iter()
        .copied()
        .filter(|policy| policy.namespace() == pod.namespace())
        .filter(|policy| is_of(policy, direction))
        .filter(|policy| policy.pointer("/spec/podSelector").is_none_or(|s| selects(s, pod)))
        .collect()
}

/// By what of the other end a rule lets it through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Labels,
    Address,
}

/// Unset, the types are Ingress, and Egress where there are rules for it (kubernetes
/// pkg/apis/networking/v1/defaults.go).
fn is_of(policy: &Value, direction: Direction) -> bool {
    let types = policy.list("/spec/policyTypes");
    let name = match direction {
        Direction::Ingress => "Ingress",
        Direction::Egress => "Egress",
    };
    if types.is_empty() {
        return direction == Direction::Ingress || !policy.list("/spec/egress").is_empty();
    }
    types.iter().any(|one| one == name)
}

fn allows(policy: &Value, way: &Way<'_>, other: End<'_>, direction: Direction, by: By) -> bool {
    let (rules, peers) = match direction {
        Direction::Ingress => ("/spec/ingress", "/from"),
        Direction::Egress => ("/spec/egress", "/to"),
    };
    policy.list(rules).iter().any(|rule| {
        let peers = rule.list(peers);
        let named = match by {
            // No peers are all peers.
            By::Labels if peers.is_empty() => true,
            By::Labels => peers.iter().any(|peer| is_named(peer, policy.namespace(), other)),
            By::Address => peers.iter().any(|peer| is_in_block(peer, other)),
        };
        let ports = rule.list("/ports");
        named && (ports.is_empty() || ports.iter().any(|port| is_port(port, way)))
    })
}

/// Whether a peer names a pod by its labels, or those of its namespace.
fn is_named(peer: &Value, namespace: &str, other: End<'_>) -> bool {
    let End::Pod { pod, namespace: of_pod } = other else { return false };
    let (pods, namespaces) = (selector(peer, "podSelector"), selector(peer, "namespaceSelector"));
    if pods.is_none() && namespaces.is_none() {
        return false;
    }
    // On the node's network the address is the node's, and no plugin knows the pod by it.
    if pod.is_true("/spec/hostNetwork") {
        return false;
    }
    let of_namespace = match namespaces {
        Some(selector) => selects(selector, of_pod),
        None => pod.namespace() == namespace,
    };
    of_namespace && pods.is_none_or(|selector| selects(selector, pod))
}

/// A selector that is there, be it empty.
fn selector<'a>(peer: &'a Value, name: &str) -> Option<&'a Value> {
    peer.get(name).filter(|selector| !selector.is_null())
}

fn is_in_block(peer: &Value, other: End<'_>) -> bool {
    let holds = |block: &str| {
        let Ok(block) = block.parse::<IpNet>() else { return false };
        addresses(other).iter().any(|address| block.contains(address))
    };
    // A pod that is not there yet may get an address in it.
    if matches!(other, End::Pod { .. }) && addresses(other).is_empty() {
        return peer.get("ipBlock").is_some();
    }
    let except = peer.list("/ipBlock/except").iter().filter_map(Value::as_str);
    holds(peer.text("/ipBlock/cidr")) && !except.into_iter().any(holds)
}

fn addresses(end: End<'_>) -> Vec<IpAddr> {
    match end {
        End::Address(address) => vec![address],
        End::Pod { pod, .. } => {
            let all = pod.list("/status/podIPs").iter().map(|ip| ip.text("/ip"));
            let all = all.chain([pod.text("/status/podIP")]);
            all.filter_map(|ip| ip.parse().ok()).collect()
        }
    }
}

/// Unset, it is TCP, of a policy's port as of a container's.
fn protocol(port: &Value) -> &str {
    match port.text("/protocol") {
        "" => "TCP",
        protocol => protocol,
    }
}

fn is_port(port: &Value, way: &Way<'_>) -> bool {
    if protocol(port) != way.protocol {
        return false;
    }
    match port.get("port") {
        None | Some(Value::Null) => true,
        Some(Value::String(name)) => is_named_port(name, way),
        Some(number) => {
            let Some(first) = number.as_i64() else { return false };
            let last = port.number("/endPort").unwrap_or(first);
            (first..=last).contains(&i64::from(way.port))
        }
    }
}

/// A name is looked up among the ports of the server's containers.
fn is_named_port(name: &str, way: &Way<'_>) -> bool {
    let End::Pod { pod, .. } = way.server else { return false };
    let containers = pod.list("/spec/containers").iter();
    // A sidecar that restarts is an init container, and its ports are ports of the pod.
    containers.chain(pod.list("/spec/initContainers")).flat_map(|c| c.list("/ports")).any(|port| {
        port.text("/name") == name
            && protocol(port) == way.protocol
            && port.number("/containerPort") == Some(i64::from(way.port))
    })
}
