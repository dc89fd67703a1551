//! What a pod in the client's stead was told (`--inspect`), and whether there is one to send: where no
//! NetworkPolicy keeps the client away, only that tells what a plugin's own rules do. Of a mesh it says
//! nothing, for it has no sidecar.

use serde_json::Value;

use super::super::client;
use super::policies::{DIRECTIONS, Scene};
use super::probes::asked_port;
use crate::model::object::ObjectExt;
use crate::model::plan::Look;
use crate::model::{Kind, Need, ObjectRef, Snapshot, Unknown};
use crate::subject::Subject;
use crate::subject::errand::stand_in::{self, StandIn};
use crate::subject::knock::{self, Door};
use crate::subject::network::Ruling;
use crate::subject::pod;

/// As many tries at the end are what it came to (`dial`).
const STEADY: usize = 6;

/// What became of it at one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Through,
    /// In the words for its error; others are answered.
    Kept(&'static str),
    /// It tells nothing, for this reason.
    Open(String),
}

/// None where nothing was sent there.
pub fn told(subject: &Subject, seen: &Snapshot, server: &Value) -> Option<Told> {
    let report = seen.inside.reached.get(&pod::reference(server))?;
    if report.text("/at") != stand_in::address(server, subject.flags.port()) {
        return Some(Told::Open("the pod that it asked is gone".into()));
    }
    let tries: Vec<i64> = report.list("/tries").iter().filter_map(Value::as_i64).collect();
    let end = tries.last_chunk::<STEADY>().map_or(&[][..], |end| end);
    let taken = end.iter().filter(|errno| **errno == 0).count();
    Some(match (end, taken) {
        ([], _) => Told::Open("it was ended before it knew".into()),
        ([.., last], 0) => kept(subject, seen, server, (report.number("/since"), word(*last))),
        (_, STEADY) => Told::Through,
        _ => Told::Open("it was now let through, and now not".into()),
    })
}

/// Nobody is kept away from a server that was down meanwhile, or answers nobody.
fn kept(
    subject: &Subject,
    seen: &Snapshot,
    server: &Value,
    (asked, word): (Option<i64>, &'static str),
) -> Told {
    let since = pod::condition(server, "Ready").map(|one| pod::time(one, "/lastTransitionTime"));
    let since = since.flatten().filter(|_| pod::is_ready(server));
    let open = |why: &str| Told::Open(format!("{word}; {why}"));
    if since.is_none_or(|since| asked.is_none_or(|asked| since.as_second() > asked)) {
        return open("and the pod was not ready all the while: ask again in a minute");
    }
    let answered = matches!(knock::at_address(subject, seen, server), Door::Answers(..));
    if answered || is_probed(subject, server) {
        return Told::Kept(word);
    }
    open("and that it answers others was not seen")
}

/// Whether the kubelet is answered at its port, by which a pod is ready.
fn is_probed(subject: &Subject, server: &Value) -> bool {
    let mut all = server.list("/spec/containers").iter();
    let own = all.find(|container| container.text("/name") == subject.container);
    let asked = own.and_then(|own| asked_port(own, own.get("readinessProbe")?));
    pod::is_ready(server) && asked == Some(subject.flags.port())
}

/// Of the numbers of `errno.h` those with which a connection fails.
fn word(errno: i64) -> &'static str {
    match errno {
        1 | 13 => "not permitted",
        101 => "network unreachable",
        104 => "connection reset",
        110 => "no answer in time",
        111 => "connection refused",
        113 => "host unreachable",
        _ => "it failed",
    }
}

/// Whether every pod was asked, and it is known what came of it.
pub fn settles(subject: &Subject, seen: &Snapshot) -> bool {
    let known =
        |server: &Value| matches!(told(subject, seen, server), Some(Told::Through | Told::Kept(_)));
    !subject.pods.is_empty() && subject.pods.iter().all(known)
}

