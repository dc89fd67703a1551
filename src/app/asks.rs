//! What one run asks of the world, round after round, in as few rounds and requests as there can
//! be: a report is about twenty requests in four rounds at most, which `asks_tests` holds.

use super::{Ask, examine};
use crate::classes::{self, Class, Job};
use crate::model::fact::Got;
use crate::model::finding::{Finding, Unknown};
use crate::model::plan::{Action, Next, Plan};
use crate::model::{Code, Kind, Need, Snapshot, receipt, rules};
use crate::subject::{Subject, discover};

/// All that is to be read, given what was seen.
pub fn of(ask: &Ask<'_>, scope: Option<&str>, seen: &Snapshot) -> Vec<Need> {
    let mut needs = discover::needs(ask.target, scope, seen);
    if !ask.proving {
        // The cluster's own name, and plans that somebody left open.
        needs.extend([Need::object(Kind::Namespace, "", "kube-system"), receipts(scope)]);
    }
    if let Ok(subjects) = discover::find(ask.target, scope, seen) {
        for subject in &subjects {
            needs.extend(of_one(subject, ask, seen));
        }
    }
    needs
}

pub fn receipts(namespace: Option<&str>) -> Need {
    Need::List {
        kind: Kind::ConfigMap,
        namespace: namespace.map(str::to_owned),
        labels: format!("{}={}", receipt::MANAGED_BY, receipt::MANAGER),
    }
}

/// What all classes need of one Prometheus and, as soon as there is a root, what its class needs
/// for the repair and what the person may do. All at once: a pod that was killed for memory says
/// so before its log is read, and a round costs more than a question asked in vain.
fn of_one(subject: &Subject, ask: &Ask<'_>, seen: &Snapshot) -> Vec<Need> {
    let namespace = subject.namespace();
    if subject.pods.is_empty() && matches!(seen.list(Kind::Pod, namespace), Got::NotAsked) {
        return Vec::new();
    }
    let jobs = classes::ALL.iter().map(|class| class.job(subject, ask.given));
    if ask.proving {
        return jobs.flat_map(|job| job.needs_to_prove(seen)).collect();
    }
    let mut needs: Vec<Need> = jobs.flat_map(|job| job.needs(seen)).collect();
    if let Some(class) = asked_class(ask) {
        needs.extend(class.job(subject, ask.given).needs_when_asked(seen));
    }
    let (verdict, root) = examine::joined(subject, ask, seen);
    // Where another class is to blame no plan is made.
    if root.is_some_and(|root| ask.class.is_some_and(|class| class != class_name(root))) {
        return needs;
    }
    let (fix, next) = match root.and_then(class_of).map(|class| class.job(subject, ask.given)) {
        Some(job) => (job.needs_to_fix(seen, &verdict.findings), job.next(seen, &verdict.findings)),
        None => (Vec::new(), unfounded(ask, subject, seen)),
    };
    let plan = match next {
        Next::Fix(plan) => Some(plan),
        // It is made only where that was allowed, and there is something to look with.
        Next::Look(look) if !seen.inside.agents.is_empty() => Some(look.plan),
        Next::Done | Next::Wait(_) | Next::Look(_) | Next::Blocked(_) => None,
    };
    if fix.is_empty() && plan.is_none() {
        return needs;
    }
    needs.extend(fix);
    let rules = Need::Rules { namespace: namespace.to_owned() };
    if seen.asked(&rules) {
        needs.extend(
            plan.iter().flat_map(verbs).filter_map(|(need, name)| {
                rules::may(seen, &need, &name).is_none().then_some(need)
            }),
        );
    } else {
        needs.push(rules);
    }
    needs
}

/// The look that the class asks for whose command was typed, where nothing was found.
pub fn unfounded(ask: &Ask<'_>, subject: &Subject, seen: &Snapshot) -> Next {
    let look = asked_class(ask).and_then(|class| class.job(subject, ask.given).look(seen));
    look.map_or(Next::Done, Next::Look)
}

/// The class whose command was typed.
pub fn asked_class(ask: &Ask<'_>) -> Option<&'static dyn Class> {
    classes::ALL.iter().find(|class| ask.class == Some(class.name())).copied()
}

pub fn class_of(code: Code) -> Option<&'static dyn Class> {
    classes::ALL
        .iter()
        .find(|c| c.name() == code.class() || c.docs().iter().any(|d| d.code == code))
        .copied()
}

/// The name of the class that a code is of; its own first part where none knows it.
pub fn class_name(code: Code) -> &'static str {
    class_of(code).map_or(code.class(), |class| class.name())
}

/// Each verb of the plan, and the name of the object it is for.
fn verbs(plan: &Plan) -> Vec<(Need, String)> {
    let mut out = Vec::new();
    for step in &plan.steps {
        let verb = match &step.action {
            Action::Patch { .. } => "patch",
            Action::Create { .. } => "create",
            Action::Delete { .. } => "delete",
            Action::Exec { .. } | Action::Wait { .. } => continue,
        };
        let object = step.action.object();
        let namespace = object.namespace.clone();
        let need = Need::May { verb, kind: object.kind, subresource: "", namespace };
        out.push((need, object.name.clone()));
    }
    out
}

