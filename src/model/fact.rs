//! What can be asked of the world, and what came back. Forbidden is not absent: a fact has three
//! states, and a verdict that needs an unreadable one is Unknown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::inside::Inside;
use super::object::{Kind, ObjectExt, ObjectRef};

/// One question to the world. Ordered, so that a run asks in the same order each time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// One object by name.
    Object(ObjectRef),
    /// All objects of a kind in a namespace (`None`: in all), that carry `labels`
    /// (`a=b,c=d`; empty: no selection).
    List { kind: Kind, namespace: Option<String>, labels: String },
    /// All nodes, each cut down to its room, a kubelet that is silent, and these of its labels:
    /// those of a large cloud's nodes are megabytes.
    Nodes { labels: Vec<String> },
    /// Every pod that is bound to a node, cut down to what it asks for.
    PodsOn { node: String },
    /// Every pod that is bound to a node, and to none of these; cut down to what it asks for. One
    /// question for several nodes, which can only be put by naming the others.
    PodsBut { nodes: Vec<String> },
    /// The end of a container's log.
    Log { namespace: String, pod: String, container: String, previous: bool },
    /// `GET path` of a pod's port through the API server's pod proxy.
    Http { namespace: String, pod: String, port: u16, path: String },
    /// The same of its loopback, through a port-forward. Only where a look inside was allowed.
    Forward { namespace: String, pod: String, port: u16, path: String },
    /// May the person running this do it? A self access review.
    May { verb: &'static str, kind: Kind, subresource: &'static str, namespace: String },
    /// All that the person may do in a namespace, in one answer: a self rules review.
    Rules { namespace: String },
    /// The addresses of the data sources that a Secret holds for Grafana. No other content of any
    /// Secret can be asked for.
    Addresses { namespace: String, secret: String },
}

impl Need {
    pub fn object(kind: Kind, namespace: &str, name: &str) -> Need {
        Need::Object(ObjectRef::new(kind, namespace, name))
    }

    pub fn list(kind: Kind, namespace: &str) -> Need {
        let namespace = kind.namespaced().then(|| namespace.to_owned());
        Need::List { kind, namespace, labels: String::new() }
    }

    pub fn list_all(kind: Kind) -> Need {
        Need::List { kind, namespace: None, labels: String::new() }
    }

    pub fn log(pod: &Value, container: &str, previous: bool) -> Need {
        Need::Log {
            namespace: pod.namespace().into(),
            pod: pod.name().into(),
            container: container.into(),
            previous,
        }
    }

    pub fn http(pod: &Value, port: u16, path: &str) -> Need {
        Need::Http {
            namespace: pod.namespace().into(),
            pod: pod.name().into(),
            port,
            path: path.into(),
        }
    }

    pub fn forward(pod: &Value, port: u16, path: &str) -> Need {
        Need::Forward {
            namespace: pod.namespace().into(),
            pod: pod.name().into(),
            port,
            path: path.into(),
        }
    }
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Object(Value),
    /// Items as served, with `apiVersion` and `kind` filled in.
    List(Vec<Value>),
    /// Text of a log; not trusted, may hold terminal escapes.
    Log(String),
    /// An answer of the process itself. An error of the proxy is `Unreadable`.
    Http {
        status: u16,
        body: String,
    },
    /// The answer of an access review.
    May(bool),
    /// The `status` of a rules review; read by [`super::rules`].
    Rules(Value),
    /// Each `scheme://host[:port][/path]` and nothing more.
    Addresses(Vec<String>),
}

/// The three states of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    Known(Seen),
    /// Looked, and it is not there.
    Absent,
    /// Could not look; the text says why (`forbidden`, `not recorded`, `connection refused`).
    Unreadable(String),
}

/// A borrowed [`Fact`] of one object or other value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Got<'a, T: ?Sized> {
    Known(&'a T),
    Absent,
    Unreadable(&'a str),
    /// Not asked for yet: a job that meets it names the need.
    NotAsked,
}

impl<'a, T: ?Sized> Got<'a, T> {
    /// The value if it is known.
    pub fn known(self) -> Option<&'a T> {
        match self {
            Got::Known(value) => Some(value),
            Got::Absent | Got::Unreadable(_) | Got::NotAsked => None,
        }
    }

    /// Why it could not be read, if that is so.
    pub fn unreadable(self) -> Option<&'a str> {
        match self {
            Got::Unreadable(why) => Some(why),
            Got::Known(_) | Got::Absent | Got::NotAsked => None,
        }
    }
}

