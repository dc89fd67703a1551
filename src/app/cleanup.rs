//! `cleanup`: frees what a finished plan set aside. A helper tells what there is, every path of it is
//! shown, and another frees that; Prometheus serves throughout.

use anyhow::Result;

use super::change::{self, in_namespace};
use super::proof::{self, Proof};
use super::{Ask, Done, Run, answer, examine, ledger};
use crate::classes::Given;
use crate::effects::{self, Cluster, Consents, Ended, Error, Journal};
use crate::exit::Exit;
use crate::model::plan::{BlockedReason, Plan};
use crate::model::quantity::show_bytes;
use crate::model::receipt::{Receipt, State};
use crate::model::report::Rehearsal;
use crate::model::{Blocked, Kind, Need, Snapshot};
use crate::render;
use crate::source;
use crate::subject::discover::Target;
use crate::subject::free::{self, Aside};
use crate::subject::{Subject, rivals};

pub async fn cleanup(run: &Run<'_>, which: Option<&str>) -> Result<Done> {
    let cluster = change::cluster(run)?;
    let (list, _) = ledger::all(run, &cluster).await?;
    let free = |r: &Receipt| r.freed.as_ref().is_some_and(|freed| freed.whole);
    let by_force: Vec<String> = list.iter().filter_map(Receipt::restores_by_force).collect();
    let put_back = |r: &Receipt| r.state == State::Undone && !by_force.contains(&r.digest);
    let fits =
        |r: &Receipt| r.salvage().is_some() && (which.is_some() || !(free(r) || put_back(r)));
    let receipt = ledger::choose(list, which, &fits, "free")?;
    if let Some(freed) = receipt.freed.as_ref().filter(|freed| freed.whole) {
        let says = format!("freed already, by {} at {}", freed.by, freed.at);
        return Ok(nothing(run, &receipt, &says));
    }
    if put_back(&receipt) {
        return Ok(nothing(run, &receipt, "its undo has put all of it back"));
    }
    let work = Work { run, cluster: &cluster, receipt: &receipt };
    match work.carry_out().await? {
        Ok(done) => Ok(done),
        Err(blocked) => Ok(answer::blocked(run, &receipt.plan, &[], &blocked)),
    }
}

struct Work<'a> {
    run: &'a Run<'a>,
    cluster: &'a Cluster,
    receipt: &'a Receipt,
}

type Answer = Result<Done, Blocked>;

