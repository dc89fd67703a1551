//! Which release of Prometheus this is, and what that changes.

use serde_json::Value;

use crate::model::object::ObjectExt;

/// A release, `v` stripped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl Version {
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Version { major, minor, patch }
    }

    /// `2.53.3`, `v3.16.0-distroless`, `v2.42.0+ds`, an image reference with such a tag; `None`
    /// for a digest, `latest`, `main`.
    pub fn parse(text: &str) -> Option<Version> {
        let text = tag(text.trim()).unwrap_or("");
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts = text.splitn(3, '.');
        let major = parts.next()?.parse().ok()?;
        // Prometheus is at 3; a tag such as 2024.01.05 is a build date.
        if major > 99 {
            return None;
        }
        let minor_text = parts.next()?;
        let minor = digits(minor_text)?;
        let patch = match parts.next() {
            Some(rest) => digits(rest)?,
            None => 0,
        };
        Some(Version { major, minor, patch })
    }

    /// The release that the last "Starting Prometheus" line of a log names. The text
    /// `(version=2.53.3, branch=…` is the same in logfmt and JSON, before and after slog
    /// (prometheus cmd/prometheus/main.go, common/version.Info).
    pub fn from_log(text: &str) -> Option<Version> {
        let line = text
            .lines()
            .rev()
            .find(|line| line.contains("Starting Prometheus") && line.contains("(version="))?;
        let (_, rest) = line.split_once("(version=")?;
        Version::parse(rest.split([',', ')']).next()?)
    }

    /// The release that `/api/v1/status/buildinfo` names.
    pub fn from_buildinfo(body: &str) -> Option<Version> {
        let body: Value = serde_json::from_str(body).ok()?;
        Version::parse(body.text("/data/version"))
    }

    /// The release that a custom resource asks for: `spec.image` is what runs where it is given
    /// (prometheus-operator pkg/prometheus/common.go, `BuildImagePath`), then `spec.version`.
    pub fn of_resource(resource: &Value) -> Option<Version> {
        ["/spec/image", "/spec/version", "/spec/tag"]
            .iter()
            .find_map(|at| Version::parse(resource.text(at)))
    }
}

/// The tag of an image reference, or the text itself where it is none. A colon before the last
/// slash is a registry's port.
fn tag(text: &str) -> Option<&str> {
    let name = text.split('@').next()?;
    let last = name.rsplit('/').next()?;
    match last.rsplit_once(':') {
        Some((_, tag)) => Some(tag),
        None if name.contains('/') || text.contains('@') => None,
        None => Some(last),
    }
}

/// The number at the start of a part; what follows must be a suffix such as `-rc.1` or `+ds`.
fn digits(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    if rest.is_empty() || rest.starts_with(['-', '+', '_', '.', '~']) {
        number.parse().ok()
    } else {
        None
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "v{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn a_release_is_read_from_a_tag_a_number_or_an_image() {
        let rows = [
            ("2.53.3", Some((2, 53, 3))),
            ("v3.16.0-distroless", Some((3, 16, 0))),
            ("v2.42.0+ds", Some((2, 42, 0))),
            ("3.0.0-rc.1", Some((3, 0, 0))),
            ("quay.io/prometheus/prometheus:v2.53.3", Some((2, 53, 3))),
            ("registry:5000/prom/prometheus:v2.53.3@sha256:0123", Some((2, 53, 3))),
            ("registry:5000/prom/prometheus", None),
            ("prom/prometheus@sha256:0123", None),
            ("docker.io/bitnami/prometheus:2.48.1-debian-11-r0", Some((2, 48, 1))),
            ("gke.gcr.io/prometheus-engine/prometheus:v2.45.3-gmp.5-gke.0", Some((2, 45, 3))),
            ("latest", None),
            ("main", None),
            ("2024.01.05", None),
            ("", None),
        ];
        for (text, want) in rows {
            let got = Version::parse(text).map(|v| (v.major, v.minor, v.patch));
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn a_release_is_read_from_the_log_of_both_eras() {
        let rows = [
            r#"ts=2024-01-01T00:00:00.000Z caller=main.go:622 level=info msg="Starting Prometheus Server" mode=server version="(version=2.53.3, branch=HEAD, revision=abc)""#,
            r#"{"caller":"main.go:622","level":"info","msg":"Starting Prometheus Server","version":"(version=2.53.3, branch=HEAD, revision=abc)"}"#,
            r#"time=2025-01-01T00:00:00.000Z level=INFO source=main.go:700 msg="Starting Prometheus Server" mode=server version="(version=2.53.3, branch=HEAD)""#,
            r#"level=info ts=2020-01-01T00:00:00.000Z caller=main.go:333 msg="Starting Prometheus" version="(version=2.53.3, branch=HEAD)""#,
        ];
        for row in rows {
            assert_eq!(Version::from_log(row), Some(Version::new(2, 53, 3)), "{row}");
        }
        assert_eq!(
            Version::from_log("msg=\"Starting Prometheus Server\" version=\"(version=, \""),
            None
        );
    }

    #[test]
    fn a_release_is_read_from_buildinfo() {
        let body = r#"{"status":"success","data":{"version":"3.5.1","revision":"x"}}"#;
        assert_eq!(Version::from_buildinfo(body), Some(Version::new(3, 5, 1)));
    }
}