/// All facts read so far, and the time at which they were.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub facts: BTreeMap<Need, Fact>,
    /// When the world was read; ages are told against it, never against a clock.
    pub clock: Timestamp,
    pub inside: Inside,
    /// Whoever would undo a plan while it is carried out may be paused for as long (`--pause-gitops`).
    pub may_pause: bool,
}

impl Snapshot {
    pub fn new(clock: Timestamp) -> Self {
        Snapshot { facts: BTreeMap::new(), clock, inside: Inside::default(), may_pause: false }
    }

    /// Whether the question has an answer of any state.
    pub fn asked(&self, need: &Need) -> bool {
        match need {
            Need::Object(of) => !matches!(self.object(of), Got::NotAsked),
            _ => self.facts.contains_key(need),
        }
    }

    /// One object: by its own answer, or out of a complete listing of its kind. A listing that
    /// could not be had says nothing of one object: a role may allow it by name, and a recording
    /// may hold it alone.
    pub fn object(&self, of: &ObjectRef) -> Got<'_, Value> {
        match self.facts.get(&Need::Object(of.clone())) {
            Some(Fact::Known(Seen::Object(value))) => return Got::Known(value),
            Some(Fact::Known(_) | Fact::Absent) => return Got::Absent,
            Some(Fact::Unreadable(why)) => return Got::Unreadable(why),
            None => {}
        }
        for namespace in [Some(of.namespace.clone()), None] {
            let need = Need::List { kind: of.kind, namespace, labels: String::new() };
            match self.facts.get(&need) {
                Some(Fact::Known(Seen::List(items))) => {
                    let found =
                        items.iter().find(|i| i.name() == of.name && i.namespace() == of.namespace);
                    return found.map_or(Got::Absent, Got::Known);
                }
                Some(Fact::Absent) => return Got::Absent,
                Some(Fact::Known(_) | Fact::Unreadable(_)) | None => {}
            }
        }
        if of.kind == Kind::Node {
            let mut nodes =
                self.facts.iter().filter(|(need, _)| matches!(need, Need::Nodes { .. }));
            return nodes.next().map_or(Got::NotAsked, |(_, fact)| match items(fact) {
                Got::Known(all) => {
                    all.iter().find(|i| i.name() == of.name).map_or(Got::Absent, Got::Known)
                }
                Got::Unreadable(why) => Got::Unreadable(why),
                Got::Absent | Got::NotAsked => Got::Absent,
            });
        }
        Got::NotAsked
    }

    /// All nodes, with these labels at least.
    pub fn nodes(&self, labels: &[String]) -> Got<'_, [Value]> {
        self.facts.get(&Need::Nodes { labels: labels.to_vec() }).map_or(Got::NotAsked, items)
    }

    /// A listing; an absent kind (no such API) is an empty one only through [`Got::Absent`].
    pub fn list(&self, kind: Kind, namespace: &str) -> Got<'_, [Value]> {
        let own = Need::list(kind, namespace);
        let mut refused = Got::NotAsked;
        for need in [own, Need::list_all(kind)] {
            match self.facts.get(&need) {
                Some(Fact::Known(Seen::List(items))) => return Got::Known(items.as_slice()),
                Some(Fact::Absent) => return Got::Absent,
                Some(Fact::Unreadable(why)) => refused = Got::Unreadable(why),
                Some(Fact::Known(_)) | None => {}
            }
        }
        refused
    }

    /// The items of a listing that live in `namespace`; none where it is not known.
    pub fn items<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Value> + 'a {
        let all = self.list(kind, namespace).known().unwrap_or(&[]);
        all.iter().filter(move |i| !kind.namespaced() || i.namespace() == namespace)
    }

    /// Every pod bound to a node, out of whichever answer holds them; `None` where none does.
    pub fn pods_on(&self, node: &str) -> Option<Result<Vec<&Value>, &str>> {
        let holds = |need: &Need| match need {
            Need::PodsOn { node: of } => of == node,
            Need::PodsBut { nodes } => !nodes.iter().any(|of| of == node),
            _ => false,
        };
        let mut answers = self.facts.iter().filter(|(need, _)| holds(need)).map(|(_, fact)| fact);
        Some(match answers.next()? {
            Fact::Known(Seen::List(items)) => {
                Ok(items.iter().filter(|pod| pod.text("/spec/nodeName") == node).collect())
            }
            Fact::Known(_) | Fact::Absent => Err("no such API"),
            Fact::Unreadable(why) => Err(why),
        })
    }

    /// The end of a container's log.
    pub fn log(&self, pod: &Value, container: &str, previous: bool) -> Got<'_, str> {
        match self.facts.get(&Need::log(pod, container, previous)) {
            Some(Fact::Known(Seen::Log(text))) => Got::Known(text),
            Some(Fact::Known(_) | Fact::Absent) => Got::Absent,
            Some(Fact::Unreadable(why)) => Got::Unreadable(why),
            None => Got::NotAsked,
        }
    }

    /// Status and body of an answer of the process in a pod.
    pub fn http(&self, pod: &Value, port: u16, path: &str) -> Option<Result<(u16, &str), &str>> {
        self.answer(&Need::http(pod, port, path))
    }

    /// The same of an answer on its loopback.
    pub fn forward(&self, pod: &Value, port: u16, path: &str) -> Option<Result<(u16, &str), &str>> {
        self.answer(&Need::forward(pod, port, path))
    }

    fn answer(&self, need: &Need) -> Option<Result<(u16, &str), &str>> {
        match self.facts.get(need)? {
            Fact::Known(Seen::Http { status, body }) => Some(Ok((*status, body))),
            Fact::Known(_) | Fact::Absent => Some(Err("no such pod")),
            Fact::Unreadable(why) => Some(Err(why)),
        }
    }
}

