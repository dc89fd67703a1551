//! What a Grafana is provisioned with, as a file holds it.

use serde_json::Value;

use crate::model::address::{provisions, urls_of_sources};

/// A file of data sources is short.
const MOST_BYTES: usize = 1 << 20;

/// The URLs of its data sources that are a Prometheus, as they are written; `None` where it is no such
/// file.
pub fn sources(text: &str) -> Option<Vec<String>> {
    if text.len() > MOST_BYTES || !text.contains("datasources") {
        return None;
    }
    let document: Value = serde_saphyr::from_str(text).ok()?;
    provisions(&document).then(|| urls_of_sources(&document).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_data_sources_is_told_from_others() {
        let file = "apiVersion: 1\ndatasources:\n- {name: p, type: prometheus, url: 'http://prom:9090'}\n\
                    - {name: l, type: loki, url: 'http://loki:3100'}\n";
        assert_eq!(sources(file), Some(vec!["http://prom:9090".to_owned()]));
        assert_eq!(sources("url: http://prom:9090"), None);
        assert_eq!(sources("datasources: http://prom:9090"), None);
        assert_eq!(sources("datasources: ["), None);
    }
}
