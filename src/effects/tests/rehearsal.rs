//! What a dry run says of each step, and that it writes nothing.

use serde_json::json;

use super::*;
use crate::model::report::Rehearsal;
use plans::MEMORY;

fn rehearsed(world: &World) -> Vec<Rehearsal> {
    let before = world.state().objects.clone();
    let verdicts = run(async { rehearse(&world.cluster(), &plans::memory()).await });
    assert_eq!(world.state().objects, before);
    assert_eq!(world.state().writes, [""; 0]);
    verdicts
}

#[test]
fn a_plan_that_fits_is_accepted_as_far_as_it_can_be_known() {
    assert_eq!(
        rehearsed(&World::new()),
        [
            Rehearsal::AcceptedAsYou,
            Rehearsal::Accepted,
            Rehearsal::NotRun,
            Rehearsal::CannotBeRehearsed("follows step 1".into()),
        ]
    );
}

#[test]
fn a_plan_that_came_too_late_is_rejected_as_stale() {
    let world = World::new();
    let mut moved = plans::workload();
    *moved.pointer_mut(MEMORY).expect("set") = json!("3Gi");
    world.put(&set(), moved);
    let stale = format!("stale: {MEMORY} is 3Gi, expected 1Gi");
    assert_eq!(rehearsed(&world)[0], Rehearsal::Rejected(stale));
}

#[test]
fn the_verdict_on_the_new_pod_is_that_of_admission_or_none() {
    let access = "pods is forbidden: User \"alice\" cannot create resource \"pods\"";
    let security = "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"";
    let quota = "pods \"x\" is forbidden: exceeded quota: memory";
    for (message, verdict) in [
        (access, Rehearsal::CannotBeRehearsed(format!("forbidden: {access}"))),
        (security, Rehearsal::Rejected(security.into())),
        (quota, Rehearsal::CannotBeRehearsed(format!("a rehearsed pod counts twice: {quota}"))),
    ] {
        let world = World::new();
        world.state().forbidden.push(("POST", "/pods", message));
        assert_eq!(rehearsed(&world)[0], verdict);
    }
}
