//! Lays the flags over a kubeconfig: which context, cluster and user, and what of them a flag
//! replaces. Values only; reads no file.

use std::path::Path;

use kube::config::{
    AuthInfo, Cluster, Context as NamedContextBody, Kubeconfig, NamedAuthInfo, NamedCluster,
    NamedContext,
};

use super::connect::KubeFlags;
use super::failure::ConnectError;
use crate::model::report::Context;

/// A kubeconfig with one context in which all flags are laid down.
pub struct Chosen {
    pub kubeconfig: Kubeconfig,
    pub context: String,
    /// As the report says it; the server is filled in by the caller.
    pub shown: Context,
}

/// The name of the entries made here. Not a name of the user's file: those may be shared by
/// several contexts, and an empty one is what kubectl means by "no context".
const OURS: &str = "command line";

pub fn choose(kubeconfig: Kubeconfig, flags: &KubeFlags) -> Result<Chosen, ConnectError> {
    let named = context_name(&kubeconfig, flags)?;
    let mut body = match &named {
        Some(name) => context_of(&kubeconfig, name)?,
        None => NamedContextBody::default(),
    };
    let cluster_name = flags.cluster.clone().unwrap_or_else(|| body.cluster.clone());
    let mut cluster = cluster_of(&kubeconfig, &cluster_name, flags)?;
    lay_cluster(&mut cluster, flags);
    let user_name = flags.user.clone().or_else(|| body.user.clone()).unwrap_or_default();
    let mut user = user_of(&kubeconfig, &user_name, flags)?;
    credentials(&mut user, flags);
    body.cluster = OURS.into();
    body.user = Some(OURS.into());
    let shown = Context {
        name: named.clone().unwrap_or_default(),
        user: person(&user_name, flags),
        flags: repeat(named.as_deref(), flags),
        ..Context::default()
    };
    let kubeconfig = Kubeconfig {
        clusters: vec![NamedCluster {
            name: OURS.into(),
            cluster: Some(cluster),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: OURS.into(),
            auth_info: Some(user),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: OURS.into(),
            context: Some(body),
            ..NamedContext::default()
        }],
        ..Kubeconfig::default()
    };
    Ok(Chosen { kubeconfig, context: OURS.into(), shown })
}

/// The context to use. None only where the cluster is named in another way.
fn context_name(of: &Kubeconfig, flags: &KubeFlags) -> Result<Option<String>, ConnectError> {
    let current = of.current_context.clone().filter(|name| !name.is_empty());
    match flags.context.clone().or(current) {
        Some(name) => Ok(Some(name)),
        None if flags.server.is_some() || flags.cluster.is_some() => Ok(None),
        None => Err(ConnectError::NoContext { known: known(of.contexts.iter().map(|c| &c.name)) }),
    }
}

fn context_of(of: &Kubeconfig, name: &str) -> Result<NamedContextBody, ConnectError> {
    let found = of.contexts.iter().find(|c| c.name == name);
    found.and_then(|c| c.context.clone()).ok_or_else(|| ConnectError::UnknownContext {
        name: name.into(),
        known: known(of.contexts.iter().map(|c| &c.name)),
    })
}

fn cluster_of(of: &Kubeconfig, name: &str, flags: &KubeFlags) -> Result<Cluster, ConnectError> {
    let found = of.clusters.iter().find(|c| c.name == name).and_then(|c| c.cluster.clone());
    match found {
        Some(cluster) => Ok(cluster),
        None if flags.cluster.is_none() && flags.server.is_some() => Ok(Cluster::default()),
        None => Err(ConnectError::UnknownCluster {
            name: name.into(),
            known: known(of.clusters.iter().map(|c| &c.name)),
        }),
    }
}

/// A user that a context names but the file lacks is nobody, as with kubectl; one that the
/// command line names is a mistake.
fn user_of(of: &Kubeconfig, name: &str, flags: &KubeFlags) -> Result<AuthInfo, ConnectError> {
    let found = of.auth_infos.iter().find(|u| u.name == name).and_then(|u| u.auth_info.clone());
    match (found, &flags.user) {
        (Some(user), _) => Ok(user),
        (None, None) => Ok(AuthInfo::default()),
        (None, Some(_)) => Err(ConnectError::UnknownUser {
            name: name.into(),
            known: known(of.auth_infos.iter().map(|u| &u.name)),
        }),
    }
}

fn known<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    names.sort_unstable();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn lay_cluster(cluster: &mut Cluster, flags: &KubeFlags) {
    if let Some(server) = &flags.server {
        let scheme = if server.contains("://") { "" } else { "http://" };
        cluster.server = Some(format!("{scheme}{server}"));
    }
    if let Some(file) = &flags.certificate_authority {
        cluster.certificate_authority = Some(text(file));
        cluster.certificate_authority_data = None;
    }
    if flags.insecure_skip_tls_verify {
        cluster.insecure_skip_tls_verify = Some(true);
    }
    if flags.tls_server_name.is_some() {
        cluster.tls_server_name.clone_from(&flags.tls_server_name);
    }
}

