//! From objects to instances: each workload, custom resource and stray pod is walked to its root,
//! and what has one root is one Prometheus.

use serde_json::Value;

use super::score;
use crate::model::object::{ObjectExt, Owner};
use crate::model::{Kind, ObjectRef};
use crate::subject::owner::{Eye, Link, Walk, itself, walk};
use crate::subject::selector;

/// What is looked through.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope<'a> {
    pub resources: Vec<(Kind, &'a Value)>,
    pub workloads: Vec<(Kind, &'a Value)>,
    pub pods: Vec<&'a Value>,
    /// Pods that belong to none of the workloads count too.
    pub strays: bool,
    /// Points that make a Prometheus.
    pub accept: u32,
}

/// All that has one root.
#[derive(Clone, Debug)]
pub(super) struct Group<'a> {
    pub root: Link<'a>,
    pub owner: Owner,
    pub resource: Option<Link<'a>>,
    pub workloads: Vec<(Kind, &'a Value)>,
    pub pods: Vec<&'a Value>,
}

/// The instances among the objects of a scope.
pub(super) fn gather<'a>(scope: &Scope<'a>, eye: &mut Eye<'a>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (kind, resource) in &scope.resources {
        let of = ObjectRef::new(*kind, resource.namespace(), resource.name());
        let walk = walk(resource, of, eye);
        join(&mut groups, &walk);
    }
    for (kind, workload) in &scope.workloads {
        let of = ObjectRef::new(*kind, workload.namespace(), workload.name());
        let walk = walk(workload, of, eye);
        let by_name = walk.chain.len() == 1
            && workload.controller().is_none()
            && adopt(&mut groups, *kind, workload);
        if by_name || (walk.resource().is_none() && !is_prometheus(workload, scope.accept)) {
            continue;
        }
        if let Some(group) = join(&mut groups, &walk) {
            group.workloads.push((*kind, workload));
        }
    }
    let pods: Vec<&Value> = scope.pods.clone();
    for pod in pods {
        let mut mine = groups.iter_mut().filter(|group| {
            group.workloads.iter().any(|(kind, workload)| belongs(pod, *kind, workload))
        });
        if let Some(group) = mine.next() {
            group.pods.push(pod);
        } else if scope.strays
            && looks_like_one(pod, scope.accept)
            && !scope.workloads.iter().any(|(k, w)| belongs(pod, *k, w))
        {
            stray(pod, &mut groups, eye);
        }
    }
    groups
}

/// Puts a walk into the group of its root, which is made where there is none.
fn join<'g, 'a>(groups: &'g mut Vec<Group<'a>>, walk: &Walk<'a>) -> Option<&'g mut Group<'a>> {
    let root = walk.root()?.clone();
    let at = match groups.iter().position(|group| group.root.of == root.of) {
        Some(at) => at,
        None => {
            groups.push(Group {
                root,
                owner: walk.owner.clone(),
                resource: None,
                workloads: Vec::new(),
                pods: Vec::new(),
            });
            groups.len() - 1
        }
    };
    let group = groups.get_mut(at)?;
    if group.resource.is_none() {
        group.resource = walk.resource().cloned();
    }
    Some(group)
}

/// A workload without any owner that bears the name the operator gives: left behind by
/// `--cascade=orphan`, and adopted by the operator's next sync.
fn adopt<'a>(groups: &mut [Group<'a>], kind: Kind, workload: &'a Value) -> bool {
    let group = groups.iter_mut().find(|group| {
        group.resource.as_ref().is_some_and(|resource| {
            resource.of.namespace == workload.namespace()
                && workload.label("operator.prometheus.io/name") == Some(&resource.of.name)
                && renders(&resource.of, workload.name())
        })
    });
    match group {
        Some(group) => {
            group.workloads.push((kind, workload));
            true
        }
        None => false,
    }
}

/// Whether the operator names a workload of this resource so: `prometheus-<cr>`, `prom-agent-<cr>`,
/// each with `-shard-<n>` after the first shard (prometheus-operator pkg/prometheus/common.go).
pub(super) fn renders(resource: &ObjectRef, workload: &str) -> bool {
    let prefix = match resource.kind {
        Kind::PrometheusAgent | Kind::RhobsPrometheusAgent => "prom-agent-",
        _ => "prometheus-",
    };
    let rest = workload.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(&*resource.name));
    rest.is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix("-shard-").is_some_and(|n| n.parse::<u32>().is_ok())
    })
}

fn is_prometheus(workload: &Value, accept: u32) -> bool {
    let Some(spec) = workload.pointer("/spec/template/spec") else { return false };
    let labels = workload.pointer("/spec/template/metadata/labels");
    score::best(spec, labels).points >= accept
}