impl Work<'_> {
    async fn carry_out(&self) -> Result<Answer> {
        let Work { run, receipt, .. } = self;
        if receipt.state == State::Open {
            return Ok(Err(receipt.busy()));
        }
        run.screen.say(render::receipt(receipt, run.world.clock()).trim_end());
        if let Err(blocked) = self.may_look() {
            return Ok(Err(blocked));
        }
        if receipt.state == State::Applied
            && !receipt.proved
            && let Err(blocked) = self.prove().await?
        {
            return Ok(Err(blocked));
        }
        let (subject, seen, pod) = match self.see().await? {
            Ok(seen) => seen,
            Err(blocked) => return Ok(Err(blocked)),
        };
        let plan = match free::look(&subject, &seen, &pod, receipt) {
            Ok(plan) => plan,
            Err(blocked) => return Ok(Err(blocked)),
        };
        let aside = match self.look(plan).await? {
            Ok(aside) => aside,
            Err(blocked) => return Ok(Err(blocked)),
        };
        run.screen.say(render::aside(&aside.files, &aside.left).trim_end());
        if aside.files.is_empty() {
            return Ok(Ok(nothing(run, receipt, "nothing of it is set aside now")));
        }
        match free::plan(&subject, &seen, &pod, receipt, &aside) {
            Ok(plan) => self.free(plan).await,
            Err(blocked) => Ok(Err(blocked)),
        }
    }

    /// A helper is made only where somebody agreed to that.
    fn may_look(&self) -> Result<(), Blocked> {
        let Work { run, receipt, .. } = self;
        let change = &run.typed.change;
        let claim = receipt.salvage().map(|(_, claim)| claim).unwrap_or_default();
        if run.inside.borrow().agents.is_empty() {
            let why = "this build carries no agent: take a release archive or krew";
            return Err(Blocked::no_safe_plan(why, &[]));
        }
        if change.inspect.is_some() || change.yes {
            return Ok(());
        }
        let question = format!(
            "look what is set aside on pvc/{claim}, with one pod that mounts it read-only? (y/N) "
        );
        let reason = match run.screen.ask(&question) {
            Some(line) if matches!(line.to_ascii_lowercase().as_str(), "y" | "yes") => {
                return Ok(());
            }
            Some(_) => BlockedReason::Declined,
            None => BlockedReason::NeedsInspect,
        };
        let why = format!("what is set aside on pvc/{claim} only a look inside tells");
        let namespace = &receipt.plan.target.namespace;
        let look = format!(
            "kubectl prom-fix cleanup {} -n {namespace} --inspect  makes one pod that mounts it \
             read-only, shows every path, and asks",
            receipt.digest
        );
        Err(Blocked { reason, why, ways: vec![look] })
    }

    /// What was applied and never proved is followed first: its old files may be wanted yet.
    async fn prove(&self) -> Result<Result<(), Blocked>> {
        let Work { run, cluster, receipt } = self;
        let target = Target::of(&receipt.plan.target);
        let given = Given::new();
        let scoped = in_namespace(run, &receipt.plan.target.namespace);
        let ask = Ask { class: None, target: &target, word: None, given: &given, proving: false };
        run.screen.say("applied, and not proved yet: that first");
        run.begin();
        let mut watcher = run.screen.watcher();
        let proof = proof::prove(&scoped, &ask, &mut watcher).await;
        effects::Watcher::done(&mut watcher, 0, "");
        let why = match proof? {
            Proof::Proved(now, _) => match proof::promised(&scoped, receipt, &now.subject).await {
                Ok(_) => {
                    Journal::open(cluster, receipt).await?.prove(cluster, true).await?;
                    return Ok(Ok(()));
                }
                Err(why) => why,
            },
            Proof::Late(_) | Proof::Detached(_) => "it does not serve, or not long enough".into(),
        };
        let way = format!(
            "put the old files back:  kubectl prom-fix undo {} -n {}",
            receipt.digest, receipt.plan.target.namespace
        );
        let why = format!("not proved, so the old files are kept: {why}");
        Ok(Err(Blocked::no_safe_plan(why, &["look what is wrong:  kubectl prom-fix", &way])))
    }

    /// Its Prometheus, and the pod beside which a helper can be.
    async fn see(&self) -> Result<Result<(Subject, Snapshot, serde_json::Value), Blocked>> {
        let Work { run, receipt, .. } = self;
        let target = Target::of(&receipt.plan.target);
        let given = Given::new();
        let scoped = in_namespace(run, &receipt.plan.target.namespace);
        let ask = Ask { class: None, target: &target, word: None, given: &given, proving: false };
        let one = examine::again(&scoped, &ask).await?;
        let pod = match free::pod(&one.subject, receipt) {
            Ok(pod) => pod,
            Err(blocked) => return Ok(Err(blocked)),
        };
        let mut seen = Snapshot::clone(&one.seen);
        let mut needs = free::needs(&one.subject, &pod);
        needs.extend(rivals::needs(&one.subject));
        needs.push(Need::object(Kind::Namespace, "", "kube-system"));
        source::gather(&run.world, &mut seen, &mut |_| needs.clone()).await;
        Ok(Ok((one.subject, seen, pod)))
    }

    async fn look(&self, plan: Plan) -> Result<Result<Aside, Blocked>> {
        let Work { run, cluster, .. } = self;
        let approved = match effects::approve(plan, &Consents::GIVEN, "", &mut |_| None) {
            Ok(approved) => approved,
            Err(blocked) => return Ok(Err(blocked)),
        };
        run.begin();
        let who = change::identity(run);
        let mut watcher = run.screen.watcher();
        let patience = change::patience(run);
        let told = effects::look_inside(cluster, &approved, &who, &mut watcher, &patience).await;
        effects::Watcher::done(&mut watcher, 0, "");
        match told {
            Ok(told) => Ok(Ok(Aside::of(&told))),
            Err(Error::Busy { receipt }) => Ok(Err(receipt.busy())),
            Err(error) => {
                let why = format!("what is set aside could not be told: {}", error.whole());
                Ok(Err(Blocked::no_safe_plan(why, &[])))
            }
        }
    }

    async fn free(&self, plan: Plan) -> Result<Answer> {
        let Work { run, cluster, .. } = self;
        let rehearsal = vec![Rehearsal::NotRun; plan.steps.len()];
        run.screen.say(render::plan(&plan, &rehearsal, &run.screen.style()).trim_end());
        let approved = match change::approve(run, plan.clone(), &|| ()) {
            Ok(approved) => approved,
            Err(blocked) => return Ok(Ok(answer::blocked(run, &plan, &rehearsal, &blocked))),
        };
        let begun = Journal::begin(cluster, &approved, &change::identity(run)).await;
        let mut journal = match begun {
            Ok(journal) => journal,
            Err(Error::Busy { receipt }) => return Ok(Err(receipt.busy())),
            Err(error) => return Err(error.into()),
        };
        let mut watcher = run.screen.watcher();
        let patience = change::patience(run);
        let ended = effects::execute(cluster, &mut journal, &mut watcher, &patience).await;
        effects::Watcher::done(&mut watcher, 0, "");
        let why = match ended {
            Ended::Done => return Ok(Ok(freed(run, &journal))),
            Ended::Refused { error, .. } if journal.receipt().state == State::Undone => {
                return Ok(Err(Blocked::no_safe_plan(error.whole(), &[])));
            }
            Ended::Stale { why, .. } | Ended::TimedOut { says: why, .. } => why,
            Ended::Failed { error, .. } | Ended::Refused { error, .. } => error.whole(),
            Ended::Stopped { .. } | Ended::Detached => "stopped".to_owned(),
        };
        Ok(Ok(halted(run, &journal, &why)))
    }
}

