//! Rules of network plugins, of the cluster's administrator and of meshes. Which of them have a say on
//! the way of a client is known from their selectors; what they say, only their own programs know. So
//! where one has, nothing is called let through.

use serde_json::Value;

use super::super::client::spaces;
use super::policies::Scene;
use super::stand_in;
use crate::model::fact::Got;
use crate::model::object::ObjectExt;
use crate::model::{Kind, Need, ObjectRef, Snapshot, Unknown};
use crate::subject::Subject;
use crate::subject::errand::stand_in::names_unborne;
use crate::subject::network::Direction;
use crate::subject::plugin::{MESH_ROOT, Side, concerns, in_istio, root_of};

/// Rules of a namespace.
const LOCAL: [Kind; 5] = [
    Kind::CiliumNetworkPolicy,
    Kind::CalicoNetworkPolicy,
    Kind::AuthorizationPolicy,
    Kind::PeerAuthentication,
    Kind::LinkerdServer,
];
/// Rules of the cluster.
const WIDE: [Kind; 5] = [
    Kind::CiliumClusterwideNetworkPolicy,
    Kind::CalicoGlobalNetworkPolicy,
    Kind::AdminNetworkPolicy,
    Kind::BaselineAdminNetworkPolicy,
    Kind::ClusterNetworkPolicy,
];
/// Rules that the mesh keeps in one namespace for all.
const OF_MESH: [Kind; 2] = [Kind::AuthorizationPolicy, Kind::PeerAuthentication];

/// Named one by one at the most.
const NAMED: usize = 5;

/// Every listing, by kind and namespace. An API that is not there answers at once that it is not.
fn places<'a>(spaces: &[&'a str], root: &'a str) -> Vec<(Kind, &'a str)> {
    let mut out: Vec<(Kind, &str)> = Vec::new();
    for space in spaces {
        out.extend(LOCAL.map(|kind| (kind, *space)));
    }
    out.extend(OF_MESH.map(|kind| (kind, root)));
    out.extend(WIDE.map(|kind| (kind, "")));
    out.sort_unstable();
    out.dedup();
    out
}

pub fn needs(seen: &Snapshot, spaces: &[&str]) -> Vec<Need> {
    let root = mesh_root(seen);
    let listed = places(spaces, &root).into_iter().map(|(kind, space)| Need::list(kind, space));
    let config = has_mesh(seen, spaces).then(|| Need::Object(config()));
    listed.chain(config).collect()
}

/// Whether its API is there.
fn has_mesh(seen: &Snapshot, spaces: &[&str]) -> bool {
    let listed =
        |space: &&str| OF_MESH.iter().any(|kind| seen.list(*kind, space).known().is_some());
    spaces.iter().any(listed)
}

fn config() -> ObjectRef {
    ObjectRef::new(Kind::ConfigMap, MESH_ROOT, "istio")
}

/// Where the mesh keeps its rules for all, by its own configuration; else why that is not known.
fn root(seen: &Snapshot) -> Result<String, String> {
    let named = config().short();
    match seen.object(&config()) {
        Got::Known(map) => root_of(map.text("/data/mesh"))
            .ok_or_else(|| format!("{named} -n {MESH_ROOT} does not say it")),
        Got::Absent => Err(format!("there is no {named} -n {MESH_ROOT}")),
        Got::Unreadable(why) => Err(why.to_owned()),
        Got::NotAsked => Err("not read".into()),
    }
}

/// The same, or where it is unless the mesh was told otherwise.
pub fn mesh_root(seen: &Snapshot) -> String {
    root(seen).unwrap_or_else(|_| MESH_ROOT.to_owned())
}

