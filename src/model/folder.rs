//! Folders of a node that no plan changes anything in, whoever asks for it.

/// They and all that is below them are the system's, or the kubelet's and its runtime's.
const WHOLE: &[&str] = &[
    "bin",
    "boot",
    "dev",
    "etc",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "proc",
    "root",
    "run",
    "sbin",
    "sys",
    "usr",
    "var/cache",
    "var/lib/containerd",
    "var/lib/containers",
    "var/lib/crio",
    "var/lib/docker",
    "var/lib/etcd",
    "var/lib/kubelet",
    "var/lib/rancher",
    "var/log",
    "var/run",
    "var/spool",
];
/// They hold folders of many, each of which may be one's own.
const SHARED: &[&str] =
    &["", "home", "media", "mnt", "opt", "srv", "tmp", "var", "var/lib", "var/opt", "var/tmp"];

/// Whether a folder of a node may be one program's own.
#[must_use]
pub fn may_be_own(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let plain = parts.join("/");
    let below = |whole: &str| {
        plain.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path.starts_with('/')
        && !parts.contains(&"..")
        && !SHARED.contains(&plain.as_str())
        && !WHOLE.iter().any(|whole| below(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_the_system_is_nobodys_own() {
        for path in [
            "/",
            "//",
            "/etc",
            "/etc/prometheus",
            "/usr/",
            "/var",
            "/var/lib",
            "/var/./lib/",
            "/var/lib/kubelet/pods",
            "/srv",
            "/srv/x/../../etc",
            "srv/prometheus",
            "",
            "/tmp",
        ] {
            assert!(!may_be_own(path), "{path}");
        }
        for path in ["/data", "/srv/prometheus", "/var/lib/prometheus", "/mnt/disk1/", "/etcetera"]
        {
            assert!(may_be_own(path), "{path}");
        }
    }
}
