//! What a person does by hand.

/// Of a lock: what never helps.
pub(super) const LOCK_FILE: &str = "never delete the file `lock`: the process holds the lock, not the \
    file, and without it two processes write one log";

/// Two that want one claim.
pub(super) const RIVALS: &[&str] = &[
    "decide which one is to write this data; stop the other (scale it to 0), or give it a claim of its own",
    "stopping the one that cannot start takes nothing away; the other may serve",
];

/// Replicas that share a claim.
pub(super) const REPLICAS: &[&str] = &[
    "scale it to 1: the others wait for the lock, and serve nothing",
    "for more than one: a StatefulSet with volumeClaimTemplates gives each a claim of its own",
];

/// A pod that is being deleted and does not go.
pub(super) const LATE: &[&str] = &[
    "where its node does not report: bring the node back, or make sure that it is off, and only then \
     mark it with the taint node.kubernetes.io/out-of-service=nodeshutdown:NoExecute",
    "where its node does: what keeps it stands in its events and finalizers; a container that cannot be \
     killed waits for its disk",
    "do not delete it with --force: that takes the object away and not the process, which may write on \
     beside the new one",
];

/// Nobody is seen.
pub(super) const NOBODY: &[&str] = &[
    "look on the node for the process: a pod that was deleted with --force may run on, as may a pod that \
     mounts the same folder by hostPath, or a debug container",
    "kubectl get pods -A -o wide",
];

/// Not everybody is seen.
pub(super) const UNREAD: &[&str] =
    &["ask for the verb list on pods of this namespace, or find the other pod on the claim"];

/// Steps by hand, in order; `{pod}` is the pod of the finding.
pub(super) fn of(code: &str) -> &'static [&'static str] {
    match code {
        "wal/gap" => &[
            "stop {pod} (scale its workload to 0) and list wal/ from a pod that mounts the claim",
            "create each missing number as an empty file of 8 digits with the owner of its neighbours; move a doubled number out",
            "start it: only the samples of the missing segment are gone",
        ],
        "wal/checkpoint-lost" => &[
            "stop {pod} and list wal/: N is the lowest segment number",
            "create the empty directory wal/checkpoint.<N-1>, 8 digits, with the owner of the segments (2.32 and later)",
        ],
        "wal/corrupt-checkpoint" | "wal/corrupt-segment" => &[
            "do not let {pod} start again, each start deletes WAL segments; how to hold it stands under DANGER",
            "take a snapshot or a copy of the claim before anything else",
            "only then decide: rewrite the damaged part from the copy, or accept what Prometheus' own repair leaves",
        ],
        "wal/corrupt-wbl" => &[
            "2.39 to 2.47: do not let {pod} start again, each start cuts the healthy WAL (see DANGER)",
            "move wbl/ out of the data directory, then upgrade to 2.48 or later",
        ],
        "wal/corrupt-head-chunks" => &[
            "stop {pod} and move chunks_head, only it, out of the data directory on the same volume",
            "start it: the WAL rebuilds it without loss; keep what was moved until then",
        ],
        "wal/corrupt-block" => &[
            "stop {pod} and find the block: the line names it, or its index does not begin with the bytes BA AA D7 00",
            "move that directory out of the data directory; the rest is served again, that time range is not",
        ],
        "wal/overlapping-blocks" => &[
            "start with --storage.tsdb.allow-overlapping-blocks (2.8 to 2.38), or upgrade to 2.39 or later",
        ],
        "wal/probe-kills-replay" => &[
            "wal --startup-budget SECONDS  makes a plan for another time",
            "custom resource, operator 0.71 and later: raise spec.maximumStartupDurationSeconds",
            "otherwise: raise startupProbe.failureThreshold of the Prometheus container; where a liveness probe kills, add a startup probe that asks /-/ready",
            "raise or drop its CPU limit: replay uses as many cores as it may",
        ],
        "wal/checkpoint-failing" => &[
            "do not restart {pod}: the next start cuts the log at the damage",
            "watch the free space of its volume, take a snapshot of it, and plan a stop",
        ],
        _ => &["kubectl prom-fix explain {code}"],
    }
}
