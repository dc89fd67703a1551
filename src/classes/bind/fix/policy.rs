//! A policy more, for this client and this port: none that is there is touched.

use serde_json::{Value, json};

use super::super::check::policies::{DIRECTIONS, IN_ITS_STEAD, RULES, Scene, scene};
use super::super::client;
use super::Case;
use crate::model::object::{Kind, ObjectRef};
use crate::model::plan::{Action, Step, Undo};
use crate::model::receipt::{MANAGED_BY, MANAGER};
use crate::model::{Blocked, Plan};
use crate::subject::network::{Direction, Ruling};
use crate::subject::{commit, repair};

pub(super) fn plan(case: &Case<'_>) -> Result<Plan, Blocked> {
    let of = case.client.ok_or_else(|| case.blocked("which client it is for was not said"))?;
    let scene = scene(case.subject, case.seen, of)
        .map_err(|unknown| case.blocked(format!("{}: {}", unknown.need, unknown.why)))?;
    if let Some(blocked) = not_ours(case, &scene) {
        return Err(blocked);
    }
    let denied = |direction| {
        let pods = case.subject.pods.iter();
        pods.filter(|pod| matches!(scene.ruling(pod, direction), Ruling::Denied(_))).count()
    };
    // A policy on pods that none selected would close them to everybody else.
    let some = |count: usize| count > 0 && count < case.subject.pods.len();
    if DIRECTIONS.into_iter().any(|direction| some(denied(direction))) {
        let name = case.root.object.short();
        let why = "only some of its pods are closed to it: a policy for all would close the others \
                   to everybody else";
        let ways = [
            format!("take {name} away, if nobody needs it any more, or let this client in there:"),
            format!("kubectl get {name} -n {} -o yaml", case.root.object.namespace),
        ];
        return Err(Blocked { ways: ways.into(), ..case.blocked(why) });
    }
    // The same of the client: a policy for its way out is on all its pods.
    if case.subject.pods.iter().any(|pod| scene.divides(pod, Direction::Egress)) {
        return Err(case.blocked(
            "only some of the client's pods are kept in, and the others may be open: give all the \
             same labels first",
        ));
    }
    let denies = |direction| denied(direction) > 0;
    let known = || case.blocked("the pods of one end are known by no label of their own");
    let [workload] = case.subject.workloads.as_slice() else {
        return Err(case.blocked("it has several workloads, each with labels of its own"));
    };
    let server = client::labels(workload).ok_or_else(known)?;
    let object = case.seen.object(of).known().ok_or_else(known)?;
    let client = client::labels(object).ok_or_else(known)?;
    let ends = Ends { case, of, server, client };
    let mut steps = Vec::new();
    let mut commits = Vec::new();
    for direction in DIRECTIONS.into_iter().filter(|direction| denies(*direction)) {
        let policy = ends.policy(direction, &scene.to_dns());
        if policy.namespace != case.subject.namespace() {
            return Err(ends.elsewhere(&policy));
        }
        steps.push(policy.step());
        commits.push(commit::manifest("a manifest beside the other policies", &policy.body()));
    }
    if steps.is_empty() {
        return Err(case.blocked("no policy keeps this client away"));
    }
    let title =
        format!("let {} -n {} reach port {}", of.short(), of.namespace, case.subject.flags.port());
    let mut plan = repair::beside(case.subject, case.seen, "bind", &title, steps);
    plan.undo = "yes: the policy is deleted; nothing restarts".into();
    plan.commit = commits;
    plan.inputs = vec!["--client".into(), format!("{}/{}", of.namespace, of.short())];
    Ok(plan)
}

/// What keeps it away is no NetworkPolicy, as far as these can be judged: one more may change nothing of
/// it.
fn not_ours(case: &Case<'_>, scene: &Scene<'_>) -> Option<Blocked> {
    let evidence = |field: &str| case.root.evidence.iter().find(|one| one.field == field);
    evidence(IN_ITS_STEAD)?;
    let rulings = |pod| DIRECTIONS.map(|direction| scene.ruling(pod, direction));
    let mut rulings = case.subject.pods.iter().flat_map(rulings);
    let open = rulings.find_map(|ruling| match ruling {
        Ruling::Plugin(why) => Some(why),
        Ruling::Open | Ruling::Allowed(_) | Ruling::Denied(_) => None,
    });
    let why = match open {
        Some(why) => format!("whether a NetworkPolicy keeps it away is not known: {why}"),
        None => {
            "no NetworkPolicy keeps it away: a rule of the network plugin, of a firewall or of \
                 the administrator does"
                .to_owned()
        }
    };
    let way = match evidence(RULES) {
        Some(rules) => format!("let this client in on this port there: {}", rules.value),
        None => "ask who runs the network plugin what it drops between the two pods".to_owned(),
    };
    let log = "its log of drops says which rule it was";
    let log = format!("on the node of {}, {log}", case.root.object.short());
    Some(Blocked { ways: vec![way, log], ..case.blocked(why) })
}