/// Lays the credentials given by flag over those of the file. A token replaces every other way
/// to get one, or the credential plugin of the file would win.
pub fn credentials(user: &mut AuthInfo, flags: &KubeFlags) {
    if let Some(token) = &flags.token {
        user.token = Some(token.clone().into());
        user.token_file = None;
        user.auth_provider = None;
        user.exec = None;
        user.username = None;
        user.password = None;
    }
    if let Some(file) = &flags.client_certificate {
        user.client_certificate = Some(text(file));
        user.client_certificate_data = None;
    }
    if let Some(file) = &flags.client_key {
        user.client_key = Some(text(file));
        user.client_key_data = None;
    }
    if let Some(name) = &flags.as_user {
        user.impersonate = Some(name.clone());
        user.impersonate_groups = (!flags.as_group.is_empty()).then(|| flags.as_group.clone());
        user.impersonate_uid.clone_from(&flags.as_uid);
    }
}

/// Who acts, as the report says it.
pub fn person(user: &str, flags: &KubeFlags) -> String {
    match &flags.as_user {
        Some(name) if user.is_empty() => name.clone(),
        Some(name) => format!("{name}, impersonated by {user}"),
        None => user.to_owned(),
    }
}

/// The flags that a printed command needs to reach the same place as the same person. The
/// token is not among them: it must not stand in a report.
pub fn repeat(context: Option<&str>, flags: &KubeFlags) -> Vec<String> {
    let mut out = Vec::new();
    let mut add = |flag: &str, value: Option<String>| {
        if let Some(value) = value {
            out.extend([flag.to_owned(), value]);
        }
    };
    add("--kubeconfig", flags.kubeconfig.as_deref().map(text));
    add("--context", context.map(str::to_owned));
    add("--cluster", flags.cluster.clone());
    add("--user", flags.user.clone());
    add("--server", flags.server.clone());
    add("--as", flags.as_user.clone());
    for group in &flags.as_group {
        add("--as-group", Some(group.clone()));
    }
    add("--as-uid", flags.as_uid.clone());
    add("--tls-server-name", flags.tls_server_name.clone());
    add("--certificate-authority", flags.certificate_authority.as_deref().map(text));
    add("--client-certificate", flags.client_certificate.as_deref().map(text));
    add("--client-key", flags.client_key.as_deref().map(text));
    if flags.insecure_skip_tls_verify {
        out.push("--insecure-skip-tls-verify".into());
    }
    out
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
apiVersion: v1
kind: Config
current-context: prod
clusters:
- name: c1
  cluster: {server: "https://one:6443"}
users:
- name: alice
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: login}}
contexts:
- name: prod
  context: {cluster: c1, user: alice, namespace: mon}
- name: dev
  context: {cluster: c1, user: alice}
"#;

    fn file() -> Kubeconfig {
        Kubeconfig::from_yaml(FILE).expect("a kubeconfig")
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|&w| w.to_owned()).collect()
    }

    #[test]
    fn a_printed_command_names_the_context_and_the_person() {
        let flags = KubeFlags {
            as_user: Some("bob".into()),
            as_group: words(&["ops", "dev"]),
            token: Some("hush".into()),
            ..KubeFlags::default()
        };
        let chosen = choose(file(), &flags).expect("chosen");
        assert_eq!(chosen.shown.name, "prod");
        assert_eq!(chosen.shown.user, "bob, impersonated by alice");
        let expected =
            ["--context", "prod", "--as", "bob", "--as-group", "ops", "--as-group", "dev"];
        assert_eq!(chosen.shown.flags, words(&expected));
    }

    #[test]
    fn a_token_replaces_the_credential_plugin() {
        let flags = KubeFlags { token: Some("hush".into()), ..KubeFlags::default() };
        let chosen = choose(file(), &flags).expect("chosen");
        let user = chosen.kubeconfig.auth_infos[0].auth_info.as_ref().expect("a user");
        assert!(user.exec.is_none() && user.token.is_some());
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let flags = KubeFlags { context: Some("prd".into()), ..KubeFlags::default() };
        let expected =
            ConnectError::UnknownContext { name: "prd".into(), known: "dev, prod".into() };
        assert_eq!(choose(file(), &flags).err(), Some(expected));
        let flags = KubeFlags { user: Some("eve".into()), ..KubeFlags::default() };
        let expected = ConnectError::UnknownUser { name: "eve".into(), known: "alice".into() };
        assert_eq!(choose(file(), &flags).err(), Some(expected));
        let mut none = file();
        none.current_context = None;
        let expected = ConnectError::NoContext { known: "dev, prod".into() };
        assert_eq!(choose(none, &KubeFlags::default()).err(), Some(expected));
    }

    #[test]
    fn a_server_alone_is_enough() {
        let flags = KubeFlags { server: Some("localhost:8001".into()), ..KubeFlags::default() };
        let chosen = choose(Kubeconfig::default(), &flags).expect("chosen");
        let cluster = chosen.kubeconfig.clusters[0].cluster.as_ref().expect("a cluster");
        assert_eq!(cluster.server.as_deref(), Some("http://localhost:8001"));
        assert_eq!(chosen.shown.flags, words(&["--server", "localhost:8001"]));
    }
}
