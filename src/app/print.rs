//! Which rendering goes to stdout.

use anyhow::{Context as _, Result, bail};

use super::{Done, Run};
use crate::classes;
use crate::cli::{self, Output};
use crate::exit::Exit;
use crate::model::report::Report;
use crate::render;

/// The reports in the form asked for.
pub fn reports(run: &Run<'_>, exit: Exit, reports: &[Report]) -> Result<Done> {
    let style = run.screen.style();
    let context = &run.context;
    let command = run.typed.job.command();
    let head = render::Head { command, exit: exit.code(), context: Some(context), message: None };
    let stdout = match run.typed.read.output {
        Output::Text => match reports {
            [one] => render::text(one, context, &style),
            many => render::sweep(many, &style),
        },
        Output::Short => render::short(reports),
        Output::Json => {
            let value = render::json(&head, reports);
            serde_json::to_string_pretty(&value).context("a report is plain data")? + "\n"
        }
        Output::Yaml => render::yaml(&render::json(&head, reports)),
        Output::Plan | Output::Patch | Output::Commit | Output::Commands => {
            return of_plan(run, exit, reports);
        }
    };
    Ok(Done::new(exit, stdout))
}

/// An output that is about the plan of one report.
fn of_plan(run: &Run<'_>, exit: Exit, reports: &[Report]) -> Result<Done> {
    let [report] = reports else {
        bail!("{} Prometheus found; name one, for this output is one plan", reports.len());
    };
    let Some(plan) = &report.plan else {
        let blocked = report.blocked.as_ref();
        let why = blocked.map_or_else(|| report.state.word().to_owned(), |b| b.why.clone());
        run.screen.fail(&format!("no plan for {}: {why}", report.target.object.short()));
        let exit = if blocked.is_some() { Exit::Blocked } else { exit };
        return Ok(Done::new(exit, String::new()));
    };
    let stdout = match run.typed.read.output {
        Output::Patch => match render::patch(plan) {
            Ok(text) => text,
            Err(why) => bail!("{why}"),
        },
        Output::Commit => render::commit(plan),
        Output::Commands => render::commands(plan, &run.context),
        Output::Plan | Output::Text | Output::Short | Output::Json | Output::Yaml => {
            render::plan_file(plan)
        }
    };
    Ok(Done::new(exit, stdout))
}

/// `explain CODE`; of a class (`oom`), or of none, the list of codes.
pub fn explain(code: Option<&str>) -> Result<Done> {
    if let Some(doc) = code.and_then(classes::doc) {
        return Ok(Done::new(Exit::Healthy, render::explain(doc)));
    }
    let docs = || classes::ALL.iter().flat_map(|c| c.docs());
    let mut out = String::new();
    for doc in docs().filter(|doc| code.is_none_or(|class| doc.code.class() == class)) {
        out.push_str(&format!("{:<34} {}\n", doc.code.0, doc.meaning));
    }
    if let (Some(code), true) = (code, out.is_empty()) {
        let guess = cli::nearest(code, docs().map(|doc| doc.code.0));
        let guess = guess.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
        bail!("there is no code {code:?}{guess};  kubectl prom-fix explain  lists all");
    }
    Ok(Done::new(Exit::Healthy, out))
}

/// Completion scripts, and the shim that kubectl itself calls.
pub fn completion(shell: &str, install: bool) -> Result<Done> {
    let mut command = cli::command();
    let shell: clap_complete::Shell = match shell {
        "bash" => clap_complete::Shell::Bash,
        "zsh" => clap_complete::Shell::Zsh,
        "fish" => clap_complete::Shell::Fish,
        "powershell" => clap_complete::Shell::PowerShell,
        _ => return shim(install),
    };
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut command, "kubectl-prom_fix", &mut out);
    Ok(Done::new(Exit::Healthy, String::from_utf8(out).context("completion is text")?))
}

/// kubectl asks a program of this name for completions of a plugin's words; this program answers
/// when it is started under it (`cli::complete`).
const SHIM: &str = "kubectl_complete-prom_fix";

fn shim(install: bool) -> Result<Done> {
    let own = std::env::current_exe().context("this program cannot tell where it is")?;
    let place = own.parent().context("this program has no folder")?.join(SHIM);
    if !install {
        let says = format!(
            "kubectl completes prom-fix when {SHIM} is on the PATH:\n  ln -s {} {}\nor let it be done:\n  kubectl prom-fix completion kubectl --install\n",
            own.display(),
            place.display()
        );
        return Ok(Done::new(Exit::Healthy, says));
    }
    if place.exists() {
        std::fs::remove_file(&place)
            .with_context(|| format!("cannot replace {}", place.display()))?;
    }
    link(&own, &place).with_context(|| format!("cannot write {}", place.display()))?;
    Ok(Done::new(Exit::Healthy, format!("wrote {}\n", place.display())))
}

#[cfg(unix)]
fn link(own: &std::path::Path, place: &std::path::Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(own, place)
}

#[cfg(not(unix))]
fn link(own: &std::path::Path, place: &std::path::Path) -> std::io::Result<()> {
    std::fs::copy(own, place.with_extension("exe")).map(|_| ())
}
