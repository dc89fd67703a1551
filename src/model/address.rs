//! The address of a server as a client has it: scheme, host, port and path. What else may stand in
//! a URL, a login and a query, is not kept: it may be a secret.

use serde_json::Value;

use super::object::ObjectExt;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub scheme: String,
    pub host: String,
    pub port: u16,
    pub path: String,
    /// Whether the port stands in it.
    written: bool,
}

impl Address {
    /// `http://host[:port][/path]`. What is not plainly that is none: of a malformed one nobody can
    /// tell what is a password.
    pub fn parse(text: &str) -> Option<Address> {
        let (scheme, rest) = text.split_once("://")?;
        let default = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let path = tail.split(['?', '#']).next().unwrap_or("");
        if tail.contains('@') {
            return None;
        }
        let authority = authority.rsplit('@').next()?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !authority.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (authority, None),
        };
        let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_host =
            inner.unwrap_or(host).chars().all(|c| plain(c) || (inner.is_some() && c == ':'));
        if host.is_empty() || !is_host {
            return None;
        }
        Some(Address {
            scheme: scheme.into(),
            host: host.to_ascii_lowercase(),
            port: port.unwrap_or(default),
            path: path.into(),
            written: port.is_some(),
        })
    }

    pub fn text(&self) -> String {
        let Address { scheme, host, port, path, written } = self;
        let port = if *written { format!(":{port}") } else { String::new() };
        format!("{scheme}://{host}{port}{path}")
    }
}

/// The addresses in a text of any kind.
pub fn all_in(text: &str) -> impl Iterator<Item = Address> {
    let begins = text.match_indices("http").map(|(at, _)| at);
    begins.filter_map(|at| {
        let rest = text.get(at..)?;
        let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'`,;)]}>".contains(c);
        Address::parse(rest.split(ends).next()?)
    })
}

/// Whether this is what Grafana is provisioned with: a list of data sources.
pub fn provisions(document: &Value) -> bool {
    document.get("datasources").is_some_and(Value::is_array)
}

/// The addresses of the data sources of a document that are a Prometheus.
pub fn of_sources(document: &Value) -> impl Iterator<Item = Address> {
    urls_of_sources(document).filter_map(Address::parse)
}

/// Their URLs as they are written: there may be a password in one, or a variable.
pub fn urls_of_sources(document: &Value) -> impl Iterator<Item = &str> {
    let all = document.list("/datasources").iter();
    let is_prometheus =
        |one: &&Value| one.text("/type").to_ascii_lowercase().contains("prometheus");
    all.filter(is_prometheus).map(|one| one.text("/url").trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_has_no_login_and_no_query() {
        let rows = [
            ("http://prom:9090", Some("http://prom:9090")),
            ("https://prom.mon.svc/a/b", Some("https://prom.mon.svc/a/b")),
            ("http://me:s3cret@prom.mon.svc:9090/prom/", Some("http://prom.mon.svc:9090/prom/")),
            ("http://prom:9090/a?token=b#c", Some("http://prom:9090/a")),
            ("http://prom?token=b/c", Some("http://prom")),
            ("http://[fd00::1]:9090/x", Some("http://[fd00::1]:9090/x")),
            // Of these nobody knows which part is a password.
            ("http://me:s3/cret@prom:9090", None),
            ("http://me:12/34@prom:9090", None),
            ("http://me:12?34@prom", None),
            ("http://me:s3cret", None),
            ("http://$HOST:9090", None),
            ("http://", None),
            ("ftp://prom", None),
            ("prom:9090", None),
        ];
        for (text, wanted) in rows {
            let address = Address::parse(text);
            assert_eq!(address.map(|a| a.text()).as_deref(), wanted, "{text}");
        }
        let port = |text: &str| Address::parse(text).map(|address| address.port);
        assert_eq!((port("https://prom"), port("http://prom")), (Some(443), Some(80)));
    }

    #[test]
    fn addresses_are_found_in_text() {
        let text = "url: \"http://prom.mon:9090/x\", other=https://a.b; http://me:pw@[";
        let found: Vec<String> = all_in(text).map(|address| address.text()).collect();
        assert_eq!(found, ["http://prom.mon:9090/x", "https://a.b"]);
    }

    #[test]
    fn of_data_sources_only_those_that_are_a_prometheus_are_taken() {
        let document = json!({"apiVersion": 1, "datasources": [
            {"name": "a", "type": "prometheus", "url": "http://me:pw@prom:9090"},
            {"name": "b", "type": "loki", "url": "http://loki:3100"},
            {"name": "c", "type": "grafana-amazonprometheus-datasource", "url": "https://aps"},
            {"name": "d", "type": "prometheus", "url": "$PROM_URL"}]});
        assert!(provisions(&document) && !provisions(&json!({"apiVersion": 1})));
        let found: Vec<String> = of_sources(&document).map(|address| address.text()).collect();
        assert_eq!(found, ["http://prom:9090", "https://aps"]);
    }
}
