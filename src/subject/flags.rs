//! The command line of Prometheus as its pod spec gives it: the last word on where it stores,
//! listens and answers.

use serde_json::Value;

use crate::model::object::ObjectExt;

/// `WORKDIR` of the official images (prometheus Dockerfile).
const WORKDIR: &str = "/prometheus";
/// `--web.listen-address` where no flag names it (prometheus cmd/prometheus/main.go).
const LISTEN: &str = "0.0.0.0:9090";
const PORT: u16 = 9090;

/// What the arguments say. Arguments that come from `$(VAR)` of an unreadable source are left as
/// they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Every `--flag[=value]` in order, `--flag value` joined; names without dashes.
    pub all: Vec<(String, String)>,
    /// The container's own working directory; empty where the image's holds.
    pub workdir: String,
    /// Whether `command` or `args` is given at all: either replaces the image's default arguments.
    pub given: bool,
}

impl Flags {
    /// The flags of a container: `command` and `args` together.
    pub fn of(container: &Value) -> Flags {
        let command = container.list("/command");
        let given = container.list("/command").iter().chain(container.list("/args"));
        let mut words: Vec<String> = given
            .filter_map(Value::as_str)
            .map(|word| expand(word, container.list("/env")))
            .collect();
        if is_shell(command.first().and_then(Value::as_str).unwrap_or("")) {
            words = words.iter().flat_map(|word| shell_words(word)).collect();
        }
        Flags {
            given: !words.is_empty(),
            all: pairs(&words),
            workdir: container.text("/workingDir").into(),
        }
    }

    /// The flags that prometheus-operator gives to a container it has not made yet
    /// (prometheus-operator pkg/prometheus/promcfg.go `BuildCommonPrometheusArgs`,
    /// pkg/prometheus/server/statefulset.go, pkg/prometheus/agent/statefulset.go).
    pub fn of_resource(resource: &Value, agent: bool) -> Flags {
        let mut all = Vec::new();
        let mut set = |name: &str, value: &str| all.push((name.to_owned(), value.to_owned()));
        set(
            "web.route-prefix",
            resource.pointer("/spec/routePrefix").map_or("/", |p| p.as_str().unwrap_or("/")),
        );
        if !resource.text("/spec/externalUrl").is_empty() {
            set("web.external-url", resource.text("/spec/externalUrl"));
        }
        if resource.is_true("/spec/listenLocal") {
            set("web.listen-address", "127.0.0.1:9090");
        }
        set("web.enable-lifecycle", "");
        if agent {
            set("agent", "");
            set("storage.agent.path", "/prometheus");
        } else {
            set("storage.tsdb.path", "/prometheus");
        }
        for extra in resource.list("/spec/additionalArgs") {
            set(extra.text("/name"), extra.text("/value"));
        }
        Flags { all, workdir: String::new(), given: true }
    }

    /// The last value given to a flag; an on-off flag that is there has the value `""`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Every value of a repeatable flag.
    pub fn every<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Whether an on-off flag is on; the last of `--NAME` and `--no-NAME` counts.
    pub fn is_on(&self, name: &str) -> Option<bool> {
        self.all.iter().rev().find_map(|(n, value)| {
            if n == name {
                Some(value != "false")
            } else {
                (n.strip_prefix("no-") == Some(name)).then_some(false)
            }
        })
    }

    /// Every address Prometheus listens on.
    pub fn listen(&self) -> Vec<String> {
        let given: Vec<String> = self.every("web.listen-address").map(str::to_owned).collect();
        if given.is_empty() { vec![LISTEN.into()] } else { given }
    }

    /// Where Prometheus listens for the API server's proxy: 9090 unless a flag says otherwise. Of
    /// several addresses (2.55 and later) the last one that is not loopback.
    pub fn port(&self) -> u16 {
        let listen = self.listen();
        let outer = listen.iter().rev().find(|address| !is_loopback(address));
        let address = outer.or(listen.last()).map_or(LISTEN, String::as_str);
        let port = address.rsplit_once(':').map_or(address, |(_, port)| port);
        port.parse().unwrap_or(PORT)
    }

    /// The route prefix, with a leading and without a trailing slash: `/` or `/prom`. Its default
    /// is the path of the external URL (prometheus cmd/prometheus/main.go).
    pub fn prefix(&self) -> String {
        let path = match self.get("web.route-prefix") {
            Some(prefix) if !prefix.is_empty() => prefix,
            _ => self.get("web.external-url").map_or("", path_of),
        };
        format!("/{}", path.trim_matches('/'))
    }

    /// A path that begins with a slash, below the route prefix.
    pub fn below_prefix(&self, path: &str) -> String {
        format!("{}{path}", self.prefix().trim_end_matches('/'))
    }

    /// The data directory: `--storage.tsdb.path`, `--storage.agent.path`, or the default that
    /// holds where no argument names it: any argument replaces the image's `CMD`, which names
    /// `/prometheus`, and the program's own default is relative to its working directory.
    pub fn data_dir(&self, agent: bool) -> String {
        let (flag, own) = match agent {
            true => ("storage.agent.path", "data-agent"),
            false => ("storage.tsdb.path", "data"),
        };
        let path = match self.get(flag) {
            Some(path) if !path.is_empty() => path,
            _ if self.given => own,
            _ => return WORKDIR.into(),
        };
        let path = path.strip_prefix("./").unwrap_or(path);
        if path.starts_with('/') {
            let short = path.trim_end_matches('/');
            return if short.is_empty() { "/".into() } else { short.into() };
        }
        let workdir = if self.workdir.is_empty() { WORKDIR } else { &self.workdir };
        format!("{}/{}", workdir.trim_end_matches('/'), path.trim_end_matches('/'))
    }

