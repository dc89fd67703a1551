//! From flags and kubeconfig to a client: kubectl's own flags with kubectl's meaning.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http::HeaderValue;
use http::header::USER_AGENT;
use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

pub use super::failure::ConnectError;
use super::failure::{Failure, first_line};
use super::outage::Outage;
use super::proxy;
use super::{certificate, configure};
use crate::model::report::Context;

/// kubectl's own flags.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub struct KubeFlags {
    /// Namespace to look in
    #[arg(short = 'n', long, global = true, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Look in all namespaces
    #[arg(short = 'A', long, global = true)]
    pub all_namespaces: bool,
    /// Only objects with these labels (a=b,c!=d)
    #[arg(short = 'l', long, global = true, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Kubeconfig context to use
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Kubeconfig file to use
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Kubeconfig cluster to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub cluster: Option<String>,
    /// Kubeconfig user to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub user: Option<String>,
    /// Address of the API server
    #[arg(short = 's', long, global = true, value_name = "URL", hide_short_help = true)]
    pub server: Option<String>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER", hide_short_help = true)]
    pub as_user: Option<String>,
    /// Group to impersonate; may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP", hide_short_help = true)]
    pub as_group: Vec<String>,
    /// UID to impersonate
    #[arg(long = "as-uid", global = true, value_name = "UID", hide_short_help = true)]
    pub as_uid: Option<String>,
    /// Bearer token for the API server
    #[arg(long, global = true, value_name = "TOKEN", hide_short_help = true)]
    pub token: Option<String>,
    /// Longest wait for one answer (30s, 2m; 0 = for ever)
    #[arg(long, global = true, value_name = "DURATION", value_parser = go_duration)]
    #[arg(hide_short_help = true)]
    pub request_timeout: Option<Duration>,
    /// Name to check the server's certificate against
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub tls_server_name: Option<String>,
    /// Certificate authority of the API server
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub certificate_authority: Option<PathBuf>,
    /// Client certificate for TLS
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub client_certificate: Option<PathBuf>,
    /// Client key for TLS
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub client_key: Option<PathBuf>,
    /// Do not check the server's certificate: insecure
    #[arg(long, global = true, hide_short_help = true)]
    pub insecure_skip_tls_verify: bool,
}

/// A client, where it goes, and the namespace meant where none was given.
pub struct Connected {
    pub client: Client,
    pub context: Context,
    pub namespace: String,
    /// When the client certificate in use ends.
    pub ends: Option<Timestamp>,
    /// Longest wait for one answer; `None` is for ever.
    pub timeout: Option<Duration>,
    /// What the client makes of an API server that is away.
    pub outage: Arc<Outage>,
}

/// Without `--request-timeout`: long enough for a page of 500 pods over a slow link, short enough
/// for a person. kubectl waits for ever.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Makes the client. Runs credential plugins; sends no request yet.
pub async fn connect(flags: &KubeFlags) -> Result<Connected, ConnectError> {
    if flags.as_user.is_none() && (!flags.as_group.is_empty() || flags.as_uid.is_some()) {
        return Err(ConnectError::GroupWithoutUser);
    }
    let (mut config, mut context) = configuration(flags).await?;
    let timeout = match flags.request_timeout {
        None => Some(ANSWER_WITHIN),
        Some(Duration::ZERO) => None,
        Some(given) => Some(given),
    };
    let agent = concat!("kubectl-prom_fix/", env!("CARGO_PKG_VERSION"));
    config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
    config.connect_timeout = Some(timeout.map_or(CONNECT_WITHIN, |t| t.min(CONNECT_WITHIN)));
    config.read_timeout = timeout;
    config.reset_reader_on_write = true;
    // kube would retry each 503 for seconds, but a Prometheus in replay answers 503 through the
    // pod proxy, and that is the fact wanted.
    config.default_retry = false;
    let ends = certificate::ends(&config.auth_info);
    context.server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let namespace = flags.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let namespace = if namespace.is_empty() { "default".to_owned() } else { namespace };
    let user = context.user.clone();
    let client = Client::try_from(config).map_err(|error| match Failure::of(&error) {
        Failure::Credentials(why) => ConnectError::Credentials { user, why },
        _ => ConnectError::Setup { why: first_line(&error.to_string()) },
    })?;
    let outage = Outage::new(timeout);
    let client = outage.over(client, &namespace);
    Ok(Connected { client, context, namespace, ends, timeout, outage })
}

async fn configuration(flags: &KubeFlags) -> Result<(Config, Context), ConnectError> {
    let (found, tried) = read_kubeconfigs(flags)?;
    if found.is_none() && flags.server.is_none() {
        return in_cluster(flags, tried);
    }
    let chosen = configure::choose(found.unwrap_or_default(), flags)?;
    let options = KubeConfigOptions { context: Some(chosen.context), ..Default::default() };
    let clusters = chosen.kubeconfig.clusters.iter();
    let own_proxy = clusters.filter_map(|c| c.cluster.as_ref()?.proxy_url.as_ref()).count() > 0;
    let mut config = Config::from_custom_kubeconfig(chosen.kubeconfig, &options)
        .await
        .map_err(|error| ConnectError::Setup { why: first_line(&error.to_string()) })?;
    let no_proxy = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy"));
    let host = config.cluster_url.host().unwrap_or_default();
    if !own_proxy && proxy::is_direct(host, &no_proxy.unwrap_or_default()) {
        config.proxy_url = None;
    }
    Ok((config, chosen.shown))
}

