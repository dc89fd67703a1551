//! The address at which a client asks, as far as its own spec says it: in its environment and
//! arguments, and in the ConfigMaps that it mounts. Only an address that names a Service in front of
//! this Prometheus is judged; any other may be meant for somebody else.

use serde_json::Value;

use super::services::selects;
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Kind, Need, ObjectRef, Severity, Snapshot};
use crate::subject::Subject;

const ADDRESS: Code = Code("bind/client-address");
/// Of the ConfigMaps that a client mounts, read at the most.
const MAPS: usize = 8;

/// What a client may be told by.
pub fn needs(seen: &Snapshot, of: &ObjectRef) -> Vec<Need> {
    let Some(client) = seen.object(of).known() else { return Vec::new() };
    maps(client, &of.namespace).into_iter().map(Need::Object).collect()
}

fn spec(client: &Value) -> &Value {
    let template = client.pointer("/spec/template/spec");
    template.or_else(|| client.get("spec")).unwrap_or(&Value::Null)
}

fn maps(client: &Value, namespace: &str) -> Vec<ObjectRef> {
    let volumes = spec(client).list("/volumes").iter();
    let names = volumes.map(|v| v.text("/configMap/name")).filter(|name| !name.is_empty());
    let from = |c: &Value| -> Vec<String> {
        let refs = c.list("/envFrom").iter().map(|e| e.text("/configMapRef/name").to_owned());
        refs.filter(|name| !name.is_empty()).collect()
    };
    let mut all: Vec<String> = names.map(str::to_owned).collect();
    all.extend(spec(client).list("/containers").iter().flat_map(from));
    all.sort();
    all.dedup();
    let map = |name: &String| ObjectRef::new(Kind::ConfigMap, namespace, name);
    all.iter().take(MAPS).map(map).collect()
}

/// An address, and where it stands.
struct Asked {
    place: String,
    text: String,
}

fn asked(seen: &Snapshot, of: &ObjectRef) -> Vec<Asked> {
    let Some(client) = seen.object(of).known() else { return Vec::new() };
    let mut all = Vec::new();
    let mut note = |place: String, text: &str| {
        all.extend(urls(text).map(|url| Asked { place: place.clone(), text: url.to_owned() }));
    };
    for container in spec(client).list("/containers") {
        let name = container.text("/name");
        for one in container.list("/env") {
            note(format!("env {} of {name}", one.text("/name")), one.text("/value"));
        }
        for word in container.list("/command").iter().chain(container.list("/args")) {
            note(format!("an argument of {name}"), word.as_str().unwrap_or(""));
        }
    }
    for map in maps(client, &of.namespace) {
        let data = seen.object(&map).known().and_then(|found| found.get("data"));
        for (key, text) in data.and_then(Value::as_object).into_iter().flatten() {
            note(format!("{} of {}", key, map.short()), text.as_str().unwrap_or(""));
        }
    }
    all
}

fn urls(text: &str) -> impl Iterator<Item = &str> {
    let begins = text.match_indices("http").map(|(at, _)| at);
    begins.filter_map(|at| {
        let rest = text.get(at..)?;
        let is_url = rest.starts_with("http://") || rest.starts_with("https://");
        let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'`,;)]}>".contains(c);
        is_url.then(|| rest.split(ends).next())?
    })
}

/// The parts of `scheme://host[:port][/path]`.
struct Url<'a> {
    host: &'a str,
    port: u16,
    path: &'a str,
}

fn parsed(url: &str) -> Option<Url<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    // A login before the host is nobody's business here.
    let authority = authority.rsplit('@').next()?;
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, if scheme == "https" { 443 } else { 80 }),
    };
    Some(Url { host, port, path })
}

