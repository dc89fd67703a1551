//! Whether fsGroup has any effect on a volume.
//!
//! A StorageClass is not asked: what it made of a claim is written in the PersistentVolume (driver,
//! file system, mount options), and it may have been changed since.
//!
//! Sources: kubernetes `pkg/volume/*` (`SetUp` calls `SetVolumeOwnership` or does not),
//! `pkg/volume/csi/csi_mounter.go` (fsGroupPolicy), docs "Configure volume permission and
//! ownership change policy for Pods", v1.34.

use serde_json::Value;

use crate::model::fact::Got;
use crate::model::log::Place;
use crate::model::object::ObjectExt;
use crate::model::{Kind, ObjectRef, Snapshot, Unknown};

/// Whether the kubelet applies fsGroup to a volume.
pub(super) enum Honours {
    Yes(String),
    No(String),
    /// Presumed, since most do; what is missing to know.
    Presumed(Unknown),
}

pub(super) fn honours(seen: &Snapshot, pod: &Value, place: Place<'_>) -> Honours {
    let Some(volume) = place.volume else {
        return Honours::Presumed(missing(
            "which volume holds the data",
            "the log names no path",
            "",
        ));
    };
    match place.claim() {
        Some(claim) => of_claim(seen, pod, claim),
        None => match of_source(volume, &|kind| Honours::Yes(kind.to_owned())) {
            Honours::No(kind) => Honours::No(match on_node(volume) {
                Some(path) => format!("{kind} {path}"),
                None => kind,
            }),
            other => other,
        },
    }
}

/// The directory of its node that a volume is.
pub(super) fn on_node(volume: &Value) -> Option<&str> {
    Some(volume.text("/hostPath/path")).filter(|path| !path.is_empty())
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

fn of_claim(seen: &Snapshot, pod: &Value, claim: &str) -> Honours {
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, pod.namespace(), claim);
    let found = match seen.object(&claim) {
        Got::Known(found) => found,
        Got::Unreadable(why) => return Honours::Presumed(unread(&claim, why)),
        Got::Absent => return Honours::Presumed(unread(&claim, "it does not exist")),
        Got::NotAsked => return Honours::Presumed(unread(&claim, "not read")),
    };
    let volume = ObjectRef::new(Kind::PersistentVolume, "", found.text("/spec/volumeName"));
    match seen.object(&volume) {
        Got::Known(volume) => of_volume(seen, volume),
        Got::Unreadable(why) => by_provisioner(found, unread(&volume, why)),
        Got::Absent | Got::NotAsked => by_provisioner(found, unread(&volume, "not read")),
    }
}

fn of_volume(seen: &Snapshot, volume: &Value) -> Honours {
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
    let policy = match seen.object(&object) {
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
