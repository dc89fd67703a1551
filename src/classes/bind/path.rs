//! The way to a pod, step by step: from the client that is named; without one from any pod, from the
//! kubelet and from an Ingress. A step is broken where a finding says so, ok where something that was
//! read shows it, else not known.

mod answers;
mod policies;
mod process;
mod service;

use serde_json::Value;

use super::check::{asked, ingress, services};
use crate::model::log::{Runs, runs};
use crate::model::object::ObjectExt;
use crate::model::{
    Code, Finding, Got, Kind, ObjectRef, Passage, Path, PathStep, Severity, Snapshot, fold,
};
use crate::subject::{Subject, pod};

/// Of so many Ingresses the way is told.
const MOST_INGRESSES: usize = 2;

/// Who asks.
#[derive(Clone, Copy)]
enum Who<'a> {
    Client(&'a ObjectRef),
    AnyPod,
    Kubelet,
    Ingress(&'a ingress::Rule<'a>),
}

pub(super) fn paths(
    subject: &Subject,
    seen: &Snapshot,
    found: &[Finding],
    client: Option<&ObjectRef>,
) -> Vec<Path> {
    let teller = Teller { subject, seen, found };
    if let Some(of) = client {
        let who = format!("{} -n {}", of.short(), of.namespace);
        return teller.worst(&who, Who::Client(of)).into_iter().collect();
    }
    let mut out: Vec<Path> = teller.worst("any pod", Who::AnyPod).into_iter().collect();
    out.extend(teller.worst("the kubelet", Who::Kubelet));
    let rules = ingress::rules(subject, seen);
    let mut told: Vec<&str> = Vec::new();
    for rule in &rules {
        let name = rule.ingress.name();
        // The rule of it that a finding is about comes first in the finding, too.
        if !told.contains(&name) && told.len() < MOST_INGRESSES {
            told.push(name);
            out.extend(teller.worst(&rule.object().short(), Who::Ingress(rule)));
        }
    }
    out.extend(unread(subject, seen));
    out
}

/// Whether there is an Ingress is not known.
fn unread(subject: &Subject, seen: &Snapshot) -> Option<Path> {
    let why = seen.list(Kind::Ingress, subject.namespace()).unreadable()?;
    let pod = subject.pods.first()?;
    let steps = vec![PathStep::not_known("ingress", format!("whether there is one: {why}"))];
    Some(Path::new("an Ingress", pod::reference(pod), steps))
}

struct Teller<'a> {
    subject: &'a Subject,
    seen: &'a Snapshot,
    found: &'a [Finding],
}

impl<'a> Teller<'a> {
    /// Of all pods the one whose way breaks first; where none does, the one of which least is known.
    fn worst(&self, who: &str, from: Who<'a>) -> Option<Path> {
        let paths = self.subject.pods.iter().map(|pod| self.path(who, from, pod));
        let broken = |path: &Path| path.steps.iter().position(|s| s.passage == Passage::Broken);
        let open =
            |path: &Path| path.steps.iter().filter(|s| s.passage == Passage::NotKnown).count();
        paths.min_by_key(|path| (broken(path).unwrap_or(usize::MAX), usize::MAX - open(path)))
    }

    fn path(&self, who: &str, from: Who<'a>, pod: &'a Value) -> Path {
        let Teller { subject, seen, found } = *self;
        let runs = runs::of(seen, pod, &subject.container);
        let service = service_of(subject, seen, found, from);
        let case = Case { subject, seen, found, from, pod, runs, service };
        let inner = [process::listens(&case), process::port(&case), process::probes(&case)];
        let mut steps: Vec<PathStep> = match from {
            Who::Client(of) => {
                answers::down(&case, of).into_iter().chain([service::name(&case)]).collect()
            }
            Who::AnyPod => vec![service::name(&case)],
            Who::Kubelet | Who::Ingress(_) => Vec::new(),
        };
        steps.extend(inner);
        if !matches!(from, Who::Kubelet) {
            steps.extend([service::service(&case), service::endpoints(&case)]);
            steps.push(policies::step(&case));
            let said = [answers::scheme(&case), answers::login(&case), answers::prefix(&case)];
            steps.extend(said);
        }
        match from {
            Who::Client(of) => steps.push(answers::url(&case, of)),
            Who::Ingress(rule) => steps.push(service::ingress(&case, rule)),
            Who::AnyPod | Who::Kubelet => {}
        }
        Path::new(who, pod::reference(pod), steps)
    }
}

