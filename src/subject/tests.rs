//! The room against objects of real installs (tests/installs) and small made ones. A source of a
//! few lines answers what is asked, and counts.

mod commits;
mod found;
mod holds;
mod installs;
mod operators;
mod plugins;
mod policies;
mod promises;
mod rivals;
mod startup;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::discover::{NotFound, Target, find, needs};
use super::{Subject, selector};
use crate::model::object::ObjectExt;
use crate::model::{Fact, Kind, Need, Seen, Snapshot};

pub const CHART_DEPLOY: &str = include_str!("../../tests/installs/chart-deploy.yaml");
pub const CHART_STS: &str = include_str!("../../tests/installs/chart-sts.yaml");
pub const KPS: &str = include_str!("../../tests/installs/kps.yaml");
pub const MONITORING: &str = include_str!("../../tests/installs/monitoring.yaml");
pub const OP: &str = include_str!("../../tests/installs/op.yaml");

/// A cluster that holds these objects.
#[derive(Clone, Default)]
pub struct World {
    pub items: Vec<Value>,
    /// Plurals that may not be read.
    pub forbidden: Vec<&'static str>,
}

pub fn world(files: &[&str]) -> World {
    let mut items = Vec::new();
    for file in files {
        let list: Value = serde_saphyr::from_str(file).expect("a fixture is YAML");
        items.extend(list.list("/items").iter().cloned());
    }
    World { items, forbidden: Vec::new() }
}

pub fn made(items: &[Value]) -> World {
    World { items: items.to_vec(), forbidden: Vec::new() }
}

impl World {
    fn of(&self, kind: Kind) -> impl Iterator<Item = &Value> {
        self.items
            .iter()
            .filter(move |i| Kind::of(i.text("/apiVersion"), i.text("/kind")) == Some(kind))
    }

    pub fn answer(&self, need: &Need) -> Fact {
        let kind = match need {
            Need::Object(of) => of.kind,
            Need::List { kind, .. } => *kind,
            _ => return Fact::Absent,
        };
        if self.forbidden.contains(&kind.plural()) {
            return Fact::Unreadable("forbidden".into());
        }
        match need {
            Need::Object(of) => {
                let mut found = self.of(kind);
                let found = found.find(|i| i.name() == of.name && i.namespace() == of.namespace);
                found.map_or(Fact::Absent, |object| Fact::Known(Seen::Object(object.clone())))
            }
            Need::List { namespace, labels, .. } => {
                let here = |i: &&Value| namespace.as_deref().is_none_or(|ns| i.namespace() == ns);
                let items = self.of(kind).filter(here).filter(|i| selector::matches(labels, i));
                Fact::Known(Seen::List(items.cloned().collect()))
            }
            _ => Fact::Absent,
        }
    }

    /// Reads until nothing new is asked; also says how many rounds and requests that took.
    pub fn read(&self, target: &Target, namespace: Option<&str>) -> (Snapshot, usize) {
        let mut seen = Snapshot::new(Timestamp::UNIX_EPOCH);
        for _round in 0..4 {
            let asked = needs(target, namespace, &seen);
            for need in &asked {
                assert!(!seen.facts.contains_key(need), "asked twice: {need:?}");
                seen.facts.insert(need.clone(), self.answer(need));
            }
        }
        assert_eq!(needs(target, namespace, &seen), [], "more than 4 rounds");
        let requests = seen.facts.len();
        (seen, requests)
    }

    pub fn find(&self, target: &Target, namespace: Option<&str>) -> Result<Vec<Subject>, NotFound> {
        find(target, namespace, &self.read(target, namespace).0)
    }

    pub fn only(&self, namespace: &str) -> Subject {
        let mut found = self.find(&all(), Some(namespace)).expect("one is there");
        assert_eq!(found.len(), 1);
        found.remove(0)
    }
}

pub fn all() -> Target {
    Target::All { labels: String::new() }
}

pub fn target(kind: Kind, name: &str) -> Target {
    Target::Named { kind, name: name.into() }
}

/// A workload of one container.
pub fn workload(kind: Kind, name: &str, image: &str, args: &[&str]) -> Value {
    json!({
        "apiVersion": kind.api_version(), "kind": kind.name(),
        "metadata": {"name": name, "namespace": "mon", "uid": format!("uid-{name}")},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "prometheus", "image": image, "args": args}]},
        }},
    })
}

/// A pod of a workload's template, with this controller.
pub fn pod(name: &str, of: &Value, controller: Value) -> Value {
    let mut labels = of.pointer("/spec/template/metadata/labels").cloned().unwrap_or(json!({}));
    if controller["kind"] == "ReplicaSet" {
        let hash = controller["name"].as_str().and_then(|n| n.rsplit('-').next());
        labels["pod-template-hash"] = json!(hash);
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "mon", "uid": format!("uid-{name}"),
            "labels": labels, "ownerReferences": [controller]},
        "spec": of.pointer("/spec/template/spec"),
    })
}

pub fn controlled_by(kind: Kind, name: &str) -> Value {
    json!({"apiVersion": kind.api_version(), "kind": kind.name(), "name": name,
        "uid": format!("uid-{name}"), "controller": true})
}
