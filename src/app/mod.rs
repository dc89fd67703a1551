//! The pipeline: gather, check, plan, show, approve, execute, prove, show. It joins the rooms and
//! decides nothing that a class decides.

mod answer;
mod asks;
#[cfg(test)]
mod asks_tests;
mod back;
mod change;
mod cleanup;
mod conclusion;
mod data;
mod examine;
mod follow;
mod freeze;
mod inside;
mod ledger;
mod missing;
mod print;
mod proof;
pub mod screen;
mod verdict;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::carried;
use crate::classes::{self, Given};
use crate::cli::{Job, Typed};
use crate::exit::Exit;
use crate::model::inside::Inside;
use crate::model::report::Context;
use crate::model::{Kind, Need};
use crate::render;
use crate::source::connect::{self, Connected};
use crate::source::outage::{Outage, Ride};
use crate::source::{self, World, bundle, live, record};
use crate::subject::discover::Target;
use screen::Screen;

/// What a run prints on stdout, and its number.
pub struct Done {
    pub exit: Exit,
    pub stdout: String,
}

impl Done {
    fn new(exit: Exit, stdout: String) -> Done {
        Done { exit, stdout }
    }
}

/// Everything a job needs besides what was typed.
pub struct Run<'a> {
    pub typed: &'a Typed,
    pub world: Rc<World>,
    /// Only with a cluster; nothing is written through it unless a job changes things.
    pub client: Option<kube::Client>,
    pub context: Context,
    /// The namespace a named target is looked for in.
    pub namespace: String,
    /// `-A`: targets of every namespace.
    pub everywhere: bool,
    pub screen: &'a Screen,
    /// What helper pods told of volumes in this run.
    pub inside: Rc<RefCell<Inside>>,
    /// With a cluster: what is made of an API server that is away.
    pub outage: Option<Arc<Outage>>,
}

/// How long the API server may be away while something is changed: a restart takes it tens of
/// seconds.
const AWAY: Duration = Duration::from_secs(120);

impl Run<'_> {
    /// From here on something may be changed: Ctrl-C stops at the next safe place, and the API server
    /// is waited for. Before, either ends the program.
    pub fn begin(&self) {
        self.screen.catch_interrupts();
        if let Some(outage) = &self.outage {
            let limit = AWAY.min(self.typed.change.timeout);
            let tell = Box::new(self.screen.teller());
            let stop = Box::new(self.screen.stopper());
            outage.ride(Ride { limit, tell, stop });
        }
    }
}

/// Does what was typed. An error is told here, in one line.
pub async fn run(typed: &Typed, screen: &Screen) -> Done {
    let mut context = None;
    let error = match work(typed, screen, &mut context).await {
        Ok(done) => return done,
        Err(error) => error,
    };
    let (word, exit) = if error.is::<missing::Unseen>() {
        ("unknown", Exit::Unknown)
    } else {
        ("error", Exit::Error)
    };
    let why = format!("{error:#}");
    screen.fail(&format!("{word}: {}", render::clean(&why)));
    answer::failed(typed, context.as_ref(), exit, &why)
}

/// `context` is set as soon as it is known which cluster is meant.
async fn work(typed: &Typed, screen: &Screen, context: &mut Option<Context>) -> Result<Done> {
    match &typed.job {
        Job::Explain { code } => return print::explain(code.as_deref()),
        Job::Completion { shell, install } => return print::completion(shell, *install),
        Job::Data(asked) => return Ok(data::run(typed, screen, asked)),
        Job::Examine { .. }
        | Job::ApplyFile { .. }
        | Job::Wait { .. }
        | Job::Freeze { .. }
        | Job::Resume { .. }
        | Job::Undo { .. }
        | Job::Cleanup { .. }
        | Job::Receipts { .. } => {}
    }
    let run = open(typed, screen).await?;
    *context = Some(run.context.clone());
    if !matches!(typed.job, Job::Examine { .. } | Job::Wait { .. } | Job::Freeze { .. }) {
        reach(&run).await?;
    }
    let done = match &typed.job {
        Job::Examine { class, target, typed: word, given } => {
            let ask = Ask { class: *class, target, word: word.as_deref(), given, proving: false };
            examine_or_change(&run, &ask).await
        }
        Job::ApplyFile { path } => change::from_file(&run, path).await,
        Job::Wait { target } => follow::wait(&run, target).await,
        Job::Freeze { target, typed: word } => freeze::freeze(&run, target, word.as_deref()).await,
        Job::Resume { which } => ledger::resume(&run, which.as_deref()).await,
        Job::Cleanup { which } => cleanup::cleanup(&run, which.as_deref()).await,
        Job::Undo { which } => ledger::undo(&run, which.as_deref()).await,
        Job::Receipts { id } => ledger::receipts(&run, id.as_deref()).await,
        Job::Explain { .. } | Job::Completion { .. } | Job::Data(_) => {
            bail!("handled before a cluster is opened")
        }
    };
    if let Err(error) = finish_recording(&run) {
        // Of a run that changed something, its own end is what counts.
        if done.is_err() || !typed.change.apply {
            return Err(error);
        }
        run.screen.fail(&format!("error: {error:#}"));
    }
    done
}

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub class: Option<&'static str>,
    pub target: &'a Target,
    /// The target as typed, for messages.
    pub word: Option<&'a str>,
    pub given: &'a Given,
    /// Only whether it is well, again and again: no way, no plan, and nothing that is read for these.
    pub proving: bool,
}

