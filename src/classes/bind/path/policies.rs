//! Who is let through: of a named client by both ends' policies; of anybody only where nothing keeps
//! anybody away. From objects alone: an answer to the API server proves nothing, for it is mostly not
//! kept away; that it gets none is a hint.

use serde_json::Value;

use super::super::check::foreign;
use super::super::check::knock::{self, Door};
use super::super::check::policies::{self, DIRECTIONS, POLICY, names, word};
use super::super::check::stand_in::Told;
use super::{Case, Who};
use crate::model::object::{Kind, ObjectExt};
use crate::model::{ObjectRef, Passage, PathStep, Unknown};
use crate::subject::network::{Direction, End, Ruling, Way, selecting};

const POLICIES: &str = "policies";

pub(super) fn step(case: &Case<'_>) -> PathStep {
    let step = match case.from {
        Who::Client(of) => of_client(case, of),
        Who::AnyPod | Who::Kubelet | Who::Ingress(_) => of_anybody(case),
    };
    if step.passage == Passage::Broken {
        return step;
    }
    match hint(case) {
        Some(hint) => PathStep::not_known(POLICIES, format!("{}; {hint}", step.says)),
        None => step,
    }
}

/// No answer in time at the pod's address; where its loopback is slow too, it is the server.
fn hint(case: &Case<'_>) -> Option<&'static str> {
    if knock::at_address(case.subject, case.seen, case.pod) != Door::Silent {
        return None;
    }
    Some(match knock::at_loopback(case.subject, case.seen, case.pod) {
        Door::Silent => "the pod proxy got no answer in time, nor did its loopback: it is slow",
        Door::Answers(..) => {
            "the pod proxy got no answer in time, and its loopback answers: something on the way \
             drops it, such as a policy"
        }
        Door::Refused(_) | Door::Unread(_) | Door::NotAsked => {
            "the pod proxy got no answer in time: it is slow, or something on the way drops it, \
             such as a policy"
        }
    })
}

fn of_client(case: &Case<'_>, of: &ObjectRef) -> PathStep {
    let scene = match policies::scene(case.subject, case.seen, of) {
        Ok(scene) => scene,
        Err(Unknown { need, why, .. }) => {
            return PathStep::not_known(POLICIES, format!("{need}: {why}"));
        }
    };
    let rulings = DIRECTIONS.map(|direction| scene.ruling(case.pod, direction));
    let [out, into] = &rulings;
    let says = format!("out: {}; in: {}", word(out), word(into));
    if rulings.iter().any(|ruling| matches!(ruling, Ruling::Denied(_))) {
        return PathStep::broken(POLICIES, Some(POLICY), says);
    }
    let is_told = foreign::is_told(case.subject, case.seen, of, &scene);
    let says = match policies::told(case.subject, case.seen, of, &scene, case.pod) {
        Some(Told::Kept(word)) => {
            let says = format!("{says}; a pod in its stead: {word}");
            return PathStep::broken(POLICIES, Some(POLICY), says);
        }
        Some(Told::Open(why)) => {
            return PathStep::not_known(POLICIES, format!("{says}; a pod in its stead: {why}"));
        }
        Some(Told::Through) => format!("{says}; a pod in its stead was let through"),
        None => says,
    };
    let others = foreign::check(case.subject, case.seen, of, &scene);
    match policies::template_only(case.seen, of).iter().chain(&others).next() {
        Some(other) => {
            PathStep::not_known(POLICIES, format!("{says}; {}: {}", other.need, other.why))
        }
        None if !is_told && rulings.iter().any(|ruling| ruling.passes().is_none()) => {
            PathStep::not_known(POLICIES, says)
        }
        None => PathStep::ok(POLICIES, says),
    }
}

fn of_anybody(case: &Case<'_>) -> PathStep {
    if let Some(why) = case.missing(Kind::NetworkPolicy) {
        return PathStep::not_known(POLICIES, why);
    }
    let namespace = case.subject.namespace();
    let all: Vec<&Value> = case.seen.items(Kind::NetworkPolicy, namespace).collect();
    let server = End::Pod { pod: case.pod, namespace: &Value::Null };
    let port = case.subject.flags.port();
    let way = Way { client: server, server, port, protocol: "TCP" };
    let (selecting, open) = selecting(&all, &way, Direction::Ingress);
    let says = match (selecting.as_slice(), open) {
        ([], _) => "in: open: no policy selects it".to_owned(),
        (_, Some(policy)) => format!("in: netpol/{} lets everybody pass", policy.name()),
        (by, None) => {
            let says = format!("who is let in is named by {}: --client says of one", names(by));
            return PathStep::not_known(POLICIES, says);
        }
    };
    match foreign::of_anybody(case.subject, case.seen, case.pod).first() {
        Some(other) => {
            PathStep::not_known(POLICIES, format!("{says}; {}: {}", other.need, other.why))
        }
        None => PathStep::ok(POLICIES, says),
    }
}
