//! Our verdict on NetworkPolicies against a simulator that others wrote (tests/cluster/go/policy):
//! random sets of policies, random pairs of pods. Needs Go; `tests/run` runs it.

use std::io::Write;
use std::process::{Command, Stdio};

use prom_fix::subject::network::{Direction, End, Ruling, Way, rule};
use serde_json::{Value, json};

use crate::go;

const CASES: u64 = 4000;

/// SplitMix64 (Steele, Lea, Flood 2014): the same cases each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.roll() % of.len() as u64).expect("an index")].clone()
    }

    /// True once in `of` times.
    fn rare(&mut self, of: u64) -> bool {
        self.roll().is_multiple_of(of)
    }

    fn some<T>(&mut self, most: u64, mut each: impl FnMut(&mut Dice) -> T) -> Vec<T> {
        (0..self.roll() % (most + 1)).map(|_| each(self)).collect()
    }
}

const NAMESPACES: &[&str] = &["monitoring", "apps", "edge"];
const KEYS: &[&str] = &["app", "tier"];
const VALUES: &[&str] = &["prometheus", "grafana", "web"];
const ADDRESSES: &[&str] = &["10.1.0.7", "10.1.2.9", "192.168.4.4", "fd00::9"];
const BLOCKS: &[&str] = &["10.1.0.0/16", "10.1.0.0/24", "192.168.0.0/16", "0.0.0.0/0", "fd00::/8"];

fn labels(dice: &mut Dice) -> Value {
    let pairs = KEYS.iter().filter_map(|key| {
        let value = dice.one(VALUES);
        (!dice.rare(3)).then(|| ((*key).to_owned(), json!(value)))
    });
    Value::Object(pairs.collect())
}

fn selector(dice: &mut Dice) -> Value {
    let mut out = json!({});
    if dice.rare(2) {
        out["matchLabels"] = json!({ (dice.one(KEYS)): dice.one(VALUES) });
    }
    if dice.rare(3) {
        let key = dice.one(KEYS);
        out["matchExpressions"] = match dice.one(&["In", "NotIn", "Exists", "DoesNotExist"]) {
            way @ ("In" | "NotIn") => {
                json!([{"key": key, "operator": way, "values": [dice.one(VALUES), dice.one(VALUES)]}])
            }
            way => json!([{"key": key, "operator": way}]),
        };
    }
    out
}

fn peer(dice: &mut Dice) -> Value {
    if dice.rare(4) {
        let mut block = json!({"cidr": dice.one(BLOCKS)});
        if dice.rare(2) {
            block["except"] = json!([dice.one(&["10.1.0.0/28", "192.168.4.0/24", "10.1.2.0/24"])]);
        }
        return json!({"ipBlock": block});
    }
    match dice.roll() % 3 {
        0 => json!({"podSelector": selector(dice)}),
        1 => json!({"namespaceSelector": selector(dice)}),
        _ => json!({"podSelector": selector(dice), "namespaceSelector": selector(dice)}),
    }
}

fn port(dice: &mut Dice) -> Value {
    let protocol = dice.one(&["TCP", "TCP", "UDP"]);
    match dice.roll() % 5 {
        0 => json!({"protocol": protocol}),
        1 => json!({"protocol": protocol, "port": dice.one(&["web", "other"])}),
        2 => json!({"protocol": protocol, "port": 9000, "endPort": dice.one(&[9089, 9090, 9100])}),
        _ => json!({"protocol": protocol, "port": dice.one(&[9090, 9091])}),
    }
}

fn policy(dice: &mut Dice) -> Value {
    let rules = |dice: &mut Dice, peers: &str| {
        json!(dice.some(2, |dice| {
            let mut rule = json!({});
            if !dice.rare(4) {
                rule[peers] = json!(dice.some(3, peer));
            }
            if !dice.rare(3) {
                rule["ports"] = json!(dice.some(2, port));
            }
            rule
        }))
    };
    let types = dice.one(&[&["Ingress"][..], &["Egress"], &["Ingress", "Egress"]]);
    let mut policy = json!({
        "metadata": {"name": "p", "namespace": dice.one(NAMESPACES)},
        "spec": {
            "podSelector": selector(dice),
            "policyTypes": types,
            "ingress": rules(dice, "from"),
            "egress": rules(dice, "to"),
        },
    });
    if dice.rare(4) {
        policy["spec"].as_object_mut().expect("a spec").remove("policyTypes");
    }
    policy
}

