//! The API server goes away at each write, which it has carried out or not, and comes back: soon, or
//! long after this program has given up.

use serde_json::Value;

use super::fake::Away;
use super::*;
use crate::model::receipt::State;

/// What is left at the end, without what counts how often it was written.
fn end(world: &World) -> Value {
    let set = world.object(&set());
    serde_json::json!({
        "spec": set["spec"], "generation": set["metadata"]["generation"],
        "fields": set["metadata"]["managedFields"], "pod": world.object(&pod())["status"],
    })
}

async fn open_receipt(world: &World) -> Option<Receipt> {
    let found = receipts(&world.cluster(), Some("mon")).await.expect("listed");
    found.into_iter().find(|receipt| receipt.state == State::Open)
}

/// A whole life: carried out, and taken back where asked for. How many writes that takes.
async fn whole(world: &World, back: bool) -> usize {
    let (journal, ended) = carry_out(world, plans::memory(), &mut Recorder::default()).await;
    assert!(matches!(ended, Ended::Done), "{ended:?}");
    if back {
        let undone = take_back(world, journal.receipt()).await;
        assert!(matches!(undone, Ok(Ended::Done)), "{undone:?}");
    }
    assert_eq!(open_receipt(world).await, None);
    world.state().writes.len()
}

fn away(from: usize, writes: usize, done: bool) -> World {
    let world = World::new();
    world.state().away = Some(Away { from, writes, done });
    world
}

#[test]
fn an_api_server_that_is_away_for_a_while_is_ridden_out_at_every_write() {
    for back in [false, true] {
        let undisturbed = World::new();
        let writes = run(whole(&undisturbed, back));
        for from in 1..=writes {
            for (done, lost) in [(true, 1), (true, 9), (false, 1), (false, 9)] {
                let world = away(from, lost, done);
                run(whole(&world, back));
                assert_eq!(end(&world), end(&undisturbed), "write {from}, {done}, {lost}");
            }
        }
    }
}

/// It stays away until all that this program tries has failed.
#[test]
fn what_was_given_up_can_be_finished_and_taken_back_once_it_is_there_again() {
    let undisturbed = World::new();
    let writes = run(whole(&undisturbed, false));
    for from in 1..=writes {
        for (done, finish) in [(true, true), (true, false), (false, true), (false, false)] {
            let what = format!("write {from}, {done}, {finish}");
            let world = away(from, usize::MAX, done);
            let told = run(gives_up(&world));
            world.state().away = None;
            let Some(receipt) = run(open_receipt(&world)) else {
                // Nothing was begun, or all was done: which, was not to be known.
                assert!(from == if done { writes } else { 1 }, "{what}: {told}");
                continue;
            };
            assert!(told.contains("open"), "{what}: {told}");
            run(async {
                let cluster = world.cluster();
                if finish {
                    let mut watcher = Recorder::default();
                    let resumed = resume(&cluster, &receipt, &mut watcher, &PATIENCE).await;
                    assert!(matches!(resumed, Ok((_, Ended::Done))), "{what}: {resumed:?}");
                    assert_eq!(end(&world), end(&undisturbed), "{what}");
                } else {
                    let undone = take_back(&world, &receipt).await;
                    assert!(matches!(undone, Ok(Ended::Done)), "{what}: {undone:?}");
                    let (now, before) = (world.object(&set()), plans::workload());
                    assert_eq!(now["spec"], before["spec"], "{what}");
                    let fields = "/metadata/managedFields";
                    assert_eq!(now.pointer(fields), before.pointer(fields), "{what}");
                }
                assert_eq!(open_receipt(&world).await, None, "{what}");
            });
        }
    }
}

/// What the person is told: the error, or how it ended with the state of the receipt.
async fn gives_up(world: &World) -> String {
    let cluster = world.cluster();
    match Journal::begin(&cluster, &agreed(plans::memory()), &identity()).await {
        Err(error) => error.to_string(),
        Ok(mut journal) => {
            let mut watcher = Recorder::default();
            let ended = execute(&cluster, &mut journal, &mut watcher, &PATIENCE).await;
            let is_open = journal.receipt().state == State::Open;
            format!("{ended:?} {}", if is_open { "open" } else { "closed" })
        }
    }
}
