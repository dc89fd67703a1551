//! Who a container runs as: by its spec, else by its image.

use serde_json::Value;

use crate::model::object::ObjectExt;

const NOBODY: i64 = 65534;

/// A container of a pod's spec, by its name.
fn own<'a>(spec: &'a Value, container: &str) -> Option<&'a Value> {
    spec.list("/containers").iter().find(|c| c.text("/name") == container)
}

/// The image of a container; empty where there is none of this name.
pub fn image<'a>(spec: &'a Value, container: &str) -> &'a str {
    own(spec, container).map_or("", |c| c.text("/image"))
}

/// A number of the security context, the container's before the pod's; `spec` is a pod's.
pub fn set(spec: &Value, container: &str, field: &str) -> Option<i64> {
    own(spec, container)
        .and_then(|c| c.number(&format!("/securityContext/{field}")))
        .or_else(|| spec.number(&format!("/securityContext/{field}")))
}

/// The number of the user, which is that of its group, that an image names: `nobody` of
/// prometheus' `Dockerfile`, `nonroot` of its `Dockerfile.distroless`, Bitnami's user.
pub fn of_image(image: &str) -> Option<i64> {
    let name = image.split(['@']).next().unwrap_or(image);
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (name, ""),
    };
    if path.contains("bitnami") {
        return Some(1001);
    }
    let own = ["prom/prometheus", "prometheus/prometheus", "mirrored-prometheus-prometheus"];
    let is_own = own.iter().any(|name| path.ends_with(name));
    match is_own {
        true if tag.ends_with("distroless") => Some(65532),
        true => Some(65534),
        false => None,
    }
}

/// The group to give the files of a container: any would do where the kubelet changes it, for the
/// process is made a member; so that of the process itself.
pub fn group(spec: &Value, container: &str) -> i64 {
    let own = ["runAsGroup", "runAsUser"].map(|field| set(spec, container, field));
    let named = own.into_iter().flatten().find(|number| *number > 0);
    named.or_else(|| of_image(image(spec, container))).unwrap_or(NOBODY)
}

/// The process as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    pub user: i64,
    pub group: i64,
    pub groups: Vec<i64>,
}

impl Who {
    pub fn root() -> Who {
        Who { user: 0, group: 0, groups: Vec::new() }
    }

    /// Somebody with no rights, to read what everybody may.
    pub fn nobody() -> Who {
        Who { user: NOBODY, group: NOBODY, groups: Vec::new() }
    }
}

/// The group of a user without one of its own: that of the image's `/etc/passwd`, else 0 (CRI,
/// `RunAsGroup`).
pub fn group_of(spec: &Value, container: &str, user: i64) -> i64 {
    let of_image = of_image(image(spec, container));
    let by_image = if of_image == Some(user) { user } else { 0 };
    set(spec, container, "runAsGroup").unwrap_or(by_image)
}

/// Who a container of a pod is; `None` where neither the spec nor a known image says it.
pub fn of(spec: &Value, container: &str) -> Option<Who> {
    let of_image = of_image(image(spec, container));
    let user = set(spec, container, "runAsUser").or(of_image)?;
    let group = group_of(spec, container, user);
    let more = spec.list("/securityContext/supplementalGroups").iter().filter_map(Value::as_i64);
    let groups = spec.number("/securityContext/fsGroup").into_iter().chain(more).collect();
    Some(Who { user, group, groups })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `user:group` of a pod of one container, by the security contexts of both.
    fn who(image: &str, pod: Value, container: Value) -> Option<String> {
        let container = json!({"name": "p", "image": image, "securityContext": container});
        let other = json!({"name": "o", "securityContext": {"runAsUser": 9, "runAsGroup": 9}});
        let spec = json!({"securityContext": pod, "containers": [other, container]});
        of(&spec, "p").map(|who| format!("{}:{}", who.user, who.group))
    }

    #[test]
    fn what_a_container_says_of_itself_comes_before_what_its_pod_says() {
        let (own, foreign) = ("prom/prometheus", "example.org/ours:v1");
        let both = json!({"runAsUser": 1, "runAsGroup": 2});
        let rows = [
            (own, json!({}), json!({}), Some("65534:65534")),
            (own, both.clone(), json!({}), Some("1:2")),
            (own, both.clone(), json!({"runAsUser": 3}), Some("3:2")),
            (own, both.clone(), json!({"runAsGroup": 4}), Some("1:4")),
            (own, both.clone(), json!({"runAsUser": 0, "runAsGroup": 0}), Some("0:0")),
            (own, json!({"runAsUser": 1}), json!({}), Some("1:0")),
            (own, json!({"runAsGroup": 2}), json!({}), Some("65534:2")),
            // It keeps root out, and names no user.
            (own, json!({}), json!({"runAsNonRoot": true}), Some("65534:65534")),
            (foreign, both, json!({"runAsNonRoot": true}), Some("1:2")),
            (foreign, json!({}), json!({"runAsUser": 3}), Some("3:0")),
            (foreign, json!({}), json!({"runAsNonRoot": true}), None),
            (foreign, json!({"runAsGroup": 2}), json!({}), None),
        ];
        for (image, pod, container, wanted) in rows {
            let row = format!("{image} {pod} {container}");
            assert_eq!(who(image, pod, container).as_deref(), wanted, "{row}");
        }
    }

    #[test]
    fn the_user_of_an_image_is_known_by_its_name() {
        let known = [
            ("quay.io/prometheus/prometheus:v3.16.0", Some(65534)),
            ("prom/prometheus", Some(65534)),
            ("quay.io/prometheus/prometheus:v3.16.0-distroless@sha256:ab", Some(65532)),
            ("localhost:5000/prom/prometheus", Some(65534)),
            ("docker.io/bitnami/prometheus:3.1.0", Some(1001)),
            ("example.org/ours:v1", None),
        ];
        for (image, user) in known {
            assert_eq!(of_image(image), user, "{image}");
        }
    }
}