/// With the types that the API server fills in where none are given
/// (kubernetes `pkg/apis/networking/v1/defaults.go`).
fn defaulted(policy: &Value) -> Value {
    let mut policy = policy.clone();
    if policy["spec"]["policyTypes"].is_null() {
        let goes_out = policy["spec"]["egress"].as_array().is_some_and(|rules| !rules.is_empty());
        let types = if goes_out { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
        policy["spec"]["policyTypes"] = types;
    }
    policy
}

/// A pod with its namespace, or an address.
fn end(dice: &mut Dice, outside: bool) -> Option<(Value, Value)> {
    if outside && dice.rare(6) {
        return None;
    }
    let name = dice.one(NAMESPACES);
    let pod = json!({
        "metadata": {"name": "pod", "namespace": name, "labels": labels(dice)},
        "spec": {"containers": [{"ports": [{"name": "web", "containerPort": 9090}]}]},
        "status": {"podIP": dice.one(ADDRESSES)},
    });
    Some((pod, json!({"metadata": {"name": name, "labels": labels(dice)}})))
}

struct Case {
    policies: Vec<Value>,
    client: Option<(Value, Value)>,
    client_address: &'static str,
    server: (Value, Value),
    port: u16,
    protocol: &'static str,
}

impl Case {
    fn random(dice: &mut Dice) -> Case {
        Case {
            policies: dice.some(4, policy),
            client: end(dice, true),
            client_address: dice.one(ADDRESSES),
            server: end(dice, false).expect("a pod"),
            port: dice.one(&[9090, 9090, 9091]),
            protocol: dice.one(&["TCP", "TCP", "TCP", "UDP"]),
        }
    }

    fn question(&self) -> Value {
        let end = |(pod, namespace): &(Value, Value)| {
            json!({
                "namespace": pod["metadata"]["namespace"],
                "namespaceLabels": namespace["metadata"]["labels"],
                "labels": pod["metadata"]["labels"],
                "ip": pod["status"]["podIP"],
            })
        };
        let client = self.client.as_ref().map_or_else(|| json!({"ip": self.client_address}), end);
        // The pod declares `web` for TCP only.
        let is_named = self.port == 9090 && self.protocol == "TCP";
        json!({
            "policies": self.policies.iter().map(defaulted).collect::<Vec<_>>(), "client": client, "server": end(&self.server),
            "port": self.port, "portName": if is_named { "web" } else { "" },
            "protocol": self.protocol,
        })
    }

    fn ours(&self, direction: Direction) -> (bool, bool) {
        let client = match &self.client {
            Some((pod, namespace)) => End::Pod { pod, namespace },
            None => End::Address(self.client_address.parse().expect("an address")),
        };
        let (pod, namespace) = &self.server;
        let server = End::Pod { pod, namespace };
        let way = Way { client, server, port: self.port, protocol: self.protocol };
        let policies: Vec<&Value> = self.policies.iter().collect();
        let ruling = rule(&policies, &way, direction);
        // The simulator takes an ipBlock for what it says, for pods too.
        (ruling.passes().unwrap_or(true), !matches!(ruling, Ruling::Open))
    }
}

#[test]
#[ignore = "needs Go: tests/run"]
fn verdicts_are_those_of_the_simulator() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = go::build("tests/cluster/go/policy", folder.path()).expect("go starts");

    let mut dice = Dice(20_261_125);
    let cases: Vec<Case> = (0..CASES).map(|_| Case::random(&mut dice)).collect();
    let mut asked = Command::new(&program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = asked.stdin.take().expect("a pipe");
    let lines: Vec<String> = cases.iter().map(|case| case.question().to_string()).collect();
    let writer = std::thread::spawn(move || writeln!(stdin, "{}", lines.join("\n")));
    let output = asked.wait_with_output().expect("it ends");
    writer.join().expect("it wrote").expect("all");
    let answers = String::from_utf8(output.stdout).expect("JSON");
    let answers: Vec<Value> =
        answers.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), cases.len());

    let mut told = std::collections::BTreeMap::new();
    for (case, answer) in cases.iter().zip(&answers) {
        for (direction, name) in [(Direction::Ingress, "ingress"), (Direction::Egress, "egress")] {
            let (passes, judged) = case.ours(direction);
            assert_eq!(passes, answer[name], "{name} of {:#}", case.question());
            *told.entry((name, passes, judged)).or_insert(0_u64) += 1;
        }
    }
    // Cases of one outcome only would prove nothing.
    assert!(told.values().all(|count| *count >= CASES / 20) && told.len() == 6, "{told:?}");
}
