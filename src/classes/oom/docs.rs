//! What `explain` says of the codes of this class.

use crate::model::{Code, CodeDoc, Stage};

pub const LIMIT: Code = Code("oom/limit-below-need");
pub const REPLAY: Code = Code("oom/replay");
pub const QUERY: Code = Code("oom/query");
pub const NODE: Code = Code("oom/node");
pub const SIDECAR: Code = Code("oom/sidecar");
pub const CARDINALITY: Code = Code("oom/cardinality");

pub const ALL: &[CodeDoc] = &[
    CodeDoc {
        code: LIMIT,
        stage: Stage::Serving,
        meaning: "The kernel killed Prometheus at its own memory limit while it was serving.",
        proof: "The kubelet reports reason OOMKilled for the Prometheus container, a limit is set \
                on it (or on its pod), and its log shows that it was past its start.",
        plan: "Raise the limit, and the request with it, to what the head needs: series x bytes \
               per series x 1.5, counted on this server, on a sibling that serves or, where \
               neither answers and --inspect allows a helper pod, in its WAL; else twice the \
               limit. The value is set at the object that owns it.",
        risk: "Prometheus replays its WAL once more. With one replica nothing is scraped until \
               that ends. A limit that no node can hold leaves the pod Pending: nodes, quotas \
               and limit ranges are checked first.",
    },
    CodeDoc {
        code: REPLAY,
        stage: Stage::Replay,
        meaning: "Prometheus is killed at its memory limit while it replays its WAL, again and \
                  again; it never gets to serve.",
        proof: "Reason OOMKilled, and the log of the killed run ends inside the replay: \
                'Replaying WAL' was logged, 'Server is ready' was not.",
        plan: "Raise the limit: replay needs what the head needed before, and decoding buffers \
               on top. With --inspect a helper pod counts the series in the WAL, and the limit \
               is what they need; without it, twice the limit it was killed at. Where the replay cannot end within the startup probe's budget, the same \
               patch raises that budget. Deleting the WAL is not needed.",
        risk: "Removing wal/ instead would lose two to three hours and, if chunks_head stays, \
               put old samples under wrong series.",
    },
    CodeDoc {
        code: QUERY,
        stage: Stage::Serving,
        meaning: "A query took the memory: the head alone fits well below the limit.",
        proof: "Reason OOMKilled, the next start logged queries that had not finished, and the \
                head counted since needs less than 70 % of the limit.",
        plan: "No patch by itself: a larger limit is eaten by the next such query. Lower \
               --query.max-samples or --query.max-concurrency, mend the query, or give \
               --memory to have a plan all the same.",
        risk: "The query comes back with the dashboard or rule that sends it.",
    },
    CodeDoc {
        code: NODE,
        stage: Stage::Serving,
        meaning: "The node ran out of memory, not the container: it was evicted, or killed \
                  without a limit of its own being reached.",
        proof: "The pod was Evicted for memory, or the container was OOMKilled and neither it \
                nor its pod has a memory limit.",
        plan: "Set the memory request to what Prometheus needs, so that the scheduler finds a \
               node that has it and the kubelet evicts others first.",
        risk: "With a request that no node can hold the pod stays Pending: checked first.",
    },
    CodeDoc {
        code: SIDECAR,
        stage: Stage::Serving,
        meaning: "Another container of the pod is killed for memory, not Prometheus.",
        proof: "Reason OOMKilled on a container that does not run Prometheus.",
        plan: "Raise that container's own limit, at the object that sets it. Under the operator \
               the reloader's limit comes from the operator's flags; one resource can override \
               it with spec.containers.",
        risk: "The pod restarts, so Prometheus replays its WAL once.",
    },
    CodeDoc {
        code: CARDINALITY,
        stage: Stage::Serving,
        meaning: "One metric, label or job holds much of the head.",
        proof: "The head's own statistics (/api/v1/status/tsdb): its largest metrics, label \
                pairs and labels; of a server that is down what a helper pod counted in its WAL \
                (oom --inspect).",
        plan: "None by itself: drop or shorten what nobody queries, with the \
               metric_relabel_configs or sample_limit lines that the finding prints. They act \
               on what is scraped next; what is in the WAL is loaded all the same.",
        risk: "What is dropped at scrape time is not stored: check dashboards and rules first.",
    },
];
