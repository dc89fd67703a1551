//! What `explain` says of the codes. Facts: prometheus v3.14.0, kubernetes v1.34.

use crate::model::{Code, CodeDoc, Stage};

pub const DOCS: &[CodeDoc] = &[
    CodeDoc {
        code: Code("perms/fsgroup-unset"),
        stage: Stage::FirstWrite,
        meaning: "the volume would be made writable by fsGroup, and the pod sets none",
        proof: "\"permission denied\" on queries.active, lock or wal/ right below the data directory, \
                and no spec.securityContext.fsGroup",
        plan: "set fsGroup to the image's group: 65534 for prom/prometheus, 65532 for the distroless \
               image (3.10 and later), 1001 for bitnami; in the custom resource, chart values or set",
        risk: "the pod restarts; the kubelet then changes the group of every file, which takes a while \
               on a large volume. Never runAsUser 0",
    },
    CodeDoc {
        code: Code("perms/fsgroup-mismatch"),
        stage: Stage::FirstWrite,
        meaning: "fsGroup is set, and the data directory is still not writable for it",
        proof: "\"permission denied\" right below the data directory, although fsGroup is set and the \
                kind of volume honours it; often an event AlreadyMountedVolume: another pod of the node \
                had mounted it first, for its own group",
        plan: "--inspect looks at whose the files are, and fsGroup follows: the group they have. Two pods \
               with different fsGroups on one shared volume undo each other; SELinux labels may refuse \
               what the modes allow",
        risk: "a changed fsGroup restarts the pod and changes the group of every file",
    },
    CodeDoc {
        code: Code("perms/fsgroup-ignored"),
        stage: Stage::FirstWrite,
        meaning: "the volume is of a kind whose owner the kubelet never changes, so fsGroup has no \
                  effect",
        proof: "the volume is hostPath, NFS, azureFile, or its CSIDriver has fsGroupPolicy None (or \
                ReadWriteOnceWithFSType and the volume is shared or has no fsType)",
        plan: "--inspect looks at whose the files are, and the plan follows: fsGroup of the group they \
               have, else their user, else a helper that gives them away; of a folder of the node in the \
               pod's own spec only what is Prometheus' alone; on a file server with root_squash change \
               the owner there",
        risk: "none for the data; a share with root_squash refuses a chown from inside; a pod that comes \
               to another node finds another folder there",
    },
    CodeDoc {
        code: Code("perms/owner-mismatch"),
        stage: Stage::FirstWrite,
        meaning: "the data directory is writable, files below it belong to another user",
        proof: "\"permission denied\" on a file inside wal/, chunks_head/ or a block, also inside \
                \"repair corrupted WAL: cannot handle error\"; or fsGroupChangePolicy OnRootMismatch or a \
                subPath over files of another owner",
        plan: "change the owner of everything below the data directory; or set \
               fsGroupChangePolicy: Always for one start. Usual causes: a copy restored as root, a \
               change from the busybox to the distroless image (65534 to 65532)",
        risk: "none for the data. The WAL is not corrupt: do not remove it",
    },
    CodeDoc {
        code: Code("perms/read-only"),
        stage: Stage::FirstWrite,
        meaning: "the spec mounts the data directory read-only",
        proof: "\"read-only file system\", and readOnly: true on the mount or the claim, or \
                readOnlyRootFilesystem with no volume under the path",
        plan: "remove readOnly from the mount, or mount a volume at the data directory",
        risk: "none. Where the spec does not say so, the disk has failed: disk/io-error",
    },
    CodeDoc {
        code: Code("perms/path-mismatch"),
        stage: Stage::FirstWrite,
        meaning: "--storage.tsdb.path is not on the volume that is meant for it",
        proof: "the data directory is below no mount, or is relative (arguments replaced those of the \
                image, and data/ is the default), or its parent does not exist",
        plan: "set --storage.tsdb.path to the mount path. Never the mount to the argument: what else \
               mounts the volume, a sidecar that uploads blocks say, knows it by the mount's path, and \
               an operator renders it",
        risk: "data written beside the volume is gone with the container; earlier data seems lost and is \
               still on the volume",
    },
    CodeDoc {
        code: Code("perms/security-context-rejected"),
        stage: Stage::Container,
        meaning: "the pod, or its container, is refused for the user it wants to run as",
        proof: "CreateContainerConfigError \"image has non-numeric user (nobody)\" under runAsNonRoot; or \
                events FailedCreate: violates PodSecurity, no security context constraint fits",
        plan: "runAsNonRoot: set runAsUser to the number (65534, distroless 65532). Pod Security: give \
               the container what the namespace's level asks for. OpenShift: leave user and fsGroup out",
        risk: "another user needs the files to be its own: see perms/owner-mismatch",
    },
];
