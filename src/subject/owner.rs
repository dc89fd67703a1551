//! The walk over controller references to the root.

use serde_json::Value;

use super::selector;
use crate::model::fact::{Got, Need, Snapshot};
use crate::model::object::{ObjectExt, Owner};
use crate::model::{Kind, ObjectRef};

/// A look into a snapshot that remembers what it missed, so that what must be read and what was
/// found are told by one and the same road.
pub(super) struct Eye<'a> {
    seen: &'a Snapshot,
    /// What was not asked for yet.
    pub asks: Vec<Need>,
    /// Listings that could not be read, and why.
    pub refused: Vec<(String, String)>,
}

impl<'a> Eye<'a> {
    pub fn new(seen: &'a Snapshot) -> Self {
        Eye { seen, asks: Vec::new(), refused: Vec::new() }
    }

    fn ask(&mut self, need: Need) {
        if !self.asks.contains(&need) {
            self.asks.push(need);
        }
    }

    /// One object by name.
    pub fn object(&mut self, of: &ObjectRef) -> Got<'a, Value> {
        let got = self.seen.object(of);
        if got == Got::NotAsked {
            self.ask(Need::Object(of.clone()));
        }
        got
    }

    /// All objects of a kind in a namespace, or in all; none where they could not be read.
    pub fn list(&mut self, kind: Kind, namespace: Option<&str>) -> Vec<&'a Value> {
        let got = match namespace {
            Some(namespace) => self.seen.list(kind, namespace),
            // A listing of the namespace "" is kept nowhere, so only the one of all answers.
            None => self.seen.list(kind, ""),
        };
        match got {
            Got::Known(items) => {
                let here = |i: &&Value| namespace.is_none_or(|ns| i.namespace() == ns);
                return items.iter().filter(here).collect();
            }
            Got::Unreadable(why) => {
                let what = kind.plural().to_owned();
                if !self.refused.iter().any(|(known, _)| *known == what) {
                    self.refused.push((what, why.to_owned()));
                }
            }
            Got::NotAsked => self.ask(match namespace {
                Some(namespace) => Need::list(kind, namespace),
                None => Need::list_all(kind),
            }),
            Got::Absent => {}
        }
        Vec::new()
    }

    /// Whether a listing was made and could be read (no such API counts: there is nothing).
    pub fn is_listed(&self, kind: Kind, namespace: &str) -> bool {
        matches!(self.seen.list(kind, namespace), Got::Known(_) | Got::Absent)
    }
}

/// One object on the way up.
#[derive(Clone, Debug)]
pub(super) struct Link<'a> {
    pub of: ObjectRef,
    /// `None` where it could not be read.
    pub object: Option<&'a Value>,
}

/// The way from an object to the top of its owners, the object itself first.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    pub chain: Vec<Link<'a>>,
    /// The very top, also where its kind is none of ours or it is gone.
    pub owner: Owner,
}

impl<'a> Walk<'a> {
    /// The topmost object of a kind we know.
    pub fn root(&self) -> Option<&Link<'a>> {
        self.chain.last()
    }

    /// The custom resource of prometheus-operator on the way.
    pub fn resource(&self) -> Option<&Link<'a>> {
        self.chain.iter().find(|link| link.of.kind.is_operator_resource())
    }

    /// The workload on the way.
    pub fn workload(&self) -> Option<&Link<'a>> {
        self.chain.iter().find(|link| is_workload(link.of.kind))
    }
}

pub(super) fn is_workload(kind: Kind) -> bool {
    matches!(kind, Kind::StatefulSet | Kind::Deployment | Kind::DaemonSet)
}

/// Kinds that the walk climbs to. A mirror pod is controlled by its Node, which is no root.
fn is_step(kind: Kind) -> bool {
    is_workload(kind)
        || kind.is_operator_resource()
        || matches!(kind, Kind::ReplicaSet | Kind::MonitoringStack)
}

/// Chains are short (Pod, ReplicaSet, Deployment; Pod, StatefulSet, Prometheus, MonitoringStack);
/// the bound holds references that form a ring.
const LONGEST: usize = 8;

/// Walks up from an object. What could not be read ends the walk there.
pub(super) fn walk<'a>(start: &'a Value, of: ObjectRef, eye: &mut Eye<'a>) -> Walk<'a> {
    let mut owner = itself(start, &of);
    let mut chain = vec![Link { of, object: Some(start) }];
    let mut here = start;
    while chain.len() < LONGEST {
        let Some(controller) = here.controller() else { break };
        let next = step(here, &controller, eye);
        owner = controller;
        let Some(link) = next else { break };
        // Over a ReplicaSet that was not read the Deployment is the owner to name.
        match link.object {
            Some(object) => owner = itself(object, &link.of),
            None if link.of.kind.name() != owner.kind => {
                owner = Owner {
                    api_version: link.of.kind.api_version().into(),
                    kind: link.of.kind.name().into(),
                    name: link.of.name.clone(),
                    uid: String::new(),
                };
            }
            None => {}
        }
        let object = link.object;
        chain.push(link);
        match object {
            Some(object) => here = object,
            None => break,
        }
    }
    Walk { chain, owner }
}

/// The link a controller reference leads to; `None` where its kind is none of ours or it is gone.
fn step<'a>(from: &Value, controller: &Owner, eye: &mut Eye<'a>) -> Option<Link<'a>> {
    let kind = Kind::of(&controller.api_version, &controller.kind).filter(|kind| is_step(*kind))?;
    let of = ObjectRef::new(kind, from.namespace(), &controller.name);
    if kind == Kind::ReplicaSet
        && let Some(link) = deployment_above(from, &controller.name, eye)
    {
        return Some(link);
    }
    match eye.object(&of) {
        Got::Known(object) => Some(Link { of, object: Some(object) }),
        Got::Unreadable(_) | Got::NotAsked => Some(Link { of, object: None }),
        Got::Absent => None,
    }
}

/// The Deployment above a pod's ReplicaSet, without reading the ReplicaSet: it is named
/// `<deployment>-<pod-template-hash>` (k8s.io/kubernetes pkg/controller/deployment/sync.go). Only
/// where the pod carries that hash and a Deployment of that name exists that selects it.
fn deployment_above<'a>(pod: &Value, replica_set: &str, eye: &mut Eye<'a>) -> Option<Link<'a>> {
    let hash = pod.label("pod-template-hash")?;
    let name = replica_set.strip_suffix(hash)?.strip_suffix('-')?;
    let of = ObjectRef::new(Kind::Deployment, pod.namespace(), name);
    match eye.object(&of) {
        Got::Known(object) => {
            let selects = object.pointer("/spec/selector/matchLabels");
            let fits =
                selects.is_none() || selector::holds(selects, pod.pointer("/metadata/labels"));
            fits.then_some(Link { of, object: Some(object) })
        }
        Got::Unreadable(_) | Got::NotAsked => Some(Link { of, object: None }),
        Got::Absent => None,
    }
}

/// An object as its own owner: the end of a walk.
pub(super) fn itself(object: &Value, of: &ObjectRef) -> Owner {
    Owner {
        api_version: of.kind.api_version().into(),
        kind: of.kind.name().into(),
        name: of.name.clone(),
        uid: object.uid().into(),
    }
}
