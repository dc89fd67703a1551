//! What a person does where no plan is safe.

/// Where a volume refuses a change of owner, even to root.
pub const NOT_GIVEN: &[&str] = &[
    "give the files away where the directory lives, as root there: chown -R on the file server, or on the node",
    "NFS: export it with no_root_squash for as long as the plan takes, then the same command again",
    "an access point that makes everybody one user (EFS): make another with the uid and gid of the plan, or run as that user: runAsUser",
    "a file that may not be changed (lsattr shows an i): chattr -i on the node",
];

/// Steps by hand, in order.
pub(super) fn of(code: &str) -> &'static [&'static str] {
    match code {
        "perms/fsgroup-unset" => &[
            "set spec.securityContext.fsGroup of the custom resource (or of the pod template): 65534 for prom/prometheus, 65532 for its distroless image, 1001 for bitnami",
            "on OpenShift set none: the namespace's range is filled in",
        ],
        "perms/fsgroup-mismatch" => &[
            "list the owners from a pod that mounts the claim: ls -ln on the data directory",
            "set fsGroup to that group, or change the group of the files",
        ],
        "perms/fsgroup-ignored" => &[
            "change the owner where the directory lives: chown -R 65534:65534 on the node or the NFS server (65532 for the distroless image)",
            "EFS: use an access point with that uid and gid; a share that grants a group: add it to supplementalGroups",
        ],
        "perms/owner-mismatch" => &[
            "set fsGroupChangePolicy: Always beside fsGroup and let the pod start once; or chown -R the data directory to the user of the container",
            "leave the WAL alone: it is not corrupt, only not readable",
        ],
        "perms/read-only" => &[
            "remove readOnly: true from the mount or the claim of the data directory, or mount a volume there",
        ],
        "perms/path-mismatch" => &[
            "make --storage.tsdb.path and the mount path of the volume the same; arguments given in the spec replace those of the image",
        ],
        "perms/security-context-rejected" => &[
            "runAsNonRoot with an image user that is a name: set runAsUser to its number (65534, distroless 65532)",
            "Pod Security or SCC: give the pod what the refusal names, or label the namespace for the level it needs",
        ],
        _ => &["kubectl prom-fix explain {code}"],
    }
}
