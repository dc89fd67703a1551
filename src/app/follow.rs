//! `wait`: follows recovery to the proof, and changes nothing.

use anyhow::Result;

use super::proof::{self, Proof};
use super::{Ask, Done, Run, print, verdict};
use crate::classes::Given;
use crate::exit::Exit;
use crate::subject::discover::Target;

pub async fn wait(run: &Run<'_>, target: &Target) -> Result<Done> {
    run.begin();
    let given = Given::new();
    let ask = Ask { class: None, target, word: None, given: &given, proving: false };
    let mut watcher = run.screen.watcher();
    let proof = proof::prove(run, &ask, &mut watcher).await?;
    crate::effects::Watcher::done(&mut watcher, 0, "");
    let (exit, now) = match proof {
        Proof::Proved(now, _) => (Exit::Healthy, now),
        Proof::Late(now) | Proof::Detached(now) => {
            let exit = verdict::exit(&now.report, run.typed.read.fail_on);
            (if exit == Exit::Healthy { Exit::Unproved } else { exit }, now)
        }
    };
    print::reports(run, exit, &[now.report])
}
