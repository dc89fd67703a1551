//! The plan that makes Prometheus reachable: one address, one port, one selector, at the owner.

mod address;
mod policy;
mod probes;
mod service;
mod ways;

use serde_json::Value;

use super::check::address::{FORWARDED, GIVEN, HEARD};
use crate::model::object::{Kind, ObjectExt};
use crate::model::{Blocked, Finding, Next, ObjectRef, Plan, Severity, Snapshot};
use crate::subject::Subject;
use crate::subject::knock;
use crate::subject::repair::{self, Draft};
use crate::subject::rollout::Wanted;

/// The finding of this class that a plan is for.
pub(super) fn root(found: &[Finding]) -> Option<&Finding> {
    let own = |f: &&Finding| f.code.class() == "bind" && f.severity == Severity::Error;
    found.iter().filter(own).find(|f| f.because.is_none())
}

pub(super) fn next(
    subject: &Subject,
    seen: &Snapshot,
    found: &[Finding],
    client: Option<&ObjectRef>,
) -> Next {
    let Some(root) = root(found) else { return Next::Done };
    match plan(&Case { subject, seen, root, client }) {
        Ok(plan) => Next::Fix(plan),
        Err(blocked) => Next::Blocked(blocked),
    }
}

/// What a plan is made for.
struct Case<'a> {
    subject: &'a Subject,
    seen: &'a Snapshot,
    root: &'a Finding,
    client: Option<&'a ObjectRef>,
}

fn plan(case: &Case<'_>) -> Result<Plan, Blocked> {
    match case.root.code.0 {
        "bind/network-policy" => return policy::plan(case),
        "bind/client-down" => {
            let object = case.root.object.short();
            return Err(case.blocked(format!("why {object} does not run is not about Prometheus")));
        }
        "bind/client-address" => {
            let why =
                format!("the address is {}'s own, and not of Prometheus", case.root.object.short());
            return Err(case.blocked(why));
        }
        "bind/no-ready-endpoint" if case.root.because_down.is_some() => {
            return Err(case.unexplained());
        }
        _ => {}
    }
    if case.root.object.kind == Kind::Ingress {
        let why =
            format!("{} is not of Prometheus: who owns it says its port", case.root.object.short());
        return Err(case.blocked(why));
    }
    if case.root.object.kind == Kind::Service {
        return service::plan(case);
    }
    repair::has_template(
        case.subject,
        "the arguments and probes",
        "reach it as the platform has it: the route, or port 9091 with a token",
        "ask the vendor: its arguments are not yours to set",
    )?;
    match case.root.code.0 {
        "bind/loopback" | "bind/address-unusable" => address::plan(case),
        "bind/port-mismatch" | "bind/scheme-or-path" => probes::plan(case),
        _ => Err(case.blocked("what to change is not known")),
    }
}

impl<'a> Case<'a> {
    /// The pod that the finding is about.
    fn pod(&self) -> Option<&'a Value> {
        self.subject.pods.iter().find(|p| p.name() == self.root.object.name)
    }

    fn blocked(&self, why: impl Into<String>) -> Blocked {
        let code = self.root.code.0;
        let object = self.root.object.short();
        let fill = |way: &&str| way.replace("{object}", &object).replace("{code}", code);
        let ways = ways::of(code).iter().map(fill).collect();
        Blocked { ways, ..Blocked::no_safe_plan(why, &[]) }
    }

    /// Its pods are not ready, and no finding says why.
    fn unexplained(&self) -> Blocked {
        let pod = self.root.because_down.as_deref().unwrap_or_default();
        let (root, namespace) = (self.subject.root.short(), self.subject.namespace());
        let describe = format!("kubectl describe pod {pod} -n {namespace}");
        let unreached =
            |one: &&Value| one.name() == pod && knock::is_kept_away(self.subject, self.seen, one);
        if let Some(unreached) = self.subject.pods.iter().find(unreached) {
            let node = unreached.text("/spec/nodeName");
            let why = format!("pod/{pod} answers on its loopback, and {node} does not reach it");
            let ways = vec![knock::by_hand(self.subject, unreached), describe];
            return Blocked { ways, ..Blocked::no_safe_plan(why, &[]) };
        }
        let mut ways = vec![describe];
        if !self.seen.inside.consented {
            ways.insert(0, format!("kubectl prom-fix bind {root} -n {namespace} --inspect"));
        }
        let why = format!("pod/{pod} is not ready, and nothing that was read says why");
        Blocked { ways, ..Blocked::no_safe_plan(why, &[]) }
    }

    /// What it takes to come to the same plan again: a look, where only that shows the fault.
    fn inputs(&self) -> Vec<String> {
        let is = |field: &str| self.root.evidence.iter().any(|e| e.field == field);
        let by_look = is(FORWARDED) && !is(GIVEN) && !is(HEARD);
        if by_look { vec!["--inspect".into()] } else { Vec::new() }
    }

    /// The plan of a change that all pods get.
    fn draft(&self, title: String, wanted: Wanted) -> Result<Plan, Blocked> {
        let acts = repair::acts(self.subject, self.seen)?;
        let doubts = acts.doubt.into_iter().collect();
        let inputs = self.inputs();
        let draft = Draft { class: "bind", title, wanted, doubts, inputs };
        repair::plan(self.subject, self.seen, draft)
    }
}
