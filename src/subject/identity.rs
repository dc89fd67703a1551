//! Who a container runs as: by its spec, else by its image.

use serde_json::Value;

use crate::model::object::ObjectExt;

const NOBODY: i64 = 65534;

/// A number of the security context, the container's before the pod's; `spec` is a pod's.
pub fn set(spec: &Value, container: &str, field: &str) -> Option<i64> {
    let own = spec.list("/containers").iter().find(|c| c.text("/name") == container);
    own.and_then(|c| c.number(&format!("/securityContext/{field}")))
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
    let is_own = path.ends_with("prom/prometheus") || path.ends_with("prometheus/prometheus");
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
    let image = spec.list("/containers").iter().find(|c| c.text("/name") == container);
    let named = own.into_iter().flatten().find(|number| *number > 0);
    named.or_else(|| of_image(image.map_or("", |c| c.text("/image")))).unwrap_or(NOBODY)
}

/// The process as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    pub user: i64,
    pub group: i64,
    pub groups: Vec<i64>,
}

/// Who a container of a pod is. Without a group of its own a user has the one that the image's
/// `/etc/passwd` gives it, else 0 (CRI, `RunAsGroup`).
pub fn of(spec: &Value, container: &str) -> Who {
    let own = spec.list("/containers").iter().find(|c| c.text("/name") == container);
    let of_image = of_image(own.map_or("", |c| c.text("/image")));
    let user = set(spec, container, "runAsUser").or(of_image).unwrap_or(NOBODY);
    let by_image = if of_image == Some(user) { user } else { 0 };
    let group = set(spec, container, "runAsGroup").unwrap_or(by_image);
    let more = spec.list("/securityContext/supplementalGroups").iter().filter_map(Value::as_i64);
    let groups = spec.number("/securityContext/fsGroup").into_iter().chain(more).collect();
    Who { user, group, groups }
}

#[cfg(test)]
mod tests {
    use super::*;

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
