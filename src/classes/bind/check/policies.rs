//! Whether NetworkPolicies let a client reach Prometheus: out of its own pods, and into these. From
//! the objects alone: a kubelet is let through by every plugin, so a pod may be Ready all the while.

use serde_json::{Value, json};

use super::super::client;
use super::stand_in::{self, Told};
use super::{absent, foreign};
use crate::model::fact::Got;
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Kind, ObjectRef, Severity, Snapshot, Unknown, Verdict};
use crate::subject::Subject;
use crate::subject::errand::stand_in::names_unborne;
use crate::subject::network::{BLOCK_OF_POD, Direction, End, Ruling, Way, rule};
use crate::subject::plugin::Side;

pub const POLICY: Code = Code("bind/network-policy");

/// What is known of the way from a client to one pod.
pub struct Scene<'a> {
    /// The client's pods as policies look at them; without any, its template.
    clients: Vec<Value>,
    client_namespace: &'a Value,
    server_namespace: &'a Value,
    policies: Vec<&'a Value>,
    port: u16,
}

/// All that the verdict needs, or what is missing to it.
pub fn scene<'a>(
    subject: &Subject,
    seen: &'a Snapshot,
    of: &ObjectRef,
) -> Result<Scene<'a>, Unknown> {
    let workload = object(seen, of)?;
    let namespace = |name: &str| object(seen, &ObjectRef::new(Kind::Namespace, "", name));
    let mut policies = Vec::new();
    for space in client::spaces(subject.namespace(), of) {
        match seen.list(Kind::NetworkPolicy, space) {
            Got::Known(all) => {
                policies.extend(all.iter().filter(|p| p.namespace() == space));
            }
            Got::Absent => {}
            Got::Unreadable(why) => {
                return Err(unread(&format!("networkpolicies in {space}"), why));
            }
            Got::NotAsked => {
                return Err(unread(&format!("networkpolicies in {space}"), "not read"));
            }
        }
    }
    Ok(Scene {
        clients: match client::pods(seen, workload) {
            Ok(pods) if !pods.is_empty() => pods.into_iter().cloned().collect(),
            Ok(_) | Err(_) => vec![client::pod(workload)],
        },
        client_namespace: namespace(&of.namespace)?,
        server_namespace: namespace(subject.namespace())?,
        policies,
        port: subject.flags.port(),
    })
}

/// A client whose pods could not be read is judged by its template, and that is said.
pub fn template_only(seen: &Snapshot, of: &ObjectRef) -> Option<Unknown> {
    let why = client::pods(seen, seen.object(of).known()?).err()?;
    Some(Unknown {
        need: format!("the pods of {}", of.short()),
        why: format!("{why}; it is judged by its template"),
        get: format!("the verb list on pods in {}", of.namespace),
        vital: false,
    })
}

fn object<'a>(seen: &'a Snapshot, of: &ObjectRef) -> Result<&'a Value, Unknown> {
    match seen.object(of) {
        Got::Known(found) => Ok(found),
        Got::Absent => Err(unread(&of.short(), &format!("there is none in {}", of.namespace))),
        Got::Unreadable(why) => Err(unread(&of.short(), why)),
        Got::NotAsked => Err(unread(&of.short(), "not read")),
    }
}

fn unread(what: &str, why: &str) -> Unknown {
    Unknown {
        need: format!("whether the client is let through: {what}"),
        why: why.into(),
        get: format!("kubectl get {}", what.replace(" in ", " -n ")),
        vital: true,
    }
}

impl<'a> Scene<'a> {
    /// What the policies say of the way to a pod, from that of the client's pods which has it worst.
    pub fn ruling(&self, server: &Value, direction: Direction) -> Ruling<'a> {
        worst(self.rulings(server, direction).into_iter().map(|(_, ruling)| ruling))
    }

    /// The same from each of them.
    fn rulings(&self, server: &Value, direction: Direction) -> Vec<(&Value, Ruling<'a>)> {
        let of = |client| {
            let way = Way {
                client: End::Pod { pod: client, namespace: self.client_namespace },
                server: End::Pod { pod: server, namespace: self.server_namespace },
                port: self.port,
                protocol: "TCP",
            };
            (client, rule(&self.policies, &way, direction))
        };
        self.clients.iter().map(of).collect()
    }

    /// Whether some of the client's pods are kept from this pod, and others not.
    pub fn divides(&self, server: &Value, direction: Direction) -> bool {
        let denied = self.denied(server, direction).len();
        denied > 0 && denied < self.clients.len()
    }

    /// The client's pods that are kept from this pod.
    fn denied(&self, server: &Value, direction: Direction) -> Vec<&Value> {
        let all = self.rulings(server, direction).into_iter();
        all.filter(|(_, ruling)| matches!(ruling, Ruling::Denied(_))).map(|(pod, _)| pod).collect()
    }

    /// Both ends, as rules of others look at them.
    pub fn sides<'s>(&'s self, servers: &'s [Value], mesh_root: &'s str) -> Vec<Side<'s>> {
        let end = |pod: &'s Value, namespace: &'s Value, direction: Direction| Side {
            pod,
            namespace,
            direction,
            port: self.port,
            mesh_root,
        };
        let servers = servers.iter().map(|pod| end(pod, self.server_namespace, Direction::Ingress));
        let clients =
            self.clients.iter().map(|pod| end(pod, self.client_namespace, Direction::Egress));
        servers.chain(clients).collect()
    }

    /// What they say of the way out to the cluster's DNS, where that is a Deployment in kube-system
    /// with the label that it always had.
    pub fn to_dns(&self) -> Ruling<'a> {
        let pod = json!({"metadata": {
            "name": "dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"},
        }});
        let namespace = json!({"metadata": {
            "name": "kube-system", "labels": {"kubernetes.io/metadata.name": "kube-system"},
        }});
        let of = |client| {
            let way = Way {
                client: End::Pod { pod: client, namespace: self.client_namespace },
                server: End::Pod { pod: &pod, namespace: &namespace },
                port: 53,
                protocol: "UDP",
            };
            rule(&self.policies, &way, Direction::Egress)
        };
        worst(self.clients.iter().map(of))
    }
}