fn items(fact: &Fact) -> Got<'_, [Value]> {
    match fact {
        Fact::Known(Seen::List(items)) => Got::Known(items.as_slice()),
        Fact::Known(_) | Fact::Absent => Got::Absent,
        Fact::Unreadable(why) => Got::Unreadable(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn snapshot(fact: Fact) -> Snapshot {
        let mut seen = Snapshot::new(Timestamp::UNIX_EPOCH);
        seen.facts.insert(Need::list(Kind::Pod, "mon"), fact);
        seen
    }

    #[test]
    fn what_a_complete_listing_lacks_is_absent() {
        let pod = json!({"metadata": {"name": "a", "namespace": "mon"}});
        let seen = snapshot(Fact::Known(Seen::List(vec![pod.clone()])));
        assert_eq!(seen.object(&ObjectRef::new(Kind::Pod, "mon", "a")), Got::Known(&pod));
        assert_eq!(seen.object(&ObjectRef::new(Kind::Pod, "mon", "b")), Got::Absent);
        assert_eq!(seen.object(&ObjectRef::new(Kind::Pod, "other", "a")), Got::NotAsked);
    }

    #[test]
    fn a_node_is_found_among_all_nodes() {
        let node = json!({"metadata": {"name": "a"}});
        let mut seen = Snapshot::new(Timestamp::UNIX_EPOCH);
        let of = |name| ObjectRef::new(Kind::Node, "", name);
        assert_eq!(seen.object(&of("a")), Got::NotAsked);
        let need = Need::Nodes { labels: vec!["pool".into()] };
        seen.facts.insert(need.clone(), Fact::Known(Seen::List(vec![node.clone()])));
        assert_eq!(seen.object(&of("a")), Got::Known(&node));
        assert_eq!(seen.object(&of("b")), Got::Absent);
        assert_eq!(seen.nodes(&["pool".into()]), Got::Known([node].as_slice()));
        // Without these labels nothing could be told.
        assert_eq!(seen.nodes(&[]), Got::NotAsked);
        seen.facts.insert(need, Fact::Unreadable("forbidden".into()));
        assert_eq!(seen.object(&of("a")), Got::Unreadable("forbidden"));
    }

    #[test]
    fn forbidden_is_not_absent() {
        let seen = snapshot(Fact::Unreadable("forbidden".into()));
        let pod = ObjectRef::new(Kind::Pod, "mon", "a");
        assert_eq!(seen.object(&pod), Got::NotAsked);
        assert_eq!(seen.list(Kind::Pod, "mon"), Got::Unreadable("forbidden"));
    }
}
