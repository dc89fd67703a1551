//! What a person does by hand.

/// Steps by hand, in order; `{pod}` is the pod of the finding.
pub(super) fn of(code: &str) -> &'static [&'static str] {
    match code {
        "wal/locked" => &[
            "find the other process on the claim: kubectl get pods -o wide, look for a second or a terminating pod",
            "stop it, or give each replica its own claim; a Deployment needs strategy Recreate",
            "do not delete the file `lock`: it is not what holds the lock",
        ],
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