/// Verbs of the plan that the person may not use.
pub fn lacks(plan: &Plan, seen: &Snapshot) -> Vec<String> {
    let refused = |(need, name): &(Need, String)| rules::may(seen, need, name) == Some(false);
    let mut out: Vec<String> =
        verbs(plan).iter().filter(|verb| refused(verb)).filter_map(|(n, _)| said(n)).collect();
    out.sort();
    out.dedup();
    out
}

fn said(need: &Need) -> Option<String> {
    let Need::May { verb, kind, namespace, .. } = need else { return None };
    Some(format!("{verb} {} in {namespace}", kind.plural()))
}

/// What is not known of the right to carry a plan out, and to keep its receipt.
pub fn doubts(plan: &Plan, seen: &Snapshot) -> Vec<Unknown> {
    let open = |(need, name): &(Need, String)| {
        rules::may(seen, need, name).is_none() && !seen.facts.contains_key(need)
    };
    let rights = verbs(plan).into_iter().filter(open).filter_map(|(need, _)| {
        let Need::May { verb, kind, namespace, .. } = &need else { return None };
        Some(Unknown {
            need: format!("whether you may {}", said(&need)?),
            why: CUT_OFF.into(),
            get: format!("kubectl auth can-i {verb} {} -n {namespace}", kind.plural()),
            vital: false,
        })
    });
    let namespace = &plan.target.namespace;
    let receipt = ["create", "update"].into_iter().find(|verb| {
        let may = |verb| Need::May {
            verb,
            kind: Kind::ConfigMap,
            subresource: "",
            namespace: namespace.clone(),
        };
        rules::may(seen, &may(verb), &receipt::name(&plan.digest())) == Some(false)
    });
    // Of one who may not carry the plan out at all, no receipt is expected.
    let receipt = receipt.filter(|_| lacks(plan, seen).is_empty()).map(|verb| Unknown {
        need: "a place for the receipt where others see it".into(),
        why: format!("you may not {verb} configmaps in {namespace}"),
        get: "the verbs create and update on configmaps".into(),
        vital: false,
    });
    rights.chain(receipt).collect()
}

const CUT_OFF: &str = "not read: too many rounds of questions";

/// What the root's class wanted to know and was not asked: a plan must not look checked by it.
pub fn cut_off(job: &dyn Job, seen: &Snapshot, found: &[Finding]) -> Vec<Unknown> {
    let mut needs = job.needs(seen);
    needs.extend(job.needs_to_fix(seen, found));
    needs.sort();
    needs.dedup();
    needs.into_iter().filter(|need| !seen.asked(need)).filter_map(|need| unread(&need)).collect()
}

fn unread(need: &Need) -> Option<Unknown> {
    let within = |namespace: &str| match namespace {
        "" => String::new(),
        name => format!(" -n {name}"),
    };
    let (what, get) = match need {
        Need::Object(of) => {
            let get = format!("kubectl get {}{}", of.short(), within(&of.namespace));
            (of.short(), get)
        }
        Need::List { kind, namespace, .. } => {
            let all = if kind.namespaced() { " -A" } else { "" };
            let scope = namespace.as_deref().map_or(all.to_owned(), within);
            (kind.plural().to_owned(), format!("kubectl get {}{scope}", kind.plural()))
        }
        Need::Nodes { .. } => ("nodes".to_owned(), "kubectl get nodes".to_owned()),
        Need::PodsOn { node } => {
            (format!("pods on node {node}"), format!("kubectl describe node {node}"))
        }
        Need::PodsBut { .. } => {
            ("pods on the other nodes".to_owned(), "kubectl describe nodes".to_owned())
        }
        Need::Log { namespace, pod, container, previous } => {
            let which = if *previous { " --previous" } else { "" };
            let get = format!("kubectl logs pod/{pod} -c {container}{which} -n {namespace}");
            (format!("log of pod/{pod}{which}"), get)
        }
        Need::Http { namespace, pod, port, path } => {
            let at = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}");
            (format!("{path} of pod/{pod}"), format!("kubectl get --raw \"{at}\""))
        }
        Need::Addresses { namespace, secret } => {
            (format!("secret/{secret}"), format!("kubectl get secret {secret} -n {namespace}"))
        }
        Need::Forward { namespace, pod, port, path } => {
            let get = format!("kubectl port-forward pod/{pod} {port} -n {namespace}");
            (format!("{path} of the loopback of pod/{pod}"), get)
        }
        Need::May { .. } | Need::Rules { .. } => return None,
    };
    Some(Unknown { need: what, why: CUT_OFF.into(), get, vital: false })
}
