//! What is taken of a Secret, and nothing else leaves this file: the addresses of the data sources
//! that Grafana is provisioned with.

use k8s_openapi::ByteString;
use serde_json::Value;

use super::objects;
use crate::model::address::of_sources;

/// The addresses in a Secret, each once, in order.
pub fn addresses(secret: &Value) -> Vec<String> {
    let data = secret.get("data").and_then(Value::as_object).into_iter().flatten();
    let texts = data.filter_map(|(_, value)| decoded(value));
    let documents = texts.filter_map(|text| objects::documents(&text).ok()).flatten();
    let mut all: Vec<String> =
        documents.flat_map(|one| of_sources(&one).map(|a| a.text()).collect::<Vec<_>>()).collect();
    all.sort();
    all.dedup();
    all
}

fn decoded(value: &Value) -> Option<String> {
    let bytes = serde_json::from_value::<ByteString>(value.clone()).ok()?;
    String::from_utf8(bytes.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn of_a_secret_only_the_addresses_are_taken() {
        let file = "apiVersion: 1\ndatasources:\n- name: p\n  type: prometheus\n  \
                    url: http://me:hunter2@prom.mon.svc:9090/x?key=hunter3\n  basicAuthUser: hunter4\n  \
                    secureJsonData: {basicAuthPassword: hunter5, httpHeaderValue1: hunter6}\n";
        let encoded = |text: &str| json!(ByteString(text.as_bytes().to_vec()));
        let secret = json!({"data": {
            "datasources.yaml": encoded(file), "token": encoded("hunter7"),
            "contact.yaml": encoded("contactPoints: [{url: 'https://hooks.example/hunter8'}]"),
            "broken.yaml": encoded("datasources: [{url: 'http://hunter9'"), "bad": "%"}});
        assert_eq!(addresses(&secret), ["http://prom.mon.svc:9090/x"]);
        assert!(addresses(&json!({})).is_empty());
    }
}