/// Of a pod in the mesh, where that is not known: its rules for all are looked for in one namespace.
fn rootless(seen: &Snapshot, spaces: &[&str], sides: &[Side<'_>]) -> Option<Unknown> {
    let why = root(seen).err()?;
    (has_mesh(seen, spaces) && sides.iter().any(in_istio)).then(|| Unknown {
        need: format!("whether Istio keeps its rules for all in {MESH_ROOT}, where they were read"),
        why,
        get: format!("kubectl get {} -n {MESH_ROOT} -o yaml", config().short()),
        vital: false,
    })
}

/// Rules that have a say on the way, and rules that could not be read. Those of a plugin have none
/// where a pod in the client's stead was told.
pub fn check(
    subject: &Subject,
    seen: &Snapshot,
    of: &ObjectRef,
    scene: &Scene<'_>,
) -> Vec<Unknown> {
    let who = format!("{} -n {}", of.short(), of.namespace);
    let beyond = goes_by_more(subject, seen, of, scene);
    let view = View {
        who: &who,
        settled: !beyond && stand_in::settles(subject, seen),
        command: stand_in::command(subject, seen, of).filter(|_| !beyond),
    };
    let root = mesh_root(seen);
    rules(seen, &spaces(subject.namespace(), of), &scene.sides(&subject.pods, &root), &view)
}

/// For whom rules are looked at.
struct View<'a> {
    who: &'a str,
    /// What rules of plugins say is known.
    settled: bool,
    /// What to type for that.
    command: Option<String>,
}

/// Whether what a pod in the client's stead was told is all that rules of plugins say of the client.
pub fn is_told(subject: &Subject, seen: &Snapshot, of: &ObjectRef, scene: &Scene<'_>) -> bool {
    stand_in::settles(subject, seen) && !goes_by_more(subject, seen, of, scene)
}

/// Whether a rule that has a say goes by more than who asks.
pub fn goes_by_more(subject: &Subject, seen: &Snapshot, of: &ObjectRef, scene: &Scene<'_>) -> bool {
    of_plugins(subject, seen, of, scene).into_iter().any(|(_, rule)| asks_for_more(rule))
}

/// The first rules of plugins and of the administrator that have a say on the way.
pub fn selecting(
    subject: &Subject,
    seen: &Snapshot,
    of: &ObjectRef,
    scene: &Scene<'_>,
) -> Vec<String> {
    let all = of_plugins(subject, seen, of, scene).into_iter();
    all.map(|(kind, rule)| format!("{}/{}", kind.short(), rule.name())).take(NAMED).collect()
}

fn of_plugins<'a>(
    subject: &Subject,
    seen: &'a Snapshot,
    of: &ObjectRef,
    scene: &Scene<'_>,
) -> Vec<(Kind, &'a Value)> {
    let root = mesh_root(seen);
    let sides = scene.sides(&subject.pods, &root);
    let places = places(&spaces(subject.namespace(), of), &root);
    let mut out = Vec::new();
    for (kind, space) in places.into_iter().filter(|(kind, _)| !is_of_mesh(*kind)) {
        let rules = seen.list(kind, space).known().into_iter().flatten();
        let concerned = rules.filter(|rule| sides.iter().any(|side| concerns(rule, side)));
        out.extend(concerned.map(|rule| (kind, rule)));
    }
    out
}

/// Whether a rule goes by more than who asks. By what is asked: a proxy of the plugin takes the connection
/// first (Cilium `toPorts`, its CRD; Calico `http`). By addresses (Calico `nets`), of which a pod in the
/// client's stead has another; or by a label that it does not bear.
fn asks_for_more(rule: &Value) -> bool {
    const READ: [&str; 5] =
        ["rules", "serverNames", "listener", "terminatingTLS", "originatingTLS"];
    let specs = rule.get("spec").into_iter().chain(rule.list("/specs"));
    let both = specs.flat_map(|spec| ["ingress", "egress"].map(|direction| spec.get(direction)));
    let mut all = both.flatten().filter_map(Value::as_array).flatten();
    let reads = |port: &Value| READ.iter().any(|field| port.get(field).is_some());
    let end = |one: &Value| {
        ["/source/nets", "/source/notNets", "/destination/nets", "/destination/notNets"]
            .iter()
            .any(|nets| one.pointer(nets).is_some())
    };
    all.any(|one| one.get("http").is_some() || end(one) || one.list("/toPorts").iter().any(reads))
        || names_unborne(rule)
}