    /// Agent mode: `--agent` since 3.0, a feature from 2.32 to 2.55.
    pub fn is_agent(&self) -> bool {
        self.is_on("agent") == Some(true) || self.has_feature("agent")
    }

    pub fn has_feature(&self, name: &str) -> bool {
        self.every("enable-feature").flat_map(|some| some.split(',')).any(|one| one == name)
    }
}

/// Whether an address answers only inside the pod.
pub fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host == "::1" || host.starts_with("127.")
}

/// The words of a command line as flags and values. Prometheus takes no arguments of its own, so
/// what follows a flag and is none is its value.
fn pairs(words: &[String]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
            continue;
        };
        if flag.is_empty() {
            continue;
        }
        if let Some((name, value)) = flag.split_once('=') {
            out.push((name.to_owned(), value.to_owned()));
        } else {
            let value = words.next_if(|next| !next.starts_with('-')).cloned();
            out.push((flag.to_owned(), value.unwrap_or_default()));
        }
    }
    out
}

/// `$(VAR)` replaced by literal values of the container's environment, as the kubelet does; `$$`
/// is an escaped `$` (k8s.io/kubernetes third_party/forked/golang/expansion).
fn expand(word: &str, env: &[Value]) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('(').and_then(|a| a.split_once(')'))
        {
            let value = env.iter().find(|e| e.text("/name") == name).and_then(|e| e.get("value"));
            match value.and_then(Value::as_str) {
                Some(value) => out.push_str(value),
                None => out.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn is_shell(program: &str) -> bool {
    matches!(program.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash"))
}

/// The words of a script, quotes dropped: enough to see the flags in `exec prometheus --a=b`.
fn shell_words(script: &str) -> Vec<String> {
    let words = script.split_whitespace().filter(|word| *word != "\\");
    words.map(|word| word.replace(['"', '\''], "")).collect()
}

/// The path of a URL, without query and fragment.
fn path_of(url: &str) -> &str {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or(""),
        None => url,
    };
    path.split(['?', '#']).next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn args(args: &[&str]) -> Flags {
        Flags::of(&json!({"args": args}))
    }

    #[test]
    fn command_and_args_are_joined_and_variables_expanded() {
        let flags = Flags::of(&json!({
            "command": ["/bin/prometheus", "--web.enable-lifecycle"],
            "args": ["--storage.tsdb.path", "$(DATA)", "--no-storage.tsdb.wal-compression", "--x=$(SECRET)", "--y=$$(DATA)"],
            "env": [{"name": "DATA", "value": "/d"}, {"name": "SECRET", "valueFrom": {}}],
        }));
        assert_eq!(flags.get("storage.tsdb.path"), Some("/d"));
        assert_eq!(flags.get("web.enable-lifecycle"), Some(""));
        assert_eq!(flags.get("x"), Some("$(SECRET)"));
        assert_eq!(flags.get("y"), Some("$(DATA)"));
        assert_eq!(flags.is_on("storage.tsdb.wal-compression"), Some(false));
    }

    #[test]
    fn the_data_directory_has_three_defaults() {
        assert_eq!(Flags::of(&json!({})).data_dir(false), "/prometheus");
        assert_eq!(args(&["--config.file=/a"]).data_dir(false), "/prometheus/data");
        assert_eq!(args(&["--agent"]).data_dir(true), "/prometheus/data-agent");
        assert_eq!(args(&["--storage.tsdb.path=/data/"]).data_dir(false), "/data");
        let moved = Flags::of(&json!({"args": ["--storage.tsdb.path=./db"], "workingDir": "/w"}));
        assert_eq!(moved.data_dir(false), "/w/db");
    }

    #[test]
    fn the_port_is_of_the_last_address_that_others_can_reach() {
        assert_eq!(args(&[]).port(), 9090);
        assert_eq!(args(&["--web.listen-address=:9091"]).port(), 9091);
        assert_eq!(
            args(&["--web.listen-address=[::]:1", "--web.listen-address=127.0.0.1:2"]).port(),
            1
        );
        assert_eq!(args(&["--web.listen-address=127.0.0.1:9092"]).port(), 9092);
    }

    #[test]
    fn the_prefix_comes_from_the_external_url_where_no_flag_gives_it() {
        assert_eq!(args(&[]).prefix(), "/");
        assert_eq!(args(&["--web.external-url=https://h:1/prom/?a"]).prefix(), "/prom");
        assert_eq!(
            args(&["--web.external-url=https://h/prom", "--web.route-prefix=/"]).prefix(),
            "/"
        );
        assert_eq!(args(&["--web.route-prefix=prom/"]).prefix(), "/prom");
    }

    #[test]
    fn an_agent_is_seen_in_both_eras() {
        assert!(args(&["--agent"]).is_agent());
        assert!(args(&["--enable-feature=expand-external-labels,agent"]).is_agent());
        assert!(!args(&["--enable-feature=agents"]).is_agent());
    }

    #[test]
    fn a_shell_script_still_shows_its_flags() {
        let flags = Flags::of(&json!({
            "command": ["/bin/sh", "-c", "exec prometheus \\\n --storage.tsdb.path='/x' --agent"],
        }));
        assert_eq!(flags.get("storage.tsdb.path"), Some("/x"));
    }
}
