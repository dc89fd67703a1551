//! The addresses that a client is told: in its environment and arguments, in the ConfigMaps that it
//! takes or a sidecar collects for it, and, where that was allowed, in the Secrets that provision a
//! Grafana.

use serde_json::Value;

use super::variables;
use crate::model::address::{Address, all_in};
use crate::model::object::ObjectExt;
use crate::model::{Fact, Kind, Need, ObjectRef, Seen, Snapshot, Unknown};
use crate::subject::provisioning;

/// Of the ConfigMaps that a client takes, and of the Secrets, read at the most.
const MOST: usize = 8;

/// An address, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub place: String,
    pub address: Address,
    /// That of a data source of a Grafana, and one that is a Prometheus.
    pub is_source: bool,
}

/// What a client may be told by.
pub fn needs(seen: &Snapshot, of: &ObjectRef) -> Vec<Need> {
    let Some(client) = seen.object(of).known() else { return Vec::new() };
    let maps = maps(client, &of.namespace).into_iter().map(Need::Object);
    let services = asked(seen, of).into_iter().filter(|one| one.is_source).filter_map(|one| {
        let (name, space) = target(&one.address.host, of)?;
        is_of_the_cluster(&one.address.host).then(|| Need::object(Kind::Service, space, name))
    });
    maps.chain(collected(client, &of.namespace)).chain(services).collect()
}

/// The Service and the namespace that a host names, where it is a name of the cluster.
pub fn target<'a>(host: &'a str, of: &'a ObjectRef) -> Option<(&'a str, &'a str)> {
    let mut parts = host.trim_end_matches('.').split('.');
    let name = parts.next().filter(|name| !name.is_empty())?;
    match (parts.next(), parts.next()) {
        (None, _) => Some((name, &of.namespace)),
        (Some(space), None | Some("svc")) => Some((name, space)),
        (Some(_), Some(_)) => None,
    }
}

/// Whether it says so by itself: `name.namespace.svc`, in full or not.
pub fn is_of_the_cluster(host: &str) -> bool {
    host.split('.').nth(2) == Some("svc")
}

/// The same that is in Secrets, for one who allowed to read them.
pub fn secret_needs(seen: &Snapshot, of: &ObjectRef) -> Vec<Need> {
    let client = seen.object(of).known();
    client.into_iter().flat_map(secrets).map(|secret| of_secret(of, &secret)).collect()
}

fn of_secret(of: &ObjectRef, secret: &str) -> Need {
    Need::Addresses { namespace: of.namespace.clone(), secret: secret.to_owned() }
}

pub fn spec(client: &Value) -> &Value {
    let template = client.pointer("/spec/template/spec");
    template.or_else(|| client.get("spec")).unwrap_or(&Value::Null)
}

fn containers(client: &Value) -> impl Iterator<Item = &Value> {
    let spec = spec(client);
    spec.list("/containers").iter().chain(spec.list("/initContainers"))
}

/// A volume's own source, and those of a projected one.
fn mounted<'a>(volume: &'a Value, kind: &str, name: &str) -> Vec<&'a str> {
    let projected = volume.list("/projected/sources").iter();
    let all = std::iter::once(volume.text(&format!("/{kind}/{}", volume_name(kind, name))))
        .chain(projected.map(|source| source.text(&format!("/{kind}/{name}"))));
    all.filter(|found| !found.is_empty()).collect()
}

/// A Secret is named `secretName` in a volume, and `name` in a projected one.
fn volume_name<'a>(kind: &str, name: &'a str) -> &'a str {
    if kind == "secret" { "secretName" } else { name }
}

