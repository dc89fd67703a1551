//! What stands under the help of a sub-command: lines to copy, and how it ends. No class is named.

use crate::classes::{self, OnDisk};

/// The examples of a sub-command.
pub fn of(name: &str) -> String {
    let text = match name {
        "diagnose" => DIAGNOSE,
        "apply" => APPLY,
        "wait" => WAIT,
        "freeze" => FREEZE,
        "resume" => RESUME,
        "undo" => UNDO,
        "cleanup" => CLEANUP,
        "receipts" => RECEIPTS,
        "explain" => EXPLAIN,
        "completion" => COMPLETION,
        class => {
            let found = classes::ALL.iter().find(|c| c.name() == class);
            let on_disk = found.and_then(|c| c.on_disk()).map_or("", of_data);
            let own = found.map_or("", |c| c.examples());
            return format!("{CLASS}{own}{on_disk}").replace("CLASS", class);
        }
    };
    text.to_owned()
}

/// What more there is of a data directory on this machine.
fn of_data(told: OnDisk) -> &'static str {
    match told {
        OnDisk::Damage => DAMAGE,
        OnDisk::Head => HEAD,
        OnDisk::Owners => OWNERS,
    }
}

const DAMAGE: &str = "

What is damaged only the files tell; one helper pod reads them, and is removed again:
  kubectl prom-fix CLASS sts/prometheus -n mon --inspect    every fault, what is kept, the plan
  kubectl prom-fix CLASS sts/prometheus -n mon --inspect --apply
                                                        hold the pod, mend the log, let it go
  kubectl prom-fix freeze pod/prometheus-0 -n mon           first, where DANGER is said

A data directory on this machine, of a Prometheus that does not run; no cluster is contacted:
  kubectl prom-fix CLASS --data DIR                         every file, every fault and its cost
  kubectl prom-fix CLASS --data DIR --dry-run=client        what would be written to mend it
  kubectl prom-fix CLASS --data DIR --apply                 mend it, after asking; undo takes it back

Exit with --data: 0 no fault, or mended · 1 error · 2 faults found · 3 refused, nothing changed.";

const HEAD: &str = "

A data directory on this machine; no cluster is contacted, no Prometheus is started:
  kubectl prom-fix CLASS --data DIR                         who fills the head, what a start needs";

const OWNERS: &str = "

A data directory on this machine; no cluster is contacted:
  kubectl prom-fix CLASS --data DIR                         whose its files are";

const DIAGNOSE: &str = "\
Examples:
  kubectl prom-fix diagnose -A                             the whole cluster, one line each
  kubectl prom-fix diagnose sts/prometheus -n mon          one: its cause, and the plan for it
  kubectl prom-fix diagnose -n mon -o json                 for a script: see \"exit\", \"verdict\"
  kubectl prom-fix diagnose -n mon --record case.tar.gz    keep what was read, to show to others
  kubectl prom-fix diagnose --bundle case.tar.gz           read that, without a cluster";

const CLASS: &str = "\
Examples:
  kubectl prom-fix CLASS sts/prometheus -n mon              inspect, explain, show the plan if any
  kubectl prom-fix CLASS sts/prometheus -n mon --dry-run=server
                                                        the server says whether it would accept it
  kubectl prom-fix CLASS sts/prometheus -n mon --apply      carry it out, after asking
  kubectl prom-fix CLASS sts/prometheus -n mon -o plan      the plan, for another to carry out
  kubectl prom-fix explain CLASS                            its codes";

const APPLY: &str = "\
Examples:
  kubectl prom-fix apply -f plan.yaml                      shows it, rehearses it, asks
  kubectl prom-fix apply -f plan.yaml --confirm DIGEST     no question: this plan and no other
  kubectl prom-fix oom sts/prometheus -o plan > plan.yaml  how such a file is made

What moved since the plan was made is refused: exit 3, nothing is changed.";

const WAIT: &str = "\
Examples:
  kubectl prom-fix wait sts/prometheus -n mon
  kubectl prom-fix wait prometheus/k8s --settle 10m        healthy and ingesting for 10 minutes
  kubectl prom-fix wait prometheus/k8s --timeout 1h        give up after an hour without progress

A replay that moves on is progress, however long it takes. Progress goes to stderr, the report to
stdout. Exit: 0 healthy for --settle · 2 still broken or replaying · 4 not to be told · 124 healthy,
not proved.";

const FREEZE: &str = "\
Examples:
  kubectl prom-fix freeze pod/prometheus-0 -n mon          shows how, asks, and holds it
  kubectl prom-fix freeze sts/prometheus -n mon            the one that is broken
  kubectl prom-fix freeze pod/prometheus-0 -o commands     the same with plain kubectl
  kubectl prom-fix undo -n mon                             let it start again

Where the next start of a Prometheus deletes what can still be read, this comes first. Of a
StatefulSet the pod's name is held by a finalizer while it is deleted: set, owner, siblings and volume
stay as they are. A Deployment is scaled to 0.";

const RESUME: &str = "\
Examples:
  kubectl prom-fix resume -n mon                           the only plan of mon that is open
  kubectl prom-fix resume sts/prometheus -n mon            that of one Prometheus
  kubectl prom-fix resume 7f3a9c04d1e2 -n mon --yes        by its digest, without a question
  kubectl prom-fix resume --data DIR                       what was begun in a data directory";

const UNDO: &str = "\
Examples:
  kubectl prom-fix undo -n mon                             the only plan of mon that stands
  kubectl prom-fix undo sts/prometheus -n mon              the last one of one Prometheus
  kubectl prom-fix undo 7f3a9c04d1e2 -n mon --yes          by its digest, without a question
  kubectl prom-fix undo 7f3a9c04d1e2 -n mon --force        over values that were changed since
  kubectl prom-fix undo --data DIR                         a data directory as it was before";

const CLEANUP: &str = "\
Examples:
  kubectl prom-fix cleanup -n mon                          the only plan of mon with files aside
  kubectl prom-fix cleanup 7f3a9c04d1e2 -n mon             those of one receipt
  kubectl prom-fix cleanup sts/prometheus -n mon --inspect
                                                        look without a question; asks to free
  kubectl prom-fix cleanup 7f3a9c04d1e2 -n mon --inspect --confirm DIGEST
                                                        free what was shown under this digest

One helper pod lists what a mended log left in prom-fix-<time>/; every path is shown; another frees
that, and leaves what is not ours. Prometheus serves throughout. It is refused while the plan is not
finished; one that is not proved is followed to its proof first. Afterwards undo has no old files.";

const RECEIPTS: &str = "\
Examples:
  kubectl prom-fix receipts -n mon                         what was done there, newest first
  kubectl prom-fix receipts -A                             everywhere
  kubectl prom-fix receipts 7f3a9c04d1e2 -n mon            one, step by step
  kubectl prom-fix receipts -n mon -o json                 for a script";

const EXPLAIN: &str = "\
Examples:
  kubectl prom-fix explain oom/replay                      one code
  kubectl prom-fix explain wal                             the codes of a class
  kubectl prom-fix explain                                 all";

const COMPLETION: &str = "\
Examples:
  kubectl prom-fix completion kubectl --install            for: kubectl prom-fix <TAB>
  source <(kubectl prom-fix completion bash)               for: kubectl-prom_fix <TAB>";
