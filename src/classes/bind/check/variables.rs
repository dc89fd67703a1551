//! The variables in a URL that a Grafana is provisioned with, as far as the client's spec and the
//! ConfigMaps that it takes say their values. None from a Secret.
//!
//! Source: grafana `pkg/services/provisioning/values/values.go` (`$$` is a dollar sign),
//! `pkg/setting/expanders.go` (`$__env{VAR}`, then `$VAR` and `${VAR}` as Go's `os.ExpandEnv`), v11.

use serde_json::Value;

use super::sources::spec;
use crate::model::object::ObjectExt;
use crate::model::{Kind, ObjectRef, Snapshot};

/// A text with its variables filled in; else the name of one whose value is not known.
pub fn filled(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let braced = after.strip_prefix("__env{").or_else(|| after.strip_prefix('{'));
        let (name, after) = match braced {
            Some(inner) => inner.split_once('}').ok_or_else(|| inner.to_owned())?,
            None => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
                after.split_at(end)
            }
        };
        out.push_str(&value(name.trim()).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of a variable of a client; none where it is of a Secret or made of others, where it is
/// not read, or where two containers have two values.
pub fn value(seen: &Snapshot, client: &Value, of: &ObjectRef, name: &str) -> Option<String> {
    let containers = spec(client).list("/containers").iter();
    let mut all = containers.filter_map(|container| in_container(seen, of, container, name));
    let first = all.next()??;
    all.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// `None` where the container does not have it; within, where its value is not known.
fn in_container(
    seen: &Snapshot,
    of: &ObjectRef,
    container: &Value,
    name: &str,
) -> Option<Option<String>> {
    let in_map = |map: &str, key: &str| {
        let map = seen.object(&ObjectRef::new(Kind::ConfigMap, &of.namespace, map)).known()?;
        let data = map.get("data").and_then(Value::as_object)?;
        data.get(key).and_then(Value::as_str).map(str::to_owned)
    };
    // The last of one name counts, and any of them before what whole maps bring.
    if let Some(own) = container.list("/env").iter().rev().find(|e| e.text("/name") == name) {
        let from = own.get("valueFrom");
        let literal = || own.get("value").and_then(Value::as_str).map(str::to_owned);
        let known = match from {
            Some(from) => {
                in_map(from.text("/configMapKeyRef/name"), from.text("/configMapKeyRef/key"))
            }
            None => literal(),
        };
        return Some(known.filter(|value| !value.contains("$(")));
    }
    for whole in container.list("/envFrom").iter().rev() {
        let map = whole.text("/configMapRef/name");
        let Some(key) = name.strip_prefix(whole.text("/prefix")) else { continue };
        // What a Secret brings is not read: it may bring this one.
        if map.is_empty() {
            return Some(None);
        }
        if let Some(found) = in_map(map, key) {
            return Some(Some(found));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_as_grafana_does() {
        let value = |name: &str| (name == "A_1").then(|| "prom".to_owned());
        let known = |text: &str| filled(text, &value);
        for text in ["http://$A_1:9090", "http://${A_1}:9090", "http://$__env{A_1}:9090"] {
            assert_eq!(known(text).as_deref(), Ok("http://prom:9090"), "{text}");
        }
        assert_eq!(known("a$$b").as_deref(), Ok("a$b"));
        assert_eq!(known("plain").as_deref(), Ok("plain"));
        assert_eq!(known("http://$B:9090"), Err("B".into()));
        assert!(known("$__file{/etc/x}").is_err() && known("${A_1").is_err());
    }
}