fn maps(client: &Value, namespace: &str) -> Vec<ObjectRef> {
    let volumes = spec(client).list("/volumes").iter();
    let mut all: Vec<&str> = volumes.flat_map(|v| mounted(v, "configMap", "name")).collect();
    for container in containers(client) {
        let whole = container.list("/envFrom").iter().map(|e| e.text("/configMapRef/name"));
        let one = container.list("/env").iter().map(|e| e.text("/valueFrom/configMapKeyRef/name"));
        all.extend(whole.chain(one).filter(|name| !name.is_empty()));
    }
    all.sort_unstable();
    all.dedup();
    all.into_iter()
        .take(MOST)
        .map(|name| ObjectRef::new(Kind::ConfigMap, namespace, name))
        .collect()
}

/// The ConfigMaps that a sidecar of Grafana's chart collects by their label.
fn collected(client: &Value, namespace: &str) -> Option<Need> {
    let sidecar = containers(client).find(|c| c.text("/name").contains("datasource"))?;
    let variable = |name: &str| {
        let all = sidecar.list("/env").iter();
        all.clone().find(|e| e.text("/name") == name).map_or("", |e| e.text("/value"))
    };
    // Those of another namespace are not looked for.
    if !matches!(variable("NAMESPACE"), "" | "ALL") && variable("NAMESPACE") != namespace {
        return None;
    }
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._/".contains(c))
    };
    // A recording has no values; this one is the chart's own.
    let label =
        Some(variable("LABEL")).filter(|label| plain(label)).unwrap_or("grafana_datasource");
    let labels = match variable("LABEL_VALUE") {
        value if plain(value) => format!("{label}={value}"),
        _ => label.to_owned(),
    };
    Some(Need::List { kind: Kind::ConfigMap, namespace: Some(namespace.into()), labels })
}

/// The Secrets that a client mounts where a Grafana is provisioned from.
fn secrets(client: &Value) -> Vec<String> {
    let provisions = |path: &str| {
        let path = path.to_ascii_lowercase();
        ["provisioning", "datasource"].iter().any(|word| path.contains(word))
    };
    let at = |volume: &Value| {
        let mounts = containers(client).flat_map(|c| c.list("/volumeMounts"));
        let own = |m: &&Value| m.text("/name") == volume.text("/name");
        mounts.filter(own).any(|m| provisions(m.text("/mountPath")))
    };
    let volumes = spec(client).list("/volumes").iter().filter(|volume| at(volume));
    let mut all: Vec<String> =
        volumes.flat_map(|v| mounted(v, "secret", "name")).map(str::to_owned).collect();
    all.sort();
    all.dedup();
    all.truncate(MOST);
    all
}

pub fn asked(seen: &Snapshot, of: &ObjectRef) -> Vec<Asked> {
    let Some(client) = seen.object(of).known() else { return Vec::new() };
    let mut all = Vec::new();
    for container in containers(client) {
        let name = container.text("/name");
        for one in container.list("/env") {
            let place = format!("env {} of {name}", one.text("/name"));
            all.extend(of_text(&place, one.text("/value")));
        }
        for word in container.list("/command").iter().chain(container.list("/args")) {
            all.extend(of_text(&format!("an argument of {name}"), word.as_str().unwrap_or("")));
        }
    }
    let value = |name: &str| variables::value(seen, client, of, name);
    for (place, text) in texts(seen, client, of) {
        all.extend(of_file(&place, text, &value));
    }
    for secret in secrets(client) {
        if let Some(Fact::Known(Seen::Addresses(found))) = seen.facts.get(&of_secret(of, &secret)) {
            let place = format!("a data source of secret/{secret}");
            let found = found.iter().filter_map(|text| Address::parse(text));
            all.extend(found.map(|address| source(&place, address)));
        }
    }
    all
}

/// What stands in the ConfigMaps of a client, and where.
fn texts<'a>(seen: &'a Snapshot, client: &Value, of: &ObjectRef) -> Vec<(String, &'a str)> {
    let own = maps(client, &of.namespace);
    let own = own.iter().filter_map(|map| seen.object(map).known());
    let by_label = collected(client, &of.namespace);
    let by_label = match by_label.and_then(|need| seen.facts.get(&need)) {
        Some(Fact::Known(Seen::List(maps))) => maps.as_slice(),
        _ => &[],
    };
    let of_map = |map: &'a Value| {
        let data = map.get("data").and_then(Value::as_object).into_iter().flatten();
        data.map(|(key, text)| (format!("{key} of cm/{}", map.name()), text.as_str().unwrap_or("")))
    };
    own.chain(by_label).flat_map(of_map).collect()
}

