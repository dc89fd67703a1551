//! Where a path that a log line names lies in the pod that wrote it: which mount, which volume.

use serde_json::Value;

use crate::model::object::ObjectExt;

/// A path in a container.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place<'a> {
    /// The mount that holds it; `None`: the container's own layer.
    pub mount: Option<&'a Value>,
    /// The volume of the mount, as the pod's spec has it.
    pub volume: Option<&'a Value>,
    container: Option<&'a Value>,
}

/// Finds the deepest mount above `path`.
pub fn place<'a>(pod: &'a Value, container: &str, path: &str) -> Place<'a> {
    let own = pod.list("/spec/containers").iter().find(|c| c.text("/name") == container);
    let mounts = own.map_or(&[] as &[Value], |c| c.list("/volumeMounts"));
    let above = |mount: &&Value| {
        let at = mount.text("/mountPath").trim_end_matches('/');
        path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mount = mounts.iter().filter(above).max_by_key(|m| m.text("/mountPath").len());
    let volume = mount.and_then(|mount| {
        pod.list("/spec/volumes").iter().find(|v| v.text("/name") == mount.text("/name"))
    });
    Place { mount, volume, container: own }
}

impl<'a> Place<'a> {
    /// The field of the pod's spec that makes it read-only, if one does.
    pub fn read_only_by(&self) -> Option<&'static str> {
        let Some(mount) = self.mount else {
            let root = self
                .container
                .is_some_and(|c| c.is_true("/securityContext/readOnlyRootFilesystem"));
            return root.then_some("securityContext.readOnlyRootFilesystem");
        };
        if mount.is_true("/readOnly") {
            return Some("volumeMounts.readOnly");
        }
        let volume = self.volume?;
        // A volume of these kinds can never be written.
        let fixed = ["/configMap", "/secret", "/projected", "/downwardAPI", "/image"];
        if fixed.iter().any(|kind| volume.pointer(kind).is_some()) {
            return Some("volumeMounts (a volume that is never writable)");
        }
        let claim = volume.is_true("/persistentVolumeClaim/readOnly");
        let own = ["/nfs/readOnly", "/csi/readOnly"].iter().any(|at| volume.is_true(at));
        (claim || own).then_some("volumes.readOnly")
    }

    /// The claim behind it.
    pub fn claim(&self) -> Option<&'a str> {
        let name = self.volume?.text("/persistentVolumeClaim/claimName");
        (!name.is_empty()).then_some(name)
    }
}