fn in_cluster(flags: &KubeFlags, tried: String) -> Result<(Config, Context), ConnectError> {
    if let Some(name) = &flags.context {
        return Err(ConnectError::UnknownContext { name: name.clone(), known: "none".into() });
    }
    let mut config = Config::incluster().map_err(|_| ConnectError::NothingConfigured { tried })?;
    configure::credentials(&mut config.auth_info, flags);
    config.accept_invalid_certs |= flags.insecure_skip_tls_verify;
    if flags.tls_server_name.is_some() {
        config.tls_server_name.clone_from(&flags.tls_server_name);
    }
    let shown = Context {
        name: "in-cluster".into(),
        user: configure::person("the pod's service account", flags),
        flags: configure::repeat(None, flags),
        ..Context::default()
    };
    Ok((config, shown))
}

/// The merged kubeconfig, or none with the names of the files that are not there. As with
/// kubectl, a file of the KUBECONFIG list may be missing; one given by flag may not.
fn read_kubeconfigs(flags: &KubeFlags) -> Result<(Option<Kubeconfig>, String), ConnectError> {
    if let Some(path) = &flags.kubeconfig {
        if !path.exists() {
            return Err(ConnectError::KubeconfigMissing { path: path.display().to_string() });
        }
        return Ok((Some(read_kubeconfig(path)?), String::new()));
    }
    let paths = default_paths();
    let tried = paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| path.exists()) {
        let next = read_kubeconfig(path)?;
        merged = Some(match merged {
            None => next,
            Some(first) => first.merge(next).map_err(|error| invalid(path, &error))?,
        });
    }
    Ok((merged, if tried.is_empty() { "~/.kube/config".into() } else { tried }))
}

fn default_paths() -> Vec<PathBuf> {
    let listed: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
        .map(|list| std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    if !listed.is_empty() {
        return listed;
    }
    std::env::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect()
}

fn read_kubeconfig(path: &Path) -> Result<Kubeconfig, ConnectError> {
    Kubeconfig::read_from(path).map_err(|error| invalid(path, &error))
}

fn invalid(path: &Path, error: &KubeconfigError) -> ConnectError {
    let why = match error {
        KubeconfigError::ReadConfig(why, _) => why.to_string(),
        other => first_line(&other.to_string()),
    };
    ConnectError::KubeconfigInvalid { path: path.display().to_string(), why }
}

/// A duration as kubectl takes it: `90s`, `1m30s`, `500ms`, `1.5h`; a bare number is seconds.
pub fn go_duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is not a duration; write 30s, 2m or 1m30s");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, after) = tail.split_at(letters);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(bad()),
        };
        let count: f64 = number.parse().map_err(|_| bad())?;
        let part = Duration::try_from_secs_f64(count * seconds).map_err(|_| bad())?;
        total = total.checked_add(part).ok_or_else(bad)?;
        rest = after;
    }
    if text.is_empty() { Err(bad()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        let ms = Duration::from_millis;
        let rows = [
            ("0", Some(ms(0))),
            ("0s", Some(ms(0))),
            ("5", Some(ms(5_000))),
            ("1m30s", Some(ms(90_000))),
            ("500ms", Some(ms(500))),
            ("1.5h", Some(ms(5_400_000))),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1d", None),
            ("1m30", None),
            ("1e400h", None),
        ];
        for (text, expected) in rows {
            assert_eq!(go_duration(text).ok(), expected, "{text:?}");
        }
    }

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        flags: KubeFlags,
    }

    #[test]
    fn flags_are_spelled_as_kubectl_spells_them() {
        let words = "x -n mon -A -l a=b -s localhost:1 --as bob --as-group g --as-group h --as-uid \
                     7 --request-timeout 1m --context c --insecure-skip-tls-verify";
        let Cli { flags } = clap::Parser::parse_from(words.split_whitespace());
        assert_eq!(flags.as_group, ["g", "h"]);
        assert_eq!(flags.request_timeout, Some(Duration::from_secs(60)));
        assert_eq!(flags.selector.as_deref(), Some("a=b"));
        assert!(flags.all_namespaces && flags.insecure_skip_tls_verify);
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    async fn error(flags: KubeFlags) -> ConnectError {
        connect(&flags).await.err().expect("an error")
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_is_named() {
        let flags = KubeFlags { kubeconfig: Some("/no/such".into()), ..KubeFlags::default() };
        let expected = ConnectError::KubeconfigMissing { path: "/no/such".into() };
        assert_eq!(error(flags).await, expected);
    }

    #[tokio::test]
    async fn a_kubeconfig_that_does_not_parse_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("config");
        std::fs::write(&path, "clusters: [").expect("written");
        let flags = KubeFlags { kubeconfig: Some(path.clone()), ..KubeFlags::default() };
        let line = error(flags).await.to_string();
        assert!(line.starts_with(&format!("kubeconfig {} cannot be read", path.display())));
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}