fn source(place: &str, address: Address) -> Asked {
    Asked { place: place.to_owned(), address, is_source: true }
}

fn of_text(place: &str, text: &str) -> Vec<Asked> {
    let asked = |address| Asked { place: place.to_owned(), address, is_source: false };
    all_in(text).map(asked).collect()
}

fn of_file(place: &str, text: &str, value: &dyn Fn(&str) -> Option<String>) -> Vec<Asked> {
    let Some(urls) = provisioning::sources(text) else { return of_text(place, text) };
    let filled = urls.iter().filter_map(|url| variables::filled(url, value).ok());
    filled.filter_map(|url| Address::parse(url.trim())).map(|url| source(place, url)).collect()
}

/// Data sources whose URL has a variable of which no value is known.
fn unfilled(seen: &Snapshot, client: &Value, of: &ObjectRef) -> Vec<Unknown> {
    let value = |name: &str| variables::value(seen, client, of, name);
    let mut out = Vec::new();
    for (place, text) in texts(seen, client, of) {
        for url in provisioning::sources(text).into_iter().flatten() {
            let Err(name) = variables::filled(&url, &value) else { continue };
            let plain =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let printenv =
                format!("kubectl exec {} -n {} -- printenv {name}", of.short(), of.namespace);
            out.push(Unknown {
                need: format!("the URL of a data source in {place}"),
                why: match plain {
                    true => format!("the value of ${name} in it is not known"),
                    false => "it is made of what its container reads".into(),
                },
                get: if plain { printenv } else { String::new() },
                vital: false,
            });
        }
    }
    out
}

/// Where an address may stand that was not read; `command` is the one to read it with.
pub fn unread(seen: &Snapshot, of: &ObjectRef, command: &str) -> Vec<Unknown> {
    let Some(client) = seen.object(of).known() else { return Vec::new() };
    let unknown = |need: String, why: String, get: String| Unknown { need, why, get, vital: false };
    let mut out = unfilled(seen, client, of);
    for secret in secrets(client) {
        let need = format!("the data source of {} in secret/{secret}", of.short());
        match seen.facts.get(&of_secret(of, &secret)) {
            Some(Fact::Known(Seen::Addresses(found))) if found.is_empty() => {
                let why = "no address of a Prometheus is plainly written in it";
                out.push(unknown(need, why.into(), String::new()));
            }
            Some(Fact::Known(_)) => {}
            Some(Fact::Absent) => {
                out.push(unknown(need, "there is no such Secret".into(), String::new()));
            }
            Some(Fact::Unreadable(why)) => {
                let get = format!("the verb get on secrets in {}", of.namespace);
                out.push(unknown(need, why.clone(), get));
            }
            None => {
                let why = "Secrets are read only with --read-secrets";
                out.push(unknown(need, why.into(), command.to_owned()));
            }
        }
    }
    for container in containers(client) {
        for one in container.list("/env") {
            let (name, secret) = (one.text("/name"), one.text("/valueFrom/secretKeyRef/name"));
            if !secret.is_empty() && may_be_address(name) {
                let need = format!("env {name} of {}", container.text("/name"));
                let why = format!("it is from secret/{secret}, which is not read");
                let (of, at) = (of.short(), &of.namespace);
                out.push(unknown(
                    need,
                    why,
                    format!("kubectl exec {of} -n {at} -- printenv {name}"),
                ));
            }
        }
    }
    out
}

/// Whether a variable is named like the address of a Prometheus.
fn may_be_address(name: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    has(&["PROM", "DATASOURCE"]) && !has(&["PASS", "TOKEN", "USER", "KEY", "CERT", "SECRET"])
}
