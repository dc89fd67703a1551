//! What `explain` says of the codes. Facts: prometheus v3.14.0, kubernetes v1.34.

use crate::model::{Code, CodeDoc, Stage};

pub const DOCS: &[CodeDoc] = &[
    CodeDoc {
        code: Code("disk/full"),
        stage: Stage::FirstWrite,
        meaning: "the volume (or its inodes, or the node's local storage) is full",
        proof: "\"no space left on device\", \"panic: preallocate\", or SIGBUS (unexpected fault \
                address) while queries.active is mapped: 2.12 to 3.13.1 die so on a full volume",
        plan: "enlarge the claim (its StorageClass must allow it); or make a little room: move away \
               leftover *.tmp-for-creation and -deletion first, then what a salvage set aside, then \
               the oldest block; then lower --storage.tsdb.retention.size. --inspect counts each",
        risk: "writes that failed half-way damage the WAL: look at the log after the start. Never \
               remove wal/ to make room",
    },
    CodeDoc {
        code: Code("disk/io-error"),
        stage: Stage::FirstWrite,
        meaning: "the disk fails: read or write errors, or a volume that turned read-only by \
                  itself",
        proof: "\"input/output error\", or \"read-only file system\" although the spec mounts it \
                writable; the node's kernel log names the device",
        plan: "copy the volume first. Then check it, move the pod to another node or the data to \
               another volume",
        risk: "Prometheus takes a read error of the disk for a damaged WAL and cuts the log \
               there: each start on a failing disk may delete data",
    },
    CodeDoc {
        code: Code("disk/unsupported-fs"),
        stage: Stage::FirstWrite,
        meaning: "the data lies on a file system that Prometheus does not support: NFS and other \
                  shares",
        proof: "\"This filesystem is not supported\" (2.21 and later), \"no locks available\", or \
                a refused rename",
        plan: "move to a local or block volume. Without locks: --storage.tsdb.no-lockfile lets it \
               start. A refused rename: look first for an attribute that keeps files in their place \
               (lsattr -d, on the node, of the folder that the line names; a or i)",
        risk: "a share may lose or reorder writes: damage comes back. Without the lock two \
               writers may meet",
    },
    CodeDoc {
        code: Code("other/config-error"),
        stage: Stage::Config,
        meaning: "Prometheus refuses its configuration, rules or arguments; or the container \
                  refers to a Secret or ConfigMap that is not there",
        proof: "\"Error loading config\", \"Error parsing command line arguments\", exit code 2 \
                before any storage is opened; or CreateContainerConfigError",
        plan: "mend what the line names: promtool check config; a flag of another release; the \
               missing object",
        risk: "none for the data",
    },
    CodeDoc {
        code: Code("other/image"),
        stage: Stage::Container,
        meaning: "an image cannot be had",
        proof: "ImagePullBackOff or ErrImagePull, with the registry's answer",
        plan: "mend the name or tag, the pull secret, or the way to the registry",
        risk: "none for the data",
    },
    CodeDoc {
        code: Code("other/unschedulable"),
        stage: Stage::Placement,
        meaning: "no node takes the pod, or its workload may not make it",
        proof: "the condition PodScheduled is False with the scheduler's words; or events \
                FailedCreate (quota, webhook)",
        plan: "make room, lower the request, widen selector, affinity or tolerations; or raise \
               the quota that is named",
        risk: "a lower memory request lets it run where it may be evicted",
    },
    CodeDoc {
        code: Code("other/volume-stuck"),
        stage: Stage::Placement,
        meaning: "a volume cannot be attached or mounted, or a claim has none",
        proof: "events FailedAttachVolume (Multi-Attach) or FailedMount; or the scheduler waits \
                for a claim",
        plan: "Multi-Attach: find the pod on the other node that still has it, and wait until it \
               is gone; a lost node must be declared so (taint node.kubernetes.io/out-of-service) \
               before its volumes are let go",
        risk: "forcing a pod away while its node still writes damages the file system",
    },
    CodeDoc {
        code: Code("other/node-lost"),
        stage: Stage::Placement,
        meaning: "the node of the pod no longer reports",
        proof: "the node's Ready condition is not True, NodeLost, or the node is gone",
        plan: "bring the node back; or, when it is surely off, taint it \
               node.kubernetes.io/out-of-service=:NoExecute so that a set's pod and its volume \
               may move",
        risk: "declaring a node lost that still runs makes two writers of one volume",
    },
    CodeDoc {
        code: Code("other/killed-by-probe"),
        stage: Stage::Reach,
        meaning: "the liveness or startup probe ends a Prometheus that was not replaying",
        proof: "the kubelet's event: failed liveness probe, will be restarted",
        plan: "look at what the probe was answered (404, 401: bind/scheme-or-path; timeouts: \
               starved of CPU or memory); then mend the probe or the resources",
        risk: "each kill makes a replay; raising the threshold only hides a server that hangs",
    },
    CodeDoc {
        code: Code("other/killed-by-grace-period"),
        stage: Stage::Serving,
        meaning: "it was killed (exit code 137), and not for memory: it did not stop in time, or \
                  something outside killed it",
        proof: "137 with a reason other than OOMKilled; the log shows a signal to stop, or nothing",
        plan: "raise terminationGracePeriodSeconds (SIGTERM does not interrupt a replay, the \
               operator's default is 600); without a signal in the log look at the node: its \
               kernel log, its container runtime",
        risk: "every kill leaves a log to replay and may tear its last record",
    },
    CodeDoc {
        code: Code("other/scaled-to-zero"),
        stage: Stage::Owner,
        meaning: "no replica is wanted",
        proof: "spec.replicas is 0",
        plan: "scale it up where its owner keeps the number: custom resource, chart values, GitOps",
        risk: "somebody may have stopped it on purpose: ask first",
    },
    CodeDoc {
        code: Code("other/paused"),
        stage: Stage::Owner,
        meaning: "the custom resource is paused: its operator carries no change out",
        proof: "spec.paused is true",
        plan: "set spec.paused to false when whoever paused it is done",
        risk: "what changed meanwhile takes effect at once, with a rollout",
    },
    CodeDoc {
        code: Code("other/operator-down"),
        stage: Stage::Owner,
        meaning: "nobody acts on the custom resource",
        proof: "no operator runs, or none that watches this namespace, or another controller id \
                is asked for",
        plan: "bring the operator up, or widen what it watches; an error only where the workload \
               is missing or behind",
        risk: "when it comes back it carries all changes out at once",
    },
    CodeDoc {
        code: Code("other/owner-rejected"),
        stage: Stage::Owner,
        meaning: "the operator refuses the custom resource",
        proof: "its condition Reconciled is False, with the reason",
        plan: "mend what the message names; nothing else of the resource is carried out before",
        risk: "none for the data",
    },
    CodeDoc {
        code: Code("other/overloaded"),
        stage: Stage::Reach,
        meaning: "it runs, and answers too slowly",
        proof: "probes time out on a server whose log says that it is ready, and that was called ready \
                in this run or does not answer on its loopback either (--inspect). A node that does not \
                reach its pod looks the same: then it is said what to look at there",
        plan: "look for a CPU limit that throttles, a heavy query, a disk that is slow; give it \
               CPU or take the query away",
        risk: "a restart makes a replay, and the load comes back",
    },
    CodeDoc {
        code: Code("other/address-space"),
        stage: Stage::Serving,
        meaning: "a memory map is refused: address space or number of maps, not a memory limit",
        proof: "\"mmap: cannot allocate memory\" in a panic; no OOMKilled",
        plan: "64-bit image; vm.max_map_count of the node; a limit on virtual memory",
        risk: "a higher memory limit does not help",
    },
    CodeDoc {
        code: Code("other/crash"),
        stage: Stage::Serving,
        meaning: "it crashes, and no code fits: the line is shown",
        proof: "the last line of the log that ends a run, or the last line there is, with the \
                exit code",
        plan: "read the line; search Prometheus' issues for it; a container beside Prometheus is \
               named",
        risk: "unknown",
    },
];