fn worst<'a>(all: impl Iterator<Item = Ruling<'a>>) -> Ruling<'a> {
    let rank = |ruling: &Ruling<'_>| match ruling {
        Ruling::Denied(_) => 0,
        Ruling::Plugin(_) => 1,
        Ruling::Open | Ruling::Allowed(_) => 2,
    };
    all.min_by_key(rank).unwrap_or(Ruling::Open)
}

/// Both directions, to every pod.
pub const DIRECTIONS: [Direction; 2] = [Direction::Egress, Direction::Ingress];

pub fn check(subject: &Subject, seen: &Snapshot, of: &ObjectRef) -> Verdict {
    let mut verdict = Verdict::default();
    let scene = match scene(subject, seen, of) {
        Ok(scene) => scene,
        Err(unknown) => {
            verdict.unknown.push(unknown);
            return verdict;
        }
    };
    let who = format!("{} -n {}", of.short(), of.namespace);
    verdict.unknown.extend(template_only(seen, of));
    verdict.unknown.extend(foreign::check(subject, seen, of, &scene));
    verdict.unknown.extend(stand_in::unknown(subject, seen, of));
    let is_told = foreign::is_told(subject, seen, of, &scene);
    let down = absent::check(seen, of);
    let mut open = verdict.unknown.is_empty() && down.is_none();
    for pod in &subject.pods {
        let told = told(subject, seen, of, &scene, pod);
        match &told {
            Some(Told::Kept(word)) => {
                verdict.findings.push(kept(subject, seen, of, &scene, (pod, word)));
            }
            Some(Told::Open(why)) => {
                let why = format!("of a pod in its stead: {why}");
                verdict.unknown.push(open_to(&who, pod, why, None));
            }
            Some(Told::Through) | None => {}
        }
        for direction in DIRECTIONS {
            let ruling = scene.ruling(pod, direction);
            open &= ruling.passes() == Some(true) && told.is_none();
            match ruling {
                Ruling::Denied(by) => {
                    verdict.findings.extend(denied(&scene, pod, &who, direction, &by));
                }
                Ruling::Plugin(_) if is_told => {}
                Ruling::Plugin(why) => {
                    let command = stand_in::command(subject, seen, of);
                    verdict.unknown.push(open_to(&who, pod, why.into(), command));
                }
                Ruling::Open | Ruling::Allowed(_) => {}
            }
        }
    }
    verdict.findings.extend(down);
    if let Ruling::Denied(by) = scene.to_dns() {
        let says = format!("keeps {who} from the cluster's DNS, if that is in kube-system");
        let finding = by.first().map(|p| Finding::new(POLICY, &reference(p), Severity::Warn, says));
        verdict.findings.extend(finding);
    }
    verdict.findings.extend(through(subject, seen, of, &scene, (open, is_told)));
    verdict
}

/// That the client is let through, where that is known.
fn through(
    subject: &Subject,
    seen: &Snapshot,
    of: &ObjectRef,
    scene: &Scene<'_>,
    (open, is_told): (bool, bool),
) -> Option<Finding> {
    let who = format!("{} -n {}", of.short(), of.namespace);
    let pod = subject.pods.first()?;
    let object = crate::subject::pod::reference(pod);
    let info = |says: String| Finding::new(POLICY, &object, Severity::Info, says);
    let through = |pod| stand_in::told(subject, seen, pod) == Some(Told::Through);
    // What it was told holds, whatever else is not known.
    if is_told && subject.pods.iter().all(through) {
        let says = format!("takes connections from a pod with the labels of {who}");
        let from = stand_in::node(subject, seen, of, pod);
        return Some(path(info(says).with(FROM_NODE, from), scene, pod));
    }
    let says = format!("is reached by {who}, as far as NetworkPolicies have a say");
    open.then(|| path(info(says), scene, pod))
}

