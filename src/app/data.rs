//! `--data DIR`: what `prom-fix-agent` does in a helper pod, done on this machine, and asked about
//! where it changes something.

use super::screen::Screen;
use super::{Done, answer};
use crate::agent::{self, Caller, Command, Depth, Ended};
use crate::classes::OnDisk;
use crate::cli::data::{Act, Asked};
use crate::cli::{Output, Typed};
use crate::datadir::terms;
use crate::exit::Exit;

/// One run of the agent.
struct Ran {
    ended: Ended,
    out: String,
    err: String,
}

/// Why a directory is not changed.
const NOT_CHANGED: &str = "refused, nothing was changed: ";

pub fn run(typed: &Typed, screen: &Screen, asked: &Asked) -> Done {
    let job = Job { typed, screen, asked };
    let dir = || asked.dir.clone();
    let ran = match asked.act {
        Act::Tell(OnDisk::Damage) => {
            job.run(Command::Survey { dir: dir(), depth: Depth::Full, inventory: false })
        }
        Act::Tell(OnDisk::Head) => job.run(Command::inventory(dir())),
        Act::Tell(OnDisk::Owners) => job.run(job.act(agent::Act::Owners { user: None })),
        Act::Plan => job.run(job.salvage(true)),
        Act::Mend => job.mend(),
        Act::Resume => job.asked("go on with what was begun in", agent::Act::Resume),
        Act::Undo => job.asked(
            "put back what was changed in",
            agent::Act::Restore(terms::Restore {
                force: typed.change.force,
                ..terms::Restore::default()
            }),
        ),
    };
    job.done(ran)
}

struct Job<'a> {
    typed: &'a Typed,
    screen: &'a Screen,
    asked: &'a Asked,
}

impl Job<'_> {
    fn act(&self, act: agent::Act) -> Command {
        Command::Linux { dir: self.asked.dir.clone(), act }
    }

    fn salvage(&self, dry_run: bool) -> Command {
        self.act(agent::Act::Salvage { dry_run, terms: terms::Salvage::default() })
    }

    fn json(&self) -> bool {
        self.typed.read.output == Output::Json
    }

    fn run(&self, command: Command) -> Ran {
        self.run_as(command, self.json())
    }

    fn run_as(&self, command: Command, json: bool) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (mut progress, terminal) = self.screen.progress();
        let mut screen = agent::Screen {
            out: &mut out,
            err: &mut err,
            progress: &mut progress,
            terminal,
            caller: Caller::Plugin,
        };
        let ended = agent::carry_out(&agent::Asked { command, json }, &mut screen);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { ended, out: text(out), err: text(err) }
    }

    /// Shows what would be done, asks, does it. Where there is nothing to do nobody is asked.
    fn mend(&self) -> Ran {
        let plan = self.run_as(self.salvage(true), false);
        match plan.ended {
            Ended::Error | Ended::Refused | Ended::Unfinished => return plan,
            Ended::Clean => return self.run(self.salvage(true)),
            Ended::Found => {}
        }
        if self.typed.change.yes || self.screen.asks() {
            self.screen.say(plan.out.trim_end());
        }
        if let Err(why) = self.consent("write this to") {
            return refused(&why);
        }
        // The answer was to what was shown, and a person may take their time.
        if !self.typed.change.yes && self.run_as(self.salvage(true), false).out != plan.out {
            return refused("the directory is not as it was when this was shown: look again");
        }
        let mut done = self.run(self.salvage(false));
        if done.ended == Ended::Clean && !self.json() {
            let undo = Caller::Plugin.restore(&self.asked.dir);
            done.out.push_str(&format!("To go back, before Prometheus starts:\n  {undo}\n"));
        }
        done
    }

    fn asked(&self, question: &str, act: agent::Act) -> Ran {
        match self.consent(question) {
            Ok(()) => self.run(self.act(act)),
            Err(why) => refused(&why),
        }
    }

    fn consent(&self, question: &str) -> Result<(), String> {
        if self.typed.change.yes {
            return Ok(());
        }
        let question = format!("{question} {}? (y/N) ", self.asked.dir.display());
        match self.screen.ask(&question) {
            Some(line) if matches!(line.to_ascii_lowercase().as_str(), "y" | "yes") => Ok(()),
            Some(_) => Err("the answer was not yes".to_owned()),
            None => Err("no terminal to ask on: add --yes".to_owned()),
        }
    }

    /// The report on stdout, all else on stderr; for a script that asked for JSON never nothing.
    fn done(&self, ran: Ran) -> Done {
        let Ran { ended, out, err } = ran;
        let exit = match ended {
            Ended::Clean => Exit::Healthy,
            Ended::Error => Exit::Error,
            Ended::Found => Exit::Found,
            Ended::Refused => Exit::Blocked,
            Ended::Unfinished => Exit::Unfinished,
        };
        let err = err.trim_end();
        if matches!(ended, Ended::Error | Ended::Unfinished) && !err.is_empty() {
            self.screen.fail(&format!("error: {err}"));
        } else if !err.is_empty() {
            self.screen.fail(err);
        }
        if out.is_empty() && !err.is_empty() {
            return answer::failed(self.typed, None, exit, err);
        }
        Done::new(exit, out)
    }
}

fn refused(why: &str) -> Ran {
    Ran { ended: Ended::Refused, out: String::new(), err: format!("{NOT_CHANGED}{why}") }
}