/// Why none could be sent.
pub fn unknown(subject: &Subject, seen: &Snapshot, of: &ObjectRef) -> Vec<Unknown> {
    let who = format!("{} -n {}", of.short(), of.namespace);
    let unknown = |object: &ObjectRef, why: &str| Unknown {
        need: format!("whether {who} is let through to {}", object.short()),
        why: format!("no pod asked in its stead: {why}"),
        get: format!("ask from a pod of {who}"),
        vital: false,
    };
    let mut out = Vec::new();
    for server in &subject.pods {
        let object = pod::reference(server);
        if let Some(why) = seen.inside.refused.get(&object) {
            out.push(unknown(&object, why));
        }
    }
    if let (true, Err(Some(why))) = (seen.inside.consented, asker(seen, of)) {
        out.push(unknown(&subject.root, why));
    }
    out
}

/// What has to be read to send one, where that was allowed.
pub fn needs(subject: &Subject, seen: &Snapshot, of: &ObjectRef) -> Vec<Need> {
    if !seen.inside.consented {
        return Vec::new();
    }
    let mut out = stand_in::needs(&of.namespace);
    if let Ok(client) = asker(seen, of) {
        out.extend(subject.pods.iter().flat_map(|server| stand_in::nodes(client, server)));
    }
    out
}

/// The command that sends one, where that might tell more.
pub fn command(subject: &Subject, seen: &Snapshot, of: &ObjectRef) -> Option<String> {
    if seen.inside.consented || asker(seen, of).is_err() {
        return None;
    }
    let (root, namespace) = (subject.root.short(), subject.namespace());
    let client = format!("{}/{}", of.namespace, of.short());
    Some(format!("kubectl prom-fix bind {root} -n {namespace} --client {client} --inspect"))
}

/// The next one to send.
pub fn look(subject: &Subject, seen: &Snapshot, of: &ObjectRef, scene: &Scene<'_>) -> Option<Look> {
    if !seen.inside.consented {
        return None;
    }
    let denied = |server: &Value| {
        let rulings = DIRECTIONS.map(|direction| scene.ruling(server, direction));
        rulings.iter().any(|ruling| matches!(ruling, Ruling::Denied(_)))
    };
    // Of one that nobody reaches, it would tell nothing of the client.
    let refuses = |server: &Value| {
        matches!(knock::at_address(subject, seen, server), Door::Refused(_))
            || !pod::is_ready(server)
    };
    let open = |server: &&Value| {
        let object = pod::reference(server);
        told(subject, seen, server).is_none()
            && !seen.inside.refused.contains_key(&object)
            && !server.text("/status/podIP").is_empty()
    };
    if subject.pods.iter().any(|server| denied(server) || refuses(server)) {
        return None;
    }
    let server = subject.pods.iter().find(open)?;
    Some(stand_in::look(subject, seen, &sent(seen, of, server)?))
}

fn sent<'a>(seen: &'a Snapshot, of: &'a ObjectRef, server: &'a Value) -> Option<StandIn<'a>> {
    let namespace = seen.object(&ObjectRef::new(Kind::Namespace, "", &of.namespace)).known()?;
    let workload = seen.object(of).known()?;
    Some(StandIn { client: of, pod: asker(seen, of).ok()?, workload, namespace, server })
}

/// The node from which it asked, and whether that is the client's.
pub fn node(subject: &Subject, seen: &Snapshot, of: &ObjectRef, server: &Value) -> String {
    let Some(sent) = sent(seen, of, server) else { return String::new() };
    let (node, own) = (stand_in::node(subject, seen, &sent), sent.pod.text("/spec/nodeName"));
    match node == own {
        true => node.to_owned(),
        false => format!("{node}, for {own}, where the client is, does not have the image"),
    }
}

/// A pod of the client that runs, and stands for all of them; else why none does, where that is to be
/// said.
fn asker<'a>(seen: &'a Snapshot, of: &ObjectRef) -> Result<&'a Value, Option<&'static str>> {
    let workload = seen.object(of).known().ok_or(None)?;
    let pods = client::pods(seen, workload).map_err(|_| None)?;
    let runs = |pod: &&&Value| {
        pod.text("/status/phase") == "Running" && !pod.text("/spec/nodeName").is_empty()
    };
    let first = pods.iter().find(runs).ok_or(None)?;
    // Of them one may be let through, and another not.
    if pods.iter().any(|pod| stand_in::known_by(pod) != stand_in::known_by(first)) {
        return Err(Some("its pods differ in labels or account: name one, --client pod/NAME"));
    }
    match first.is_true("/spec/hostNetwork") {
        true => Err(Some("it is on its node's network, where none of ours is")),
        false => Ok(first),
    }
}