fn open_to(who: &str, pod: &Value, why: String, command: Option<String>) -> Unknown {
    Unknown {
        need: format!("whether {who} is let through to pod/{}", pod.name()),
        why,
        get: command.unwrap_or_else(|| format!("ask from a pod of {who}")),
        vital: true,
    }
}

/// What a pod in the client's stead was told at one pod; open where the client may be told otherwise.
pub fn told(
    subject: &Subject,
    seen: &Snapshot,
    of: &ObjectRef,
    scene: &Scene<'_>,
    pod: &Value,
) -> Option<Told> {
    let told = stand_in::told(subject, seen, pod)?;
    let Told::Kept(word) = told else { return Some(told) };
    let unlike = unlike(subject, seen, of, scene, pod);
    Some(unlike.map_or(told, |why| Told::Open(format!("{word}; but {why}"))))
}

/// Why the client may be let through where a pod in its stead is not.
fn unlike(
    subject: &Subject,
    seen: &Snapshot,
    of: &ObjectRef,
    scene: &Scene<'_>,
    pod: &Value,
) -> Option<&'static str> {
    let by_address = |direction| matches!(scene.ruling(pod, direction), Ruling::Plugin(why) if why == BLOCK_OF_POD);
    if DIRECTIONS.into_iter().any(by_address) {
        return Some("a policy goes by addresses, and it has another than the client");
    }
    let is_beyond = foreign::goes_by_more(subject, seen, of, scene);
    (is_beyond || scene.policies.iter().any(|policy| names_unborne(policy)))
        .then_some("a rule goes by what it does not have of the client")
}

/// The evidence that a pod in the client's stead was kept away.
pub const IN_ITS_STEAD: &str = "a pod in its stead";
const FROM_NODE: &str = "asked from node";
/// Beside it, whose rules may be why.
pub const RULES: &str = "rules that select an end";

/// No NetworkPolicy keeps the client away, and yet something does.
fn kept(
    subject: &Subject,
    seen: &Snapshot,
    of: &ObjectRef,
    scene: &Scene<'_>,
    (pod, word): (&Value, &str),
) -> Finding {
    let says = format!(
        "is not reached by a pod with the labels of {} -n {}, and answers others",
        of.short(),
        of.namespace
    );
    let object = crate::subject::pod::reference(pod);
    let finding = Finding::new(POLICY, &object, Severity::Error, says).with(IN_ITS_STEAD, word);
    let finding = finding.with(FROM_NODE, stand_in::node(subject, seen, of, pod));
    let rules = foreign::selecting(subject, seen, of, scene);
    let finding = match rules.as_slice() {
        [] => finding,
        rules => finding.with(RULES, rules.join(", ")),
    };
    path(finding, scene, pod)
}

/// What a ruling says, in a few words.
pub fn word(ruling: &Ruling<'_>) -> String {
    match ruling {
        Ruling::Open => "open: no policy selects it".to_owned(),
        Ruling::Allowed(by) => format!("allowed by {}", reference(by).short()),
        Ruling::Denied(by) => format!("DENIED: none of {} names the other end", names(by)),
        Ruling::Plugin(why) => format!("not known: {why}"),
    }
}

pub fn names(policies: &[&Value]) -> String {
    let names: Vec<String> = policies.iter().map(|p| reference(p).short()).collect();
    names.join(", ")
}

/// The way, in both directions, with what the policies say of each.
fn path(finding: Finding, scene: &Scene<'_>, pod: &Value) -> Finding {
    let word = |direction| word(&scene.ruling(pod, direction));
    finding
        .with("out of the client", word(Direction::Egress))
        .with(&format!("into pod/{} port {}", pod.name(), scene.port), word(Direction::Ingress))
}

fn denied(
    scene: &Scene<'_>,
    pod: &Value,
    who: &str,
    direction: Direction,
    by: &[&Value],
) -> Option<Finding> {
    let first = by.first()?;
    let kept = scene.denied(pod, direction);
    let client = kept.first()?;
    let who = match scene.divides(pod, direction) {
        true => format!("{} of {} pods of {who}", kept.len(), scene.clients.len()),
        false => who.to_owned(),
    };
    let says = match direction {
        Direction::Ingress => format!("does not let {who} into pod/{}", pod.name()),
        Direction::Egress => format!("does not let {who} out to pod/{}", pod.name()),
    };
    let finding = Finding::new(POLICY, &reference(first), Severity::Error, says);
    let labels = client::labels(client);
    let shown: Vec<String> = labels
        .iter()
        .filter_map(Value::as_object)
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    let whose = match scene.divides(pod, direction) {
        true => format!("labels of pod/{}", client.name()),
        false => "labels of the client".to_owned(),
    };
    Some(path(finding.with(&whose, shown.join(",")), scene, pod))
}

fn reference(policy: &Value) -> ObjectRef {
    ObjectRef::new(Kind::NetworkPolicy, policy.namespace(), policy.name())
}
