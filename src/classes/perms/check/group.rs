//! Why fsGroup did not make the data directory writable: unset, without effect on this kind of
//! volume, or set to what does not help.
//!
//! Sources: kubernetes `pkg/volume/*` (`SetUp` calls `SetVolumeOwnership` or does not),
//! `pkg/volume/csi/csi_mounter.go` (fsGroupPolicy), docs "Configure volume permission and
//! ownership change policy for Pods", v1.34.

use serde_json::Value;

use super::{Case, OWNER};
use crate::model::fact::Got;
use crate::model::log::Place;
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Kind, ObjectRef, Unknown};

const UNSET: Code = Code("perms/fsgroup-unset");
const MISMATCH: Code = Code("perms/fsgroup-mismatch");
const IGNORED: Code = Code("perms/fsgroup-ignored");

/// Whether the kubelet applies fsGroup to a volume.
enum Honours {
    Yes(String),
    No(String),
    /// Presumed, since most do; what is missing to know.
    Presumed(Unknown),
}

pub fn judge(case: &Case<'_>, place: Place<'_>) -> (Finding, Option<Unknown>) {
    let group = case.pod.number("/spec/securityContext/fsGroup");
    let (kind, unknown) = match honours(case, place) {
        Honours::No(kind) => {
            let says = "may not write its data directory, and fsGroup has no effect on this volume";
            return (told(case, IGNORED, says, group).with("volume", kind), None);
        }
        Honours::Yes(kind) => (Some(kind), None),
        Honours::Presumed(unknown) => (None, Some(unknown)),
    };
    let policy = case.pod.text("/spec/securityContext/fsGroupChangePolicy");
    let sub_path = place.mount.map_or("", |m| m.text("/subPath"));
    let (code, says) = match group {
        None => (UNSET, "may not write its data directory, and no fsGroup is set"),
        Some(_) if policy == "OnRootMismatch" || !sub_path.is_empty() => (
            OWNER,
            "may not write its data directory: fsGroup fits the root of the volume, and what is \
             below keeps its owner",
        ),
        Some(_) => (MISMATCH, "may not write its data directory although fsGroup is set"),
    };
    let mut finding = told(case, code, says, group);
    if let Some(kind) = kind {
        finding = finding.with("volume", kind);
    }
    for (field, value) in [("fsGroupChangePolicy", policy), ("subPath", sub_path)] {
        if !value.is_empty() {
            finding = finding.with(field, value);
        }
    }
    (finding, unknown)
}

/// The finding with who the process is.
fn told(case: &Case<'_>, code: Code, says: &str, group: Option<i64>) -> Finding {
    let number = |n: Option<i64>| n.map_or("unset".to_owned(), |n| n.to_string());
    let containers = case.pod.list("/spec/containers");
    let own = containers.iter().find(|c| c.text("/name") == case.subject.container);
    let user = own
        .and_then(|c| c.number("/securityContext/runAsUser"))
        .or_else(|| case.pod.number("/spec/securityContext/runAsUser"));
    case.finding(code, says)
        .with("spec.securityContext.fsGroup", number(group))
        .with("runAsUser", user.map_or("unset: the image's own".to_owned(), |u| u.to_string()))
}

fn honours(case: &Case<'_>, place: Place<'_>) -> Honours {
    let Some(volume) = place.volume else {
        return Honours::Presumed(missing(
            "which volume holds the data",
            "the log names no path",
            "",
        ));
    };
    match place.claim() {
        Some(claim) => of_claim(case, claim),
        None => of_source(volume, &|kind| Honours::Yes(kind.to_owned())),
    }
}

/// The source of a volume, in a pod's spec or a PersistentVolume's: the kinds of which kubelet
/// does not change the owner.
fn of_source(source: &Value, otherwise: &dyn Fn(&str) -> Honours) -> Honours {
    const NEVER: &[&str] = &["hostPath", "nfs", "glusterfs", "cephfs", "azureFile", "quobyte"];
    let kinds = source.as_object().into_iter().flatten();
    let kind = kinds.map(|(k, _)| k.as_str()).find(|k| *k != "name").unwrap_or("");
    match NEVER.iter().find(|never| source.get(**never).is_some()) {
        Some(never) => Honours::No((*never).to_owned()),
        None => otherwise(kind),
    }
}