/// The Service that is asked for: the client's own, the one that something is wrong with, one in
/// front.
fn service_of<'a>(
    subject: &'a Subject,
    seen: &'a Snapshot,
    found: &[Finding],
    from: Who<'a>,
) -> Option<&'a Value> {
    match from {
        Who::Kubelet => return None,
        Who::Ingress(rule) => return Some(rule.service),
        Who::Client(of) => {
            let asked = asked::judged(subject, seen, of).into_iter();
            if let Some(one) = asked.min_by_key(|one| one.wrong.is_none()) {
                return Some(one.service);
            }
        }
        Who::AnyPod => {}
    }
    let faulty = found.iter().find(|f| {
        let own = f.object.kind == Kind::Service && f.object.namespace == subject.namespace();
        own && f.code.class() == "bind" && f.severity == Severity::Error
    });
    let all = || seen.items(Kind::Service, subject.namespace());
    let faulty = faulty.and_then(|f| all().find(|s| s.name() == f.object.name));
    let plain = |s: &&Value| s.text("/spec/clusterIP") != "None";
    let in_front = || services::in_front(subject, seen);
    faulty.or_else(|| in_front().find(plain)).or_else(|| in_front().next())
}

/// One pod, asked by somebody.
struct Case<'a> {
    subject: &'a Subject,
    seen: &'a Snapshot,
    found: &'a [Finding],
    from: Who<'a>,
    pod: &'a Value,
    runs: Runs,
    service: Option<&'a Value>,
}

impl<'a> Case<'a> {
    /// What was found wrong with an object, by its code; a remark is no fault.
    fn fault(&self, code: Code, object: &ObjectRef) -> Option<&'a Finding> {
        let is = |f: &&Finding| f.code == code && f.object == *object;
        self.found.iter().filter(is).find(|f| f.severity != Severity::Info)
    }

    fn fault_of_pod(&self, code: Code) -> Option<&'a Finding> {
        self.fault(code, &pod::reference(self.pod))
    }

    fn fault_of_service(&self, code: Code) -> Option<&'a Finding> {
        let service = self.service?;
        self.fault(code, &ObjectRef::new(Kind::Service, service.namespace(), service.name()))
    }

    /// What keeps the pod from serving, of whatever class.
    fn stopped_by(&self) -> Option<Code> {
        let name = self.pod.name();
        let any = || self.found.iter().find(|f| f.stops.iter().any(|pod| pod == name));
        fold::root_of_pod(self.found, name).or_else(|| any().map(|f| f.code))
    }

    fn container(&self) -> Option<&'a Value> {
        let mut all = self.pod.list("/spec/containers").iter();
        all.find(|c| c.text("/name") == self.subject.container)
    }

    /// Why a listing of the namespace is not at hand.
    fn missing(&self, kind: Kind) -> Option<String> {
        match self.seen.list(kind, self.subject.namespace()) {
            Got::Known(_) | Got::Absent => None,
            Got::Unreadable(why) => Some(format!("{}: {why}", kind.plural())),
            Got::NotAsked => Some(format!("{}: not read", kind.plural())),
        }
    }
}

/// What a finding says; of what it says that, where it is not the pod that the way leads to.
fn broken(name: &'static str, finding: &Finding) -> PathStep {
    let says = match finding.object.kind {
        Kind::Pod => finding.says.clone(),
        _ => format!("{} {}", finding.object.short(), finding.says),
    };
    PathStep::broken(name, Some(finding.code), says)
}
