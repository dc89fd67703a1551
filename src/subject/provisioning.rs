//! What a Grafana is provisioned with, as a file holds it.

use serde_json::Value;

use crate::model::address::{Address, of_sources, provisions};

/// A file of data sources is short.
const MOST_BYTES: usize = 1 << 20;

/// The addresses of its data sources that are a Prometheus; `None` where it is no such file.
pub fn sources(text: &str) -> Option<Vec<Address>> {
    if text.len() > MOST_BYTES || !text.contains("datasources") {
        return None;
    }
    let document: Value = serde_saphyr::from_str(text).ok()?;
    provisions(&document).then(|| of_sources(&document).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_data_sources_is_told_from_others() {
        let file = "apiVersion: 1\ndatasources:\n- {name: p, type: prometheus, url: 'http://prom:9090'}\n\
                    - {name: l, type: loki, url: 'http://loki:3100'}\n";
        let found: Vec<String> =
            sources(file).into_iter().flatten().map(|address| address.text()).collect();
        assert_eq!(found, ["http://prom:9090"]);
        assert_eq!(sources("url: http://prom:9090"), None);
        assert_eq!(sources("datasources: http://prom:9090"), None);
        assert_eq!(sources("datasources: ["), None);
    }
}