/// Both ends, by the labels of their pods.
struct Ends<'a> {
    case: &'a Case<'a>,
    of: &'a ObjectRef,
    server: Value,
    client: Value,
}

impl Ends<'_> {
    fn policy(&self, direction: Direction, dns: &Ruling<'_>) -> Policy<'_> {
        let Ends { case, of, server, client } = self;
        let own = case.subject.namespace();
        let port = json!([{"port": case.subject.flags.port(), "protocol": "TCP"}]);
        let pair = format!("{}-{}-to-{}", of.namespace, of.name, case.subject.root.name);
        let pair: String = pair.chars().take(200).collect();
        let pair = pair.trim_end_matches(['-', '.']);
        match direction {
            Direction::Ingress => Policy {
                name: format!("prom-fix-allow-{pair}"),
                namespace: own,
                selects: server,
                direction,
                rules: json!([{"from": [peer(client, &of.namespace, case)], "ports": port}]),
            },
            Direction::Egress => Policy {
                name: format!("prom-fix-allow-{pair}-out"),
                namespace: &of.namespace,
                selects: client,
                direction,
                rules: outwards(dns, &peer(server, own, case), &port),
            },
        }
    }

    /// What somebody else has to make.
    fn elsewhere(&self, policy: &Policy<'_>) -> Blocked {
        let namespace = &self.of.namespace;
        let why = format!(
            "a policy of namespace {namespace} does not let it out, and a plan changes only the \
             namespace of its target"
        );
        let ways = vec![
            format!("who may write in {namespace} makes one policy more there (bash or zsh):"),
            format!("kubectl create -f - <<< '{}'", policy.body()),
        ];
        Blocked { ways, ..self.case.blocked(why) }
    }
}

struct Policy<'a> {
    name: String,
    namespace: &'a str,
    selects: &'a Value,
    direction: Direction,
    rules: Value,
}

impl Policy<'_> {
    fn body(&self) -> Value {
        let (kind, field) = match self.direction {
            Direction::Ingress => ("Ingress", "ingress"),
            Direction::Egress => ("Egress", "egress"),
        };
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {
                "name": self.name, "namespace": self.namespace, "labels": {MANAGED_BY: MANAGER},
            },
            "spec": {
                "podSelector": {"matchLabels": self.selects},
                "policyTypes": [kind],
                (field): self.rules,
            },
        })
    }

    fn step(&self) -> Step {
        Step {
            why: "a policy more; those that are there stay as they are".into(),
            action: Action::Create {
                object: ObjectRef::new(Kind::NetworkPolicy, self.namespace, &self.name),
                body: self.body(),
            },
            undo: Undo::Delete,
        }
    }
}

/// Pods by their labels, in a namespace by its name.
fn peer(labels: &Value, namespace: &str, case: &Case<'_>) -> Value {
    let pods = json!({"matchLabels": labels});
    let other = case.client.is_some_and(|of| of.namespace != case.subject.namespace());
    if !other {
        return json!({"podSelector": pods});
    }
    let space = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
    json!({"podSelector": pods, "namespaceSelector": space})
}

/// To Prometheus, and where nothing lets it ask for names, to the cluster's DNS.
fn outwards(dns: &Ruling<'_>, server: &Value, port: &Value) -> Value {
    let mut rules = vec![json!({"to": [server], "ports": port})];
    if matches!(dns, Ruling::Denied(_)) {
        let ports = [("UDP", 53), ("TCP", 53)].map(|(p, n)| json!({"protocol": p, "port": n}));
        rules.push(json!({
            "to": [{
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }],
            "ports": ports,
        }));
    }
    json!(rules)
}