/// Addresses of the client that name a Service of this Prometheus and do not lead there.
pub fn check(subject: &Subject, seen: &Snapshot, of: &ObjectRef) -> Vec<Finding> {
    let own = subject.namespace();
    let in_front: Vec<&Value> = seen
        .items(Kind::Service, own)
        .filter(|service| subject.pods.iter().any(|pod| selects(service, pod)))
        .collect();
    let mut out = Vec::new();
    for Asked { place, text } in asked(seen, of) {
        let Some(url) = parsed(&text) else { continue };
        let mut parts = url.host.split('.');
        let name = parts.next().unwrap_or("");
        let Some(service) = in_front.iter().find(|s| s.name() == name) else { continue };
        // A name alone is looked up in the client's own namespace; one of another namespace, or of
        // the world, is somebody else's.
        let namespace = match (parts.next(), parts.next()) {
            (None, _) if of.namespace == own => own,
            (None, _) if has_own(seen, of, name) => continue,
            (None, _) => of.namespace.as_str(),
            (Some(space), None | Some("svc")) if space == own => own,
            (Some(_), _) => continue,
        };
        let Some(says) = wrong(subject, service, &url, namespace) else { continue };
        let finding = Finding::new(ADDRESS, of, Severity::Error, says);
        let right = right(subject, service, &text);
        out.push(finding.with(&place, shown(&text)).with("it should be", right));
    }
    out.dedup();
    out
}

/// Whether the client's namespace has a Service of this name, as far as is known.
fn has_own(seen: &Snapshot, of: &ObjectRef, name: &str) -> bool {
    let known = seen.list(Kind::Service, &of.namespace).known().is_some();
    !known || seen.items(Kind::Service, &of.namespace).any(|service| service.name() == name)
}

fn wrong(subject: &Subject, service: &Value, url: &Url<'_>, namespace: &str) -> Option<String> {
    if namespace != subject.namespace() {
        return Some(format!(
            "asks for {} in namespace {namespace}, and it is in {}",
            service.name(),
            subject.namespace()
        ));
    }
    let ports = service.list("/spec/ports");
    // The name of a headless Service leads to the pods themselves, whatever its ports.
    let headless = service.text("/spec/clusterIP") == "None";
    let port = i64::from(url.port);
    let is_right = match headless {
        true => url.port == subject.flags.port() || is_declared(subject, port),
        false => ports.iter().any(|p| p.number("/port") == Some(port)),
    };
    if !is_right {
        return Some(format!("asks port {port} of {}, which it does not have", service.name()));
    }
    let prefix = subject.flags.prefix();
    let prefix = prefix.trim_end_matches('/');
    let rest = url.path.strip_prefix(prefix);
    let below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (!prefix.is_empty() && !below)
        .then(|| format!("asks outside of the route prefix {prefix}: it is answered with 404"))
}

/// A port of any container of the pods.
fn is_declared(subject: &Subject, port: i64) -> bool {
    let pods = subject.pods.iter().flat_map(|p| p.list("/spec/containers"));
    pods.flat_map(|c| c.list("/ports")).any(|p| p.number("/containerPort") == Some(port))
}

/// The address without a login and without a query, which are nobody's business.
fn shown(text: &str) -> String {
    let text = text.split('?').next().unwrap_or(text);
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => text.to_owned(),
    }
}

fn right(subject: &Subject, service: &Value, text: &str) -> String {
    let scheme = text.split_once("://").map_or("http", |(scheme, _)| scheme);
    let port = match service.text("/spec/clusterIP") {
        "None" => i64::from(subject.flags.port()),
        _ => service.list("/spec/ports").first().and_then(|p| p.number("/port")).unwrap_or(9090),
    };
    let prefix = subject.flags.prefix();
    let prefix = prefix.trim_end_matches('/');
    format!("{scheme}://{}.{}.svc:{port}{prefix}", service.name(), subject.namespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_text_and_taken_apart() {
        let text = "url: \"http://prom.mon:9090/x\", other=https://a.b;";
        assert_eq!(urls(text).collect::<Vec<_>>(), ["http://prom.mon:9090/x", "https://a.b"]);
        let url = parsed("http://me:secret@prom.mon.svc:9090/prom/").expect("a URL");
        assert_eq!((url.host, url.port, url.path), ("prom.mon.svc", 9090, "/prom/"));
        assert_eq!(parsed("https://prom").map(|url| url.port), Some(443));
        assert_eq!(shown("http://me:secret@prom:9090/a?token=b"), "http://prom:9090/a");
    }
}