fn is_of_mesh(kind: Kind) -> bool {
    OF_MESH.contains(&kind) || kind == Kind::LinkerdServer
}

/// The same of everybody's way into a pod.
pub fn of_anybody(subject: &Subject, seen: &Snapshot, pod: &Value) -> Vec<Unknown> {
    let own = subject.namespace();
    let object = ObjectRef::new(Kind::Namespace, "", own);
    let namespace = seen.object(&object).known().unwrap_or(&Value::Null);
    let port = subject.flags.port();
    let root = mesh_root(seen);
    let side = Side { pod, namespace, direction: Direction::Ingress, port, mesh_root: &root };
    rules(seen, &[own], &[side], &View { who: "anybody", settled: false, command: None })
}

fn rules(seen: &Snapshot, spaces: &[&str], sides: &[Side<'_>], view: &View<'_>) -> Vec<Unknown> {
    let mut out = Vec::new();
    let (mut unread, mut reason) = (Vec::new(), "");
    let root = mesh_root(seen);
    for (kind, space) in places(spaces, &root) {
        let all = match seen.list(kind, space) {
            Got::Known(all) => all,
            Got::Absent => continue,
            Got::Unreadable(why) => {
                reason = why;
                unread.push(format!("{}.{}", kind.plural(), kind.group()));
                continue;
            }
            Got::NotAsked => {
                reason = "not read";
                unread.push(format!("{}.{}", kind.plural(), kind.group()));
                continue;
            }
        };
        for rule in all {
            if view.settled && !is_of_mesh(kind) {
                continue;
            }
            let Some(side) = sides.iter().find(|side| concerns(rule, side)) else { continue };
            out.push(unjudged(kind, rule, side, view));
        }
    }
    let more = out.len().saturating_sub(NAMED);
    if more > 0 {
        out.truncate(NAMED);
        out.push(Unknown {
            need: format!("what {more} more such rules say"),
            why: "only the first are named".into(),
            get: String::new(),
            vital: true,
        });
    }
    out.extend(rootless(seen, spaces, sides));
    unread.dedup();
    if !unread.is_empty() {
        out.push(Unknown {
            need: "whether rules of a network plugin or a mesh have a say".into(),
            why: reason.to_owned(),
            get: format!("the verb list on {}", unread.join(", ")),
            // Nobody but an administrator may read kinds that are mostly not there.
            vital: false,
        });
    }
    out
}

fn unjudged(kind: Kind, rule: &Value, side: &Side<'_>, view: &View<'_>) -> Unknown {
    let who = view.who;
    let plural = kind.plural();
    let group = rule.text("/apiVersion").split('/').next().unwrap_or("");
    let within = match rule.namespace() {
        "" => String::new(),
        namespace => format!(" -n {namespace}"),
    };
    let at = match side.pod.name() {
        "" => who.to_owned(),
        name => format!("pod/{name}"),
    };
    Unknown {
        need: format!("whether {}/{} lets {who} through", kind.short(), rule.name()),
        why: format!("it selects {at}, and only {} can judge it", program(kind)),
        get: match view.command.as_ref().filter(|_| !is_of_mesh(kind)) {
            Some(command) => command.clone(),
            None => format!("kubectl get {plural}.{group} {}{within} -o yaml", rule.name()),
        },
        vital: true,
    }
}

/// Who enforces a kind.
fn program(kind: Kind) -> &'static str {
    match kind {
        Kind::CiliumNetworkPolicy | Kind::CiliumClusterwideNetworkPolicy => "Cilium",
        Kind::CalicoNetworkPolicy | Kind::CalicoGlobalNetworkPolicy => "Calico",
        Kind::AuthorizationPolicy | Kind::PeerAuthentication => "Istio",
        Kind::LinkerdServer => "Linkerd",
        _ => "the network plugin",
    }
}
