//! NetworkPolicies enforced for real between the pods of some namespaces: whether a pair may talk is
//! decided by a simulator that others wrote (tests/cluster/go/policy), and what it denies is dropped in
//! the node's FORWARD chain, which every packet between two pods crosses.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use super::api;
use crate::go;

/// Enforces until it is dropped.
pub struct Enforcer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    chain: String,
}

/// A port that is policed, and its protocol.
const PORTS: [(u16, &str); 2] = [(9090, "TCP"), (53, "UDP")];
const DNS: &str = "kube-system";

impl Enforcer {
    pub fn new(namespaces: &[&str]) -> Enforcer {
        Enforcer::with(namespaces, Vec::new())
    }

    /// Also policies that are no objects: what a plugin enforces by rules of its own.
    pub fn with(namespaces: &[&str], more: Vec<Value>) -> Enforcer {
        let folder = tempfile::tempdir().expect("a folder");
        let program = go::build("tests/cluster/go/policy", folder.path()).expect("go starts");
        let mut spaces: Vec<String> = namespaces.iter().map(|ns| (*ns).to_owned()).collect();
        // At most 28 letters.
        let tail = spaces[0].rsplit('-').take(2).collect::<Vec<_>>().join("-");
        let chain = format!("PROM-FIX-{tail}");
        SWEPT.call_once(sweep);
        iptables(&["-N", &chain]);
        iptables(&["-I", "FORWARD", "-j", &chain]);
        spaces.push(DNS.to_owned());
        let stop = Arc::new(AtomicBool::new(false));
        let (own, to) = (Arc::clone(&stop), chain.clone());
        let thread = std::thread::spawn(move || {
            let _folder = folder;
            let mut last = Vec::new();
            while !own.load(Ordering::SeqCst) {
                let denied = denied(&program, &spaces, &more);
                if denied != last {
                    enforce(&to, &denied);
                    last = denied;
                }
                std::thread::sleep(Duration::from_millis(300));
            }
        });
        Enforcer { stop, thread: Some(thread), chain }
    }
}

impl Drop for Enforcer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        iptables(&["-D", "FORWARD", "-j", &self.chain]);
        iptables(&["-F", &self.chain]);
        iptables(&["-X", &self.chain]);
    }
}

/// Packets that are dropped without a word until this is dropped.
pub struct Silence(String);

impl Silence {
    /// A pod that the node itself, and the API server on it, gets no answer from: what a policy does
    /// where the API server is elsewhere.
    pub fn new(address: &str) -> Silence {
        Silence::of(format!("OUTPUT -d {address} -p tcp --dport 9090 -j DROP"))
    }

    /// A pod that gets no answer from the API server.
    pub fn of_api_server(address: &str) -> Silence {
        Silence::of(format!("INPUT -s {address} -p tcp --dport 6443 -j DROP"))
    }

    fn of(rule: String) -> Silence {
        SWEPT.call_once(sweep);
        let silence = Silence(format!("{rule} -m comment --comment {OWN}{}", std::process::id()));
        silence.told("-I");
        silence
    }

    fn told(&self, act: &str) {
        iptables(&[act].into_iter().chain(self.0.split(' ')).collect::<Vec<_>>());
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.told("-D");
    }
}

/// On the node, which has a network of its own.
fn on_the_node(program: &str) -> Command {
    let node = std::env::var("PROM_FIX_NETNS").expect("tests/cluster/env names it");
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{node}")).arg(program);
    command
}

/// Before the number of the process that made a rule, in its comment.
const OWN: &str = "prom-fix-test-";

static SWEPT: Once = Once::new();

/// Takes away the rules that test programs left which were killed: the address that one of them silences
/// is another pod's by now.
fn sweep() {
    let said = on_the_node("iptables").args(["-w", "-S"]).output().expect("iptables is there");
    let rules = String::from_utf8_lossy(&said.stdout).into_owned();
    let is_left = |process: &str| {
        process.parse::<u32>().is_ok_and(|id| !Path::new("/proc").join(id.to_string()).exists())
    };
    let of_dead = |word: &str| {
        let chain = word.strip_prefix("PROM-FIX-").and_then(|rest| rest.split_once('-'));
        let process = word.strip_prefix(OWN).or(chain.map(|(_, process)| process));
        process.is_some_and(is_left)
    };
    let words = rules.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let dead: Vec<Vec<&str>> = words.filter(|line| line.iter().any(|word| of_dead(word))).collect();
    // What leads to a chain goes before the chain.
    let (chains, used): (Vec<_>, Vec<_>) = dead.into_iter().partition(|line| line[0] == "-N");
    for rule in used {
        iptables(&[&["-D"], &rule[1..]].concat());
    }
    for chain in chains {
        iptables(&["-X", chain[1]]);
    }
}

fn iptables(args: &[&str]) {
    let status = on_the_node("iptables").arg("-w").args(args).status().expect("iptables is there");
    assert!(status.success(), "iptables {args:?}");
}

/// All rules of the chain at once.
fn enforce(chain: &str, denied: &[String]) {
    let rules: Vec<String> =
        denied.iter().map(|pair| format!("-A {chain} {pair} -j DROP\n")).collect();
    let text = format!("*filter\n:{chain} - [0:0]\n{}COMMIT\n", rules.concat());
    let mut restore = on_the_node("iptables-restore");
    restore.args(["-w", "--noflush"]).stdin(Stdio::piped());
    let mut child = restore.spawn().expect("iptables-restore is there");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success(), "{text}");
}

fn items(kind: &str, namespaces: &[String]) -> Vec<Value> {
    let of = |ns: &String| {
        let path = api::path(ns, kind).expect("a kind that is asked often");
        let list = api::get_json(&path).unwrap_or_default();
        list["items"].as_array().cloned().unwrap_or_default()
    };
    namespaces.iter().flat_map(of).collect()
}

/// What is to be dropped, as matches of iptables; sorted.
fn denied(program: &std::path::Path, namespaces: &[String], more: &[Value]) -> Vec<String> {
    let pods = items("pod", namespaces);
    let mut policies = items("netpol", namespaces);
    policies.extend_from_slice(more);
    let end = |pod: &Value| {
        let name = pod["metadata"]["namespace"].clone();
        json!({
            "namespace": name, "labels": pod["metadata"]["labels"], "ip": pod["status"]["podIP"],
            "namespaceLabels": {"kubernetes.io/metadata.name": name},
        })
    };
    let mut pairs = Vec::new();
    let mut questions = String::new();
    let has_address = |pod: &&Value| pod["status"]["podIP"].is_string();
    for client in pods.iter().filter(has_address) {
        for server in pods.iter().filter(has_address).filter(|server| *server != client) {
            for (port, protocol) in PORTS {
                let question = json!({
                    "policies": policies, "client": end(client), "server": end(server),
                    "port": port, "portName": "", "protocol": protocol,
                });
                questions.push_str(&format!("{question}\n"));
                let ip = |pod: &Value| pod["status"]["podIP"].as_str().expect("one").to_owned();
                let proto = protocol.to_lowercase();
                let (from, to) = (ip(client), ip(server));
                pairs.push(format!("-s {from} -d {to} -p {proto} --dport {port}"));
            }
        }
    }
    let mut asked = Command::new(program);
    asked.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = asked.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("it wrote").expect("all");
    let text = String::from_utf8(output.stdout).expect("JSON");
    let rulings = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut denied: Vec<String> = pairs
        .into_iter()
        .zip(rulings)
        .filter(|(_, ruling)| ruling["ingress"] != true || ruling["egress"] != true)
        .map(|(pair, _)| pair)
        .collect();
    denied.sort();
    denied
}
