//! What `explain` says of the codes. Facts: prometheus v3.14.0 `tsdb/db.go`, `tsdb/wlog/`,
//! `tsdb/head.go`, and runs of 2.42, 2.53 and 3.5 on damaged data.

use crate::model::{Code, CodeDoc, Stage};

/// A pod that this program keeps from starting. Of this class, which mends what it is held for.
pub const HELD: Code = Code("other/repair-unfinished");

pub const LOCKED: Code = Code("wal/locked");

/// What a survey of the files tells more of, and a salvage mends.
pub fn is_damage(code: Code) -> bool {
    code == HELD
        || matches!(
            code.0,
            "wal/corrupt-segment"
                | "wal/corrupt-checkpoint"
                | "wal/gap"
                | "wal/checkpoint-lost"
                | "wal/corrupt-wbl"
                | "wal/corrupt-head-chunks"
                | "wal/corrupt-block"
                | "wal/checkpoint-failing"
                | "wal/repaired-with-loss"
        )
}

pub const DOCS: &[CodeDoc] = &[
    CodeDoc {
        code: HELD,
        stage: Stage::Owner,
        meaning: "kubectl prom-fix holds the pod's name: `freeze` did, or a plan that is not \
                  finished",
        proof: "the pod is being deleted and bears the finalizer prom-fix.github.io/hold",
        plan: "`kubectl prom-fix wal POD --inspect` says what is wrong with its data, and with \
               --apply mends it; `undo` lets it start as it is",
        risk: "removing the finalizer by hand starts Prometheus on data that may be half repaired",
    },
    CodeDoc {
        code: LOCKED,
        stage: Stage::Storage,
        meaning: "another live process holds the lock of the data directory: a second writer",
        proof: "the log ends with \"lock DB directory: resource temporarily unavailable\". A lock \
                file that was only left behind never does this: the lock is flock, not the file. \
                Who has it: the other pods of the namespace that mount the claim are named, whose \
                they are and what they do",
        plan: "a Deployment of one replica with RollingUpdate starts the new pod beside the old one, \
               which serves and is not stopped before the new one is Ready, which it never is: \
               strategy Recreate stops the old one first. The controller does that at once and \
               leaves the new pod to its back-off of up to 5 min, so the plan replaces it as soon \
               as the directory is free; nothing serves from then until it has replayed \
               (--allow-downtime). A pod that is being deleted is waited for. A second workload on \
               the claim, replicas that share one, and a pod that does not go are named, and left \
               to you: which of two is to write the data only you know",
        risk: "deleting the file `lock` does not help and lets two processes write one log, which \
               damages it. So does deleting a pod with --force whose node does not report: the \
               object goes, the process may write on",
    },
    CodeDoc {
        code: Code("wal/gap"),
        stage: Stage::Storage,
        meaning: "the numbers of the WAL segments are not consecutive: a segment is missing, or \
                  two files bear one number",
        proof: "\"segments are not sequential\", or \"open WAL segment: N … no such file\" with N \
                above 0; the listing of wal/ shows the hole",
        plan: "`kubectl prom-fix wal --inspect` shows it, and with --apply holds the pod and mends \
               it. By hand, while Prometheus is stopped: for a missing number create an empty file \
               of that name (8 digits, same owner); for a double one (3 beside 00000003) move the odd one out; \
               for segments of two generations, at or below the number of the newest checkpoint, \
               move the old ones out",
        risk: "with an empty file only the samples of the missing segment are lost. Removing wal/ \
               loses up to three hours, and leaving chunks_head behind then puts samples under the \
               labels of other series",
    },
    CodeDoc {
        code: Code("wal/checkpoint-lost"),
        stage: Stage::Storage,
        meaning: "segments begin above 0 and the checkpoint that stood before them is gone",
        proof: "\"open WAL segment: 0: … no such file or directory\"; wal/ holds no checkpoint.N",
        plan: "`kubectl prom-fix wal --inspect`, and with --apply an empty checkpoint. By hand, \
               while Prometheus is stopped: bring the checkpoint directory back from a copy, or \
               create an empty directory checkpoint.N with N one below the first segment (accepted \
               by 2.32 and later; older ones panic on it)",
        risk: "series that only the checkpoint knew lose their samples of the last hours: the log \
               then says \"Unknown series references\"",
    },
    CodeDoc {
        code: Code("wal/corrupt-checkpoint"),
        stage: Stage::Replay,
        meaning: "the newest WAL checkpoint is damaged",
        proof: "\"backfill checkpoint: … corruption in segment …/checkpoint.N/…\"; then the start \
                ends with \"rename …/wal/00000000 …/00000000.repair: no such file or directory\"",
        plan: "`kubectl prom-fix freeze` keeps it from starting again; `wal --inspect --apply` \
               writes the checkpoint anew from its readable records: it is an ordinary WAL",
        risk: "DANGER: Prometheus takes the checkpoint's segment number for one of the WAL and \
               deletes every healthy WAL segment above it, at the first start; the second start \
               comes up almost empty (prometheus#7530)",
    },
    CodeDoc {
        code: Code("wal/corrupt-segment"),
        stage: Stage::Replay,
        meaning: "a record of a WAL segment does not match its checksum or cannot be decoded",
        proof: "\"corruption in segment …/wal/N at OFFSET\", not yet followed by \"Successfully \
                repaired WAL\"",
        plan: "`kubectl prom-fix freeze` keeps it from starting again; `wal --inspect --apply` \
               writes the segment anew from its readable records: damage is local, later pages and \
               segments are whole",
        risk: "DANGER: at its start Prometheus deletes all segments after the damage and the rest \
               of that segment. One flipped byte cost 72 % of a test log where a rewrite keeps 99 %",
    },
    CodeDoc {
        code: Code("wal/corrupt-wbl"),
        stage: Stage::Replay,
        meaning: "the log of out-of-order samples (wbl/) is damaged",
        proof: "\"corruption in segment …/wbl/N\", also under the words \"WAL read error\" (2.39 to \
                2.47)",
        plan: "`kubectl prom-fix wal --inspect` shows it, and with --apply holds the pod and writes \
               the damaged file anew from its readable records. 2.39 to 2.47 still cut their log \
               over the next damage there: upgrade. By hand, while Prometheus is stopped: move wbl/ \
               out",
        risk: "2.48 and later: out-of-order samples after the damage. 2.39 to 2.47: the repair cuts \
               the healthy WAL instead, at every start",
    },
    CodeDoc {
        code: Code("wal/corrupt-head-chunks"),
        stage: Stage::Storage,
        meaning: "a file of chunks_head has a bad header, is empty, or is missing in its sequence",
        proof: "the start ends with \"…/chunks_head/N: invalid magic number\", \"found unsequential \
                head chunk files\" or \"mmap, size 0\"",
        plan: "`kubectl prom-fix wal --inspect`, and with --apply the damaged files of chunks_head \
               are set aside; the WAL holds every sample of the head and rebuilds it",
        risk: "none where the WAL is whole; replay takes longer once",
    },
    CodeDoc {
        code: Code("wal/corrupt-block"),
        stage: Stage::Storage,
        meaning: "a block (a directory named by a ULID) cannot be opened",
        proof: "\"corrupted block ULID: …\", or on 2.49 to 3.9 only its tail: \"invalid magic \
                number\", \"read TOC\", \"mmap, size 0\". As a warning: \"Failed to read meta.json for \
                a block\", where the server starts and leaves the block out",
        plan: "`kubectl prom-fix wal --inspect` names the block, and with --apply that one directory \
               is moved aside. By hand, while Prometheus is stopped: find it (an index begins with \
               BAAAD700, a chunk file with 85BD40DD) and move it out of the data directory",
        risk: "the time range of that block is not served while it is out. \"Found healthy block\" \
               in the log means only that its meta.json was read",
    },
    CodeDoc {
        code: Code("wal/overlapping-blocks"),
        stage: Stage::Storage,
        meaning: "two blocks cover the same time, and this release (2.38 or older) refuses that",
        proof: "\"invalid block sequence: block time ranges overlap\"",
        plan: "move one of the named blocks out, or start with \
               --storage.tsdb.allow-overlapping-blocks, or upgrade to 2.39",
        risk: "a block that is moved out is not served; with the flag nothing is lost",
    },
    CodeDoc {
        code: Code("wal/probe-kills-replay"),
        stage: Stage::Replay,
        meaning: "a startup or liveness probe ends each run before the replay of the WAL is done",
        proof: "the kubelet's event \"failed startup probe, will be restarted\" while the log stands \
                in the replay; without events, a run as long as the probe allows",
        plan: "how long a replay takes is told by the segments that the killed run loaded, and when; \
               the startup probe gets twice that, at least twice what it has, in whole minutes. In \
               a custom resource by spec.maximumStartupDurationSeconds (operator 0.71 and later) or \
               an element of spec.containers, else by startupProbe.failureThreshold. A liveness \
               probe that kills stays, and is held off by a startup probe that asks /-/ready. Where \
               nothing tells, 15 min are a guess: wal --startup-budget SECONDS sets another time",
        risk: "every start that is cut short leaves one more segment to replay; no samples are lost. \
               SIGTERM does not interrupt a replay, so a longer grace period only delays the next \
               start. A CPU limit slows replay down",
    },
    CodeDoc {
        code: Code("wal/replaying"),
        stage: Stage::Replay,
        meaning: "Prometheus replays its write-ahead log; it is well and not ready yet",
        proof: "\"WAL segment loaded\" lines go on, /api/v1/status/walreplay counts up, /-/ready \
                answers 503 and /-/healthy 200",
        plan: "wait; `kubectl prom-fix wait` follows it",
        risk: "a restart begins the replay anew",
    },
    CodeDoc {
        code: Code("wal/repaired-with-loss"),
        stage: Stage::Replay,
        meaning: "Prometheus has cut its own log at a damaged place; what came after it is gone",
        proof: "\"Deleting all segments newer than corrupted segment\" and \"Successfully repaired \
                WAL\" (from 2.44 on)",
        plan: "nothing brings the deleted segments back except a copy of the volume. Find the cause \
               (full disk, kill, failing disk) and look at gaps in the recent hours",
        risk: "after the repair of a checkpoint new segments are numbered below it and are not \
               replayed at the next start: do not restart before the numbers have passed it",
    },
    CodeDoc {
        code: Code("wal/self-healed"),
        stage: Stage::Replay,
        meaning: "Prometheus discarded something that it could rebuild, or a write that was never \
                  finished; no samples were lost",
        proof: "\"Loading on-disk chunks failed\", \"Failed to load chunk snapshot\", or \"last record \
                is torn\" in the newest segment, and it went on",
        plan: "none needed; look for what ended the run before so abruptly",
        risk: "none, as long as the WAL is whole",
    },
    CodeDoc {
        code: Code("wal/checkpoint-failing"),
        stage: Stage::Serving,
        meaning: "a running server cannot cut its WAL, because a segment is damaged",
        proof: "every two hours \"create checkpoint: read segments: corruption in segment …\"",
        plan: "do not restart it. `kubectl prom-fix wal --inspect` shows the damage while it serves; \
               with --apply --allow-downtime it is stopped, the segment is written anew from its \
               readable records, and it starts",
        risk: "the WAL grows until the volume is full; a restart cuts the log at the damage",
    },
];