impl Ask<'_> {
    pub fn command(&self) -> &'static str {
        self.class.unwrap_or("diagnose")
    }
}

async fn open<'a>(typed: &'a Typed, screen: &'a Screen) -> Result<Run<'a>> {
    if let Some(path) = &typed.read.bundle {
        if !matches!(typed.job, Job::Examine { .. }) {
            bail!("--bundle is a recording: only diagnose and the failure classes read one");
        }
        let bundle = bundle::Bundle::open(path)?;
        let namespace = typed.kube.namespace.clone();
        let world = World::Bundle(bundle);
        let namespace = namespace.unwrap_or_else(|| world.default_namespace().to_owned());
        let context = world.context().clone();
        let world = Rc::new(world);
        let everywhere = typed.kube.all_namespaces;
        let inside = Rc::new(RefCell::new(Inside { forwards: true, ..Inside::default() }));
        return Ok(Run {
            typed,
            world,
            client: None,
            context,
            namespace,
            everywhere,
            screen,
            inside,
            outage: None,
        });
    }
    let connected = match connect::connect(&typed.kube).await {
        Ok(connected) => connected,
        // A slip in a command's name makes it a TARGET: then no cluster was meant.
        Err(why) => match &typed.job {
            Job::Examine { typed: word, .. } => bail!("{why}{}", missing::meant(word.as_deref())),
            _ => return Err(why.into()),
        },
    };
    let Connected { client, context, namespace, .. } = &connected;
    let (client, context, namespace) = (client.clone(), context.clone(), namespace.clone());
    let outage = Some(Arc::clone(&connected.outage));
    let mut world = World::Live(live::Live::new(connected));
    if typed.read.record.is_some() || typed.read.record_commands {
        world = World::Record(Box::new(record::Recorder::new(world)));
    }
    let world = Rc::new(world);
    let everywhere = typed.kube.all_namespaces;
    // A cleanup looks too, and asks about that itself.
    let looks = typed.change.inspect.is_some() || matches!(typed.job, Job::Cleanup { .. });
    let agents = if looks { carried::all().collect() } else { BTreeMap::new() };
    let consented = typed.change.inspect.is_some();
    let inside = Rc::new(RefCell::new(Inside {
        agents,
        consented,
        forwards: consented,
        image: typed.change.helper_image.clone(),
        ..Inside::default()
    }));
    let client = Some(client);
    Ok(Run { typed, world, client, context, namespace, everywhere, screen, inside, outage })
}

/// One question before a job whose first request would be one of its own: whether the server can
/// be reached and knows us is told in the same words by every command.
async fn reach(run: &Run<'_>) -> Result<()> {
    run.world.read(vec![Need::object(Kind::Namespace, "", "kube-system")]).await;
    run.world.transport_failure().map_or(Ok(()), |error| Err(error.into()))
}

fn finish_recording(run: &Run<'_>) -> Result<()> {
    let (Some(path), World::Record(recorder)) = (&run.typed.read.record, run.world.as_ref()) else {
        return Ok(());
    };
    let redacted = recorder.finish(path).context("the recording was not written")?;
    run.screen.say(&format!("recorded to {}", path.display()));
    for line in redacted {
        run.screen.say(&line);
    }
    Ok(())
}

async fn examine_or_change(run: &Run<'_>, ask: &Ask<'_>) -> Result<Done> {
    let mut all = examine::examine(run, ask).await?;
    if run.typed.read.record_commands
        && let World::Record(recorder) = run.world.as_ref()
    {
        return Ok(Done::new(
            Exit::Healthy,
            source::commands::record_commands(&recorder.needs(), &run.context.flags).join("\n")
                + "\n",
        ));
    }
    if run.typed.change.inspect.is_some() {
        all = inside::inspect(run, ask, all).await?;
    }
    if run.typed.change.apply {
        if all.len() > 1 {
            let names: Vec<String> = all.iter().map(|e| e.report.target.object.short()).collect();
            bail!("--apply works on one Prometheus; name one of: {}", names.join(", "));
        }
        let one = all.remove(0);
        return change::apply(run, ask, one).await;
    }
    if run.typed.change.dry_run == Some(crate::cli::Rehearse::Server) {
        for one in &mut all {
            change::rehearse(run, &mut one.report).await;
        }
    }
    let reports: Vec<_> = all.into_iter().map(|e| e.report).collect();
    let exit = verdict::exit_of_all(&reports, run.typed.read.fail_on);
    print::reports(run, exit, &reports)
}

/// The class of a code, where it has a sub-command.
pub(crate) fn command_of(class: &str) -> Option<&'static str> {
    classes::ALL.iter().find(|c| c.name() == class && c.command()).map(|c| c.name())
}
