//! A namespace to break things in, and hands to do it with: real kubectl, the real plugin.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api;

/// What a program said.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    fn of(output: Output) -> Said {
        Said {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts the exit number, and shows everything where it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Said {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }
}

/// One test's namespace; deleted when the test ends, kept where it failed.
pub struct Scene {
    pub ns: String,
    /// Where this machine's copies of receipts go.
    home: tempfile::TempDir,
    /// Whether somebody was given rights in the whole cluster.
    has_user: AtomicBool,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Scene {
    pub fn new(name: &str) -> Scene {
        let serial = NEXT.fetch_add(1, Ordering::SeqCst);
        let ns = format!("t-{name}-{}-{serial}", std::process::id());
        let namespace = json!({"metadata": {"name": ns}}).to_string();
        let (all, of) = ("/api/v1/namespaces", "application/json");
        api::patiently("POST", all, of, namespace.as_bytes()).expect("a namespace");
        let home = tempfile::tempdir().expect("a folder");
        Scene { ns, home, has_user: AtomicBool::new(false) }
    }

    /// Applies objects server-side, as the manager `helm`: who else owns a field is told.
    #[track_caller]
    pub fn apply(&self, yaml: &str) {
        if let Some(applied) = api::apply(&self.ns, yaml) {
            return applied.unwrap_or_else(|why| panic!("{why}\n{yaml}"));
        }
        let args = ["-n", &self.ns, "apply", "--server-side", "--field-manager=helm", "-f", "-"];
        kubectl_in(&args, yaml).expect(0);
    }

    /// Somebody else, with few rights.
    pub fn user(&self) -> String {
        self.has_user.store(true, Ordering::SeqCst);
        format!("alice-{}", self.ns)
    }

    pub fn kubectl(&self, args: &[&str]) -> Said {
        let mut all = vec!["-n", self.ns.as_str()];
        all.extend(args);
        kubectl(&all)
    }

    pub fn get(&self, what: &str) -> Value {
        match api::path(&self.ns, what) {
            Some(path) => api::get_json(&path).expect("it is there"),
            None => {
                let args = ["get", what, "-o", "json", "--show-managed-fields"];
                self.kubectl(&args).expect(0).json()
            }
        }
    }

    /// Runs the plugin in this namespace.
    pub fn plugin(&self, args: &[&str]) -> Said {
        self.plugin_with(args, &[])
    }

    /// What the plugin is told of where things are, however it is started.
    pub fn places(&self) -> [(&'static str, &Path); 2] {
        places(self.home.path())
    }

    pub fn plugin_with(&self, args: &[&str], env: &[(&str, &str)]) -> Said {
        self.plugin_at(self.home.path(), args, env)
    }

    /// Runs it as on another machine, which keeps no copies of anything.
    pub fn elsewhere(&self, args: &[&str]) -> Said {
        let home = tempfile::tempdir().expect("a folder");
        self.plugin_at(home.path(), args, &[])
    }

    fn plugin_at(&self, home: &Path, args: &[&str], env: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-prom-fix"));
        command.args(args).args(["-n", &self.ns]).envs(env.iter().copied());
        command.envs(places(home));
        Said::of(command.stdin(Stdio::null()).output().expect("the plugin starts"))
    }

    /// The field of a pod, empty where there is none.
    pub fn field(&self, what: &str, path: &str) -> String {
        match api::path(&self.ns, what) {
            Some(at) => {
                api::get_json(&at).map_or_else(|_| String::new(), |of| api::value(&of, path))
            }
            None => {
                let said = self.kubectl(&["get", what, "-o", &format!("jsonpath={{{path}}}")]);
                said.stdout.trim().to_owned()
            }
        }
    }

    /// The folder on the node that is behind a claim.
    pub fn folder(&self, claim: &str) -> PathBuf {
        let volume = self.field(&format!("pvc/{claim}"), ".spec.volumeName");
        let of = api::get_json(&format!("/api/v1/persistentvolumes/{volume}")).expect("a volume");
        let at = [".spec.local.path", ".spec.hostPath.path"].map(|path| api::value(&of, path));
        PathBuf::from(at.concat())
    }

    #[track_caller]
    pub fn until_ready(&self, pod: &str, seconds: u64) {
        until(&format!("{pod} is Ready"), seconds, || self.is_ready(&format!("pod/{pod}")));
    }

    /// Whether an object says of itself that it is.
    pub fn is_ready(&self, what: &str) -> bool {
        self.field(what, ".status.conditions[?(@.type==\"Ready\")].status") == "True"
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept namespace {} of the failed test", self.ns);
            return;
        }
        let _ = api::send("DELETE", &format!("/api/v1/namespaces/{}", self.ns), "", Vec::new());
        if !self.has_user.load(Ordering::SeqCst) {
            return;
        }
        let kinds = "clusterroles,clusterrolebindings";
        let _ = kubectl(&["delete", kinds, &self.user(), "--ignore-not-found", "--wait=false"]);
    }
}

/// Its copies, and the agents, which krew/agent made: `tests/run` runs it first.
fn places(home: &Path) -> [(&'static str, &Path); 2] {
    let agents = concat!(env!("CARGO_MANIFEST_DIR"), "/target/agents");
    [("PROM_FIX_HOME", home), ("PROM_FIX_AGENT_DIR", Path::new(agents))]
}

pub fn kubectl(args: &[&str]) -> Said {
    kubectl_in(args, "")
}

pub fn kubectl_in(args: &[&str], input: &str) -> Said {
    run(Command::new("kubectl").args(args), input)
}

pub fn run(command: &mut Command, input: &str) -> Said {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is on the PATH: eval \"$(tests/cluster/env)\"");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads its input");
    Said::of(child.wait_with_output().expect("it ends"))
}

/// Polls until it holds, or fails with what was waited for.
#[track_caller]
pub fn until(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(seconds), "not in {seconds} s: {what}");
        pause(began);
    }
}

/// Between two looks, the longer the longer it takes: some cost a start of kubectl or of the plugin,
/// and tests that run side by side share two cores.
pub fn pause(began: Instant) {
    let quarter = began.elapsed() / 4;
    std::thread::sleep(quarter.clamp(Duration::from_millis(200), Duration::from_millis(1500)));
}

/// An object without what any write or the passing of time changes.
pub fn essence(object: &Value) -> Value {
    let mut out = object.clone();
    for pointer in ["/metadata/resourceVersion", "/metadata/generation", "/status"] {
        remove(&mut out, pointer);
    }
    if let Some(fields) = out.pointer_mut("/metadata/managedFields").and_then(Value::as_array_mut) {
        fields.retain(|entry| entry.get("subresource").is_none());
        for entry in fields.iter_mut() {
            remove(entry, "/time");
        }
        fields.sort_by_key(std::string::ToString::to_string);
    }
    if let Some(notes) = out.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        notes.remove("deployment.kubernetes.io/revision");
        if notes.is_empty() {
            remove(&mut out, "/metadata/annotations");
        }
    }
    out
}

fn remove(object: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    if let Some(map) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
        map.remove(name);
    }
}