fn looks_like_one(pod: &Value, accept: u32) -> bool {
    let labels = pod.pointer("/metadata/labels");
    pod.get("spec").is_some_and(|spec| score::best(spec, labels).points >= accept)
}

/// A pod without a workload at hand: bare, or of an owner that could not be read.
fn stray<'a>(pod: &'a Value, groups: &mut Vec<Group<'a>>, eye: &mut Eye<'a>) {
    let of = ObjectRef::new(Kind::Pod, pod.namespace(), pod.name());
    let walk = walk(pod, of, eye);
    let workload = walk.workload();
    // The set could not be read, but the resource could: its name says whose the pod is.
    let unread = workload.filter(|link| link.object.is_none()).map(|link| &link.of);
    let named = groups.iter_mut().find(|group| {
        group.resource.as_ref().is_some_and(|resource| {
            unread.is_some_and(|set| {
                resource.of.namespace == set.namespace && renders(&resource.of, &set.name)
            })
        })
    });
    if let Some(group) = named {
        group.pods.push(pod);
        return;
    }
    let workload = workload.and_then(|link| Some((link.of.kind, link.object?)));
    if let Some(group) = join(groups, &walk) {
        group.pods.push(pod);
        if let Some((kind, object)) = workload
            && !group.workloads.iter().any(|(_, known)| known.uid() == object.uid())
        {
            group.workloads.push((kind, object));
        }
    }
}

/// Whether a pod is of this workload.
pub(super) fn belongs(pod: &Value, kind: Kind, workload: &Value) -> bool {
    if pod.namespace() != workload.namespace() {
        return false;
    }
    let Some(controller) = pod.controller() else { return false };
    if kind == Kind::Deployment {
        let hash = pod.label("pod-template-hash").unwrap_or("");
        let owner = format!("{}-{hash}", workload.name());
        return controller.kind == "ReplicaSet"
            && controller.name == owner
            && selector::holds(
                workload.pointer("/spec/selector/matchLabels"),
                pod.pointer("/metadata/labels"),
            );
    }
    let same_uid = controller.uid == workload.uid() || controller.uid.is_empty();
    controller.kind == kind.name() && controller.name == workload.name() && same_uid
}

/// The instance of one object and all that shares its root.
pub(super) fn around<'a>(
    kind: Kind,
    object: &'a Value,
    siblings: &[(Kind, &'a Value)],
    pods: Vec<&'a Value>,
    eye: &mut Eye<'a>,
) -> Option<Group<'a>> {
    let of = ObjectRef::new(kind, object.namespace(), object.name());
    let walk = walk(object, of, eye);
    let root = walk.root()?.of.clone();
    let resource = walk.resource().cloned();
    let mut scope = Scope { pods, accept: score::POINTED_AT, ..Scope::default() };
    if let Some(resource) = &resource {
        let is_its = |sibling: &Value| {
            sibling.namespace() == resource.of.namespace && is_of(sibling, resource)
        };
        scope.workloads = siblings.iter().copied().filter(|(_, s)| is_its(s)).collect();
        scope.resources.extend(resource.object.map(|object| (resource.of.kind, object)));
    }
    // The pod's own workload, where it is of a kind that was not listed.
    let own = walk.workload().and_then(|link| Some((link.of.kind, link.object?)));
    if let Some((kind, own)) = own
        && !scope.workloads.iter().any(|(_, known)| known.uid() == own.uid())
    {
        scope.workloads.push((kind, own));
    }
    if scope.workloads.is_empty() && kind == Kind::Pod {
        scope.pods.retain(|pod| pod.uid() == object.uid());
        scope.strays = true;
    }
    let mut groups = gather(&scope, eye);
    let at = groups.iter().position(|group| group.root.of == root)?;
    Some(groups.swap_remove(at))
}

/// Whether a workload is of a custom resource: by its controller reference, else by its name.
fn is_of(workload: &Value, resource: &Link<'_>) -> bool {
    match workload.controller() {
        Some(controller) => {
            let uid = resource.object.map_or("", ObjectExt::uid);
            let same = uid.is_empty() || controller.uid.is_empty() || controller.uid == uid;
            Kind::of(&controller.api_version, &controller.kind) == Some(resource.of.kind)
                && controller.name == resource.of.name
                && same
        }
        None => renders(&resource.of, workload.name()),
    }
}

/// A group of nothing but a custom resource: what it asks for was never made.
pub(super) fn alone<'a>(of: ObjectRef, object: &'a Value) -> Group<'a> {
    let owner = itself(object, &of);
    let root = Link { of, object: Some(object) };
    Group { resource: Some(root.clone()), root, owner, workloads: Vec::new(), pods: Vec::new() }
}