fn of_claim(case: &Case<'_>, claim: &str) -> Honours {
    let namespace = case.pod.namespace();
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, namespace, claim);
    let found = match case.seen.object(&claim) {
        Got::Known(found) => found,
        Got::Unreadable(why) => return Honours::Presumed(unread(&claim, why)),
        Got::Absent => return Honours::Presumed(unread(&claim, "it does not exist")),
        Got::NotAsked => return Honours::Presumed(unread(&claim, "not read")),
    };
    let volume = ObjectRef::new(Kind::PersistentVolume, "", found.text("/spec/volumeName"));
    match case.seen.object(&volume) {
        Got::Known(volume) => of_volume(case, volume),
        Got::Unreadable(why) => by_provisioner(found, unread(&volume, why)),
        Got::Absent | Got::NotAsked => by_provisioner(found, unread(&volume, "not read")),
    }
}

fn of_volume(case: &Case<'_>, volume: &Value) -> Honours {
    let name = volume.name();
    let spec = volume.get("spec").unwrap_or(&Value::Null);
    let driver = spec.text("/csi/driver");
    if driver.is_empty() {
        return match of_source(spec, &|_| Honours::Yes(format!("pv/{name}"))) {
            Honours::No(kind) => Honours::No(format!("pv/{name} is of kind {kind}")),
            other => other,
        };
    }
    let object = ObjectRef::new(Kind::CsiDriver, "", driver);
    // The API server's default of the field.
    const DEFAULT: &str = "ReadWriteOnceWithFSType";
    let policy = match case.seen.object(&object) {
        Got::Known(found) => Some(found.text("/spec/fsGroupPolicy")).filter(|p| !p.is_empty()),
        Got::Absent => None,
        Got::Unreadable(why) => return by_driver(driver, unread(&object, why)),
        Got::NotAsked => return by_driver(driver, unread(&object, "not read")),
    };
    let policy = policy.unwrap_or(DEFAULT);
    let once = spec.list("/accessModes").iter().any(|m| m.as_str() == Some("ReadWriteOnce"));
    let typed = !spec.text("/csi/fsType").is_empty();
    let shown = format!("pv/{name}, driver {driver}, fsGroupPolicy {policy}");
    match policy {
        "None" => Honours::No(shown),
        DEFAULT if !(once && typed) => {
            Honours::No(format!("{shown}; it is not ReadWriteOnce with a file system type"))
        }
        _ => Honours::Yes(shown),
    }
}

/// Names of provisioners whose volumes are host directories or network shares.
const SHARES: &[&str] = &["hostpath", "local-path", "nfs", "efs.csi", "smb.csi", "file.csi.azure"];

fn by_driver(driver: &str, unknown: Unknown) -> Honours {
    let share = SHARES.iter().any(|name| driver.contains(name));
    if share { Honours::No(format!("driver {driver}")) } else { Honours::Presumed(unknown) }
}

/// Where PersistentVolumes may not be read (they belong to the cluster), the claim names who made
/// its volume.
fn by_provisioner(claim: &Value, unknown: Unknown) -> Honours {
    let name = claim
        .annotation("volume.kubernetes.io/storage-provisioner")
        .or_else(|| claim.annotation("volume.beta.kubernetes.io/storage-provisioner"));
    by_driver(name.unwrap_or(""), unknown)
}

fn unread(object: &ObjectRef, why: &str) -> Unknown {
    let scope = match object.namespace.as_str() {
        "" => String::new(),
        namespace => format!(" -n {namespace}"),
    };
    let get = format!("kubectl get {} {}{scope} -o yaml", object.kind.short(), object.name);
    missing(&format!("whether {} honours fsGroup", object.short()), why, &get)
}

fn missing(need: &str, why: &str, get: &str) -> Unknown {
    Unknown { need: need.into(), why: why.into(), get: get.into(), vital: false }
}