/// What was freed, and what was left.
pub fn freed(run: &Run<'_>, journal: &Journal) -> Done {
    let receipt = journal.receipt();
    let plan = &receipt.plan;
    let said = receipt.steps.iter().find_map(|step| step.said.as_ref());
    let aside = said.map(Aside::of).unwrap_or_default();
    let message = format!("{} are freed", show_bytes(aside.bytes()));
    let mut text = format!(
        "FREED   {} -n {}   {}\n        {} can be undone no more\n",
        plan.target.short(),
        plan.target.namespace,
        show_bytes(aside.bytes()),
        plan.frees.as_deref().unwrap_or_default(),
    );
    for path in &aside.left {
        text.push_str(&format!("  left, not ours or changed: {}\n", render::clean(path)));
    }
    let exit = Exit::Healthy;
    answer::Answer { plan, rehearsal: &[], exit, message, blocked: None }.done(run, text)
}

fn nothing(run: &Run<'_>, receipt: &Receipt, says: &str) -> Done {
    let plan = &receipt.plan;
    let message = format!("nothing to free: {says}");
    let text = format!("{message}\n");
    let exit = Exit::Healthy;
    answer::Answer { plan, rehearsal: &[], exit, message, blocked: None }.done(run, text)
}

fn halted(run: &Run<'_>, journal: &Journal, why: &str) -> Done {
    let Receipt { digest, plan, state, .. } = journal.receipt();
    let message = format!("not freed: {why}");
    run.screen.fail(&render::clean(&message));
    let exit = match state {
        State::Open => {
            let namespace = &plan.target.namespace;
            run.screen.say(&format!("  go on:  kubectl prom-fix resume {digest} -n {namespace}"));
            Exit::Unfinished
        }
        State::Applied | State::Undone => Exit::Error,
    };
    answer::Answer { plan, rehearsal: &[], exit, message, blocked: None }.done(run, String::new())
}
