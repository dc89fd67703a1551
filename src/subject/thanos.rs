//! A Thanos sidecar in the pod: whether it uploads blocks (thanos-io/thanos cmd/thanos/sidecar.go at
//! 001465ca: without a bucket's configuration "uploads will be disabled"; of the head it uploads
//! nothing).

use serde_json::Value;

use super::flags::Flags;
use crate::model::object::ObjectExt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidecar {
    pub container: String,
    /// The flag that names its bucket; none where it has none, and uploads nothing.
    pub bucket: Option<&'static str>,
    /// The name of its note, where a flag gives it one.
    pub note: Option<String>,
}

/// Either may name a bucket: by a file, or by the text of it.
const BUCKET: [&str; 2] = ["objstore.config", "objstore.config-file"];

/// The sidecar of a pod; also one that is an init container which goes on.
pub fn sidecar(pod: &Value) -> Option<Sidecar> {
    let both = ["/spec/containers", "/spec/initContainers"];
    let container = both.iter().flat_map(|list| pod.list(list)).find(|one| is_sidecar(one))?;
    let flags = Flags::of(container);
    let given = |flag: &&str| flags.get(flag).is_some_and(|value| !value.is_empty());
    Some(Sidecar {
        container: container.text("/name").to_owned(),
        bucket: BUCKET.into_iter().find(given),
        note: flags.get("shipper.meta-file-name").map(str::to_owned),
    })
}

fn is_sidecar(container: &Value) -> bool {
    let image = container.text("/image").rsplit('/').next().unwrap_or("");
    let words = container.list("/command").iter().chain(container.list("/args"));
    let said = words.filter_map(Value::as_str).any(|word| word == "sidecar");
    let named = [image, container.text("/name")].iter().any(|name| name.contains("thanos"));
    said && named
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(list: &str, container: &Value) -> Option<Sidecar> {
        sidecar(&json!({"spec": {list: [{"name": "prometheus", "image": "x"}, container]}}))
    }

    fn said(bucket: Option<&'static str>) -> Option<Sidecar> {
        Some(Sidecar { container: "thanos-sidecar".into(), bucket, note: None })
    }

    #[test]
    fn one_with_a_bucket_uploads_and_one_without_does_not() {
        let container = |args: &[&str]| {
            let args = [&["sidecar", "--tsdb.path=/prometheus"], args].concat();
            json!({"name": "thanos-sidecar", "image": "quay.io/thanos/thanos:v0.37.0",
                "args": args})
        };
        let rows: [(&[&str], Option<&str>); 5] = [
            (&[], None),
            (&["--objstore.config="], None),
            // As prometheus-operator gives it.
            (&["--objstore.config=$(OBJSTORE_CONFIG)"], Some("objstore.config")),
            (&["--objstore.config-file", "/etc/b.yaml"], Some("objstore.config-file")),
            (&["--objstore.config=type: GCS\nconfig: {bucket: b}"], Some("objstore.config")),
        ];
        for (args, bucket) in rows {
            assert_eq!(of("containers", &container(args)), said(bucket), "{args:?}");
        }
        assert_eq!(of("initContainers", &container(&[])), said(None));
        let other = of("containers", &container(&["--shipper.meta-file-name=other.json"]));
        assert_eq!(other.and_then(|other| other.note).as_deref(), Some("other.json"));
    }

    #[test]
    fn what_only_sounds_like_it_is_none() {
        let rows = [
            json!({"name": "thanos", "image": "thanos:1", "args": ["receive", "--objstore.config=x"]}),
            json!({"name": "istio", "image": "proxy:1", "args": ["proxy", "sidecar"]}),
        ];
        assert_eq!(rows.map(|row| of("containers", &row)), [None, None]);
    }
}
