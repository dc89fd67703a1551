//! Where fsGroup gives nobody anything: a look at whose the files are, and what follows from that.
//! The group that they have, else the user, else a change of owner.

use serde_json::{Value, json};

use super::{Case, landing, node};
use crate::classes::perms::check::denied;
use crate::classes::perms::honours::on_node;
use crate::model::log::runs;
use crate::model::object::ObjectExt;
use crate::model::plan::{Blocked, Look, Next, Plan, Tells};
use crate::subject::errand::{self, Errand, Volume};
use crate::subject::former;
use crate::subject::identity::{self, Who};
use crate::subject::pod;
use crate::subject::repair::Draft;
use crate::subject::rollout::Wanted;

/// Whose one or more files or folders are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owned {
    user: i64,
    group: i64,
    mode: u32,
    folder: bool,
}

/// `because`: why the kubelet's own way does not help.
pub(super) fn next(case: &Case<'_>, pod: &Value, because: &str) -> Result<Next, Blocked> {
    let folder = case.place(pod).volume.and_then(on_node);
    if let Some(path) = folder {
        node::may_be_changed(case, pod, path)?;
    }
    let volume = errand::volume_or_folder(case.subject, pod)?;
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let Some(who) = identity::of(spec, &case.subject.container) else {
        return Err(case.blocked(format!(
            "{because}; and which user its image runs as is not known: say it with runAsUser"
        )));
    };
    if who.user == 0 {
        return Err(case
            .blocked(format!("{because}; it runs as root, whom only the file server can refuse")));
    }
    let mut places = vec![Place { pod, volume }];
    // What is changed at the owner, all replicas get: it must fit the files of each.
    for other in case.subject.pods.iter().filter(|other| other.name() != pod.name()) {
        let volume = errand::volume_or_folder(case.subject, other)?;
        if places.iter().all(|place| place.volume.claim != volume.claim) {
            places.push(Place { pod: other, volume });
        }
    }
    let inside = &case.seen.inside;
    let refused = |place: &Place<'_>| inside.refused.get(&place.volume.claim);
    if let Some(why) = places.iter().find_map(refused) {
        let mut blocked = case.blocked(format!("{because}; no look inside: {why}"));
        blocked.ways.splice(0..0, as_before(case, pod, &who));
        return Err(blocked);
    }
    let unseen = |place: &&Place<'_>| !inside.owners.contains_key(&place.volume.claim);
    match places.iter().find(unseen) {
        Some(place) => {
            let look = look(case, &place.volume, &who, because);
            let mut ways = folder.map(|path| node::by_hand(case, pod, path)).unwrap_or_default();
            ways.extend(as_before(case, pod, &who));
            Ok(Next::Look(Look { ways, ..look }))
        }
        None => by_owners(case, &who, &places, because),
    }
}

/// What may be known without a look: whoever ran before had written there. Never back to root.
fn as_before(case: &Case<'_>, pod: &Value, now: &Who) -> Option<String> {
    let former = former::before(case.subject, case.seen, pod)?;
    if former.who.user == 0 || former.who.user == now.user {
        return None;
    }
    let Who { user, group, .. } = former.who;
    Some(format!(
        "it ran as {user}:{group} up to revision {}: if it served then, its files are likely theirs, and \
         runAsUser {user} brings it back",
        former.revision
    ))
}

/// A look that no plan needs, where one was allowed: none where the volume was looked into, or cannot
/// be.
pub(super) fn offered(case: &Case<'_>, pod: &Value) -> Option<Look> {
    let inside = &case.seen.inside;
    if inside.agents.is_empty() {
        return None;
    }
    let volume = errand::volume(case.subject, pod).ok()?;
    let known =
        inside.owners.contains_key(&volume.claim) || inside.refused.contains_key(&volume.claim);
    if known || errand::waits_for(case.seen, &volume).is_some() {
        return None;
    }
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let who = identity::of(spec, &case.subject.container).filter(|who| who.user != 0)?;
    Some(look(case, &volume, &who, "the kubelet can give this volume away"))
}

/// Refuses where a look showed that no change of owner or group would help.
pub(super) fn refuses(case: &Case<'_>, pod: &Value) -> Result<(), Blocked> {
    let Ok(volume) = errand::volume(case.subject, pod) else { return Ok(()) };
    let Some(seen) = case.seen.inside.owners.get(&volume.claim) else { return Ok(()) };
    let count = |of: &str| seen.number(&format!("/{of}/count")).unwrap_or(0);
    match count("offenders") + count("unread") {
        0 => Err(by_mode_it_may(case, pod)),
        _ => Ok(()),
    }
}

/// Neither owner nor mode refuses it.
fn by_mode_it_may(case: &Case<'_>, pod: &Value) -> Blocked {
    let label = errand::own_label(pod.get("spec").unwrap_or(&Value::Null));
    let label = label.map(|label| format!(" (it runs with {label})")).unwrap_or_default();
    case.blocked(format!(
        "by owner, group and mode it may write all of it: an access control list, a label of \
         SELinux{label}, or the share itself refuses"
    ))
}

/// A volume, and one pod that mounts it.
struct Place<'a> {
    pod: &'a Value,
    volume: Volume<'a>,
}

impl Place<'_> {
    fn seen<'a>(&self, case: &Case<'a>) -> &'a Value {
        case.seen.inside.owners.get(&self.volume.claim).unwrap_or(&Value::Null)
    }

    fn offenders(&self, case: &Case<'_>) -> i64 {
        self.seen(case).number("/offenders/count").unwrap_or(0)
    }

    /// Its pod was refused, as far as what it said can be read, and there is something that is not
    /// for it.
    fn is_to_be_given(&self, case: &Case<'_>) -> bool {
        let Case { subject, seen, .. } = case;
        let unread = || runs::of(seen, self.pod, &subject.container).dead_unread.is_some();
        let refused = || denied(subject, seen, self.pod).is_some() || unread();
        !pod::is_ready(self.pod) && refused() && self.offenders(case) > 0
    }
}

fn look(case: &Case<'_>, volume: &Volume<'_>, who: &Who, because: &str) -> Look {
    let mut arguments =
        vec!["--uid".to_owned(), who.user.to_string(), "--gid".to_owned(), who.group.to_string()];
    if !who.groups.is_empty() {
        let groups: Vec<String> = who.groups.iter().map(i64::to_string).collect();
        arguments.extend(["--groups".to_owned(), groups.join(",")]);
    }
    let asked = Errand {
        volume,
        name: "look",
        command: "owners",
        arguments,
        run_as: who.clone(),
        writes: false,
        back: None,
        why: format!("look at whose the files on {} are", volume.claim.short()),
    };
    errand::look(
        case.subject,
        case.seen,
        &asked,
        Tells::Owners,
        format!("{because}; whose the files are cannot be told from outside"),
    )
}

fn by_owners(
    case: &Case<'_>,
    who: &Who,
    places: &[Place<'_>],
    because: &str,
) -> Result<Next, Blocked> {
    let all: Vec<Owned> = places.iter().flat_map(|place| owned(place.seen(case))).collect();
    let unread = |place: &Place<'_>| place.seen(case).number("/unread/count").unwrap_or(0);
    let unread: i64 = places.iter().map(unread).sum();
    let given: Vec<&Place<'_>> = places.iter().filter(|place| place.is_to_be_given(case)).collect();
    if given.is_empty() && unread == 0 {
        let refused = places.first().map_or(&Value::Null, |place| place.pod);
        return Err(by_mode_it_may(case, refused));
    }
    if unread > 0 {
        return Err(case.blocked(format!("{because}; {unread} folders could not be looked into")));
    }
    let fits = |who: &Who| all.iter().all(|owned| may(who, owned));
    let mut groups: Vec<i64> = all.iter().map(|o| o.group).filter(|group| *group != 0).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        // fsGroup is one: what it was is not kept beside it.
        let old = case.template().number("/securityContext/fsGroup");
        let mut groups: Vec<i64> =
            who.groups.iter().copied().filter(|group| Some(*group) != old).collect();
        groups.push(group);
        if fits(&Who { groups, ..who.clone() }) {
            let title = format!("make it a member of group {group}, whose its files are");
            return fix(case, title, &[("fsGroup", json!(group))]);
        }
    }
    let mut users: Vec<i64> = all.iter().map(|o| o.user).filter(|user| *user != 0).collect();
    users.sort_unstable();
    users.dedup();
    for user in users {
        let spec = case.template();
        let group = identity::group_of(spec, &case.subject.container, user);
        if fits(&Who { user, group, groups: who.groups.clone() }) {
            if own_user(case) {
                return Err(case.blocked(format!(
                    "the files are of user {user}, and its container says another user itself: say it \
                     there"
                )));
            }
            let title = format!("run as user {user}, whose the files are");
            return fix(case, title, &[("runAsUser", json!(user))]);
        }
    }
    let offenders: i64 = given.iter().map(|place| place.offenders(case)).sum();
    let seen = given.first().map(|place| first(place.seen(case))).unwrap_or_default();
    let says = format!("{offenders} files and folders are not for it ({seen})");
    ownership(case, who, &given, &says).map(Next::Fix)
}

/// Gives the files to the process: a helper that may do that and nothing else, then another start.
/// The broken pod needs not be held for it: it never gets as far as the lock of the directory.
///
/// What gives away the files of a volume tries it on one of them before all else, and refuses where
/// it cannot. With several volumes that is tried on each before the first of them is changed.
fn ownership(
    case: &Case<'_>,
    who: &Who,
    given: &[&Place<'_>],
    says: &str,
) -> Result<Plan, Blocked> {
    let Who { user, group, .. } = who;
    if case.strictness() == Some("restricted") {
        return Err(Blocked {
            ways: vec![
                format!(
                    "an administrator gives them away where the directory lives: chown -R \
                     {user}:{group}, on the node or on the file server"
                ),
                "or lowers the level of the namespace to baseline for as long as the plan takes"
                    .into(),
            ],
            ..case.blocked(format!(
                "{says}, and the namespace's Pod Security level restricted lets nobody change an \
                 owner"
            ))
        });
    }
    for place in given {
        node::is_its_own(case, place.pod, place.seen(case))?;
    }
    let title = format!("give the files to {user}:{group}: {says}");
    let numbers =
        ["--uid", &user.to_string(), "--gid", &group.to_string()].map(str::to_owned).to_vec();
    let mut steps = Vec::new();
    for Place { volume, .. } in given.iter().skip(1) {
        let arguments = numbers.iter().cloned().chain(["--prove".to_owned()]).collect();
        let why = format!(
            "whether root may give files on {} away at all: one of them, and back",
            volume.claim.short()
        );
        steps.extend(errand::steps(case.seen, &as_root(volume, "prove", arguments, why)));
    }
    for Place { volume, .. } in given {
        let why = format!(
            "as root, with no right but this: give the files on {} to {user}:{group}",
            volume.claim.short()
        );
        let asked = Errand {
            back: Some(["restore", "--of", "chown"].map(str::to_owned).into()),
            ..as_root(volume, "own", numbers.clone(), why)
        };
        steps.extend(errand::steps(case.seen, &asked));
    }
    let wanted = Wanted { why: "it may write now".into(), ..Wanted::default() };
    let mut draft = seen_inside();
    draft.doubts.extend(given.iter().find_map(|place| node::may_be_left(case, place.pod)));
    let mut plan = case.draft(title, wanted, draft)?;
    steps.append(&mut plan.steps);
    plan.steps = steps;
    plan.undo = "yes; it stops the pod until a helper has given the files back".into();
    plan.impact.data = "untouched; the owner of files changes".into();
    Ok(plan)
}

fn as_root<'a>(
    volume: &'a Volume<'a>,
    name: &'static str,
    arguments: Vec<String>,
    why: String,
) -> Errand<'a> {
    let command = "chown";
    Errand { volume, name, command, arguments, run_as: Who::root(), writes: true, back: None, why }
}

/// Whether the container says its user itself: that of the pod would change the others only.
fn own_user(case: &Case<'_>) -> bool {
    let spec = case.template();
    let own = spec.list("/containers").iter().find(|c| c.text("/name") == case.subject.container);
    own.is_some_and(|c| c.number("/securityContext/runAsUser").is_some())
}

fn fix(case: &Case<'_>, title: String, values: &[(&str, Value)]) -> Result<Next, Blocked> {
    let mut draft = seen_inside();
    draft.doubts.extend(case.takes_numbers()?);
    let wanted = landing::in_security_context(case.subject, values, &title)?;
    case.draft(title, wanted, draft).map(Next::Fix)
}

/// Only with another look the same plan comes again.
fn seen_inside() -> Draft {
    Draft { inputs: vec!["--inspect".into()], ..Draft::default() }
}

/// `wal/00000000: 0:0 0600`.
fn first(seen: &Value) -> String {
    let Some(first) = seen.list("/offenders/first").first() else { return String::new() };
    let path = match first.text("/path") {
        "" => ".",
        path => path,
    };
    let number = |field: &str| first.number(field).unwrap_or(-1);
    format!("{path}: {}:{} {}", number("/uid"), number("/gid"), first.text("/mode"))
}

/// What the agent counted, one of each kind.
fn owned(seen: &Value) -> Vec<Owned> {
    let of = |list: &str, folder: bool| {
        let one = move |group: &Value| {
            Some(Owned {
                user: group.number("/uid")?,
                group: group.number("/gid")?,
                mode: u32::from_str_radix(group.text("/mode"), 8).ok()?,
                folder,
            })
        };
        seen.list(list).iter().filter_map(one).collect::<Vec<_>>()
    };
    let mut all = of("/folders", true);
    all.extend(of("/files", false));
    all
}

/// Whether a process may read and write it, by the three bits that are its own: the kernel looks at
/// no others.
fn may(who: &Who, owned: &Owned) -> bool {
    let bits = if owned.user == who.user {
        owned.mode >> 6
    } else if owned.group == who.group || who.groups.contains(&owned.group) {
        owned.mode >> 3
    } else {
        owned.mode
    };
    let needed = if owned.folder { 0o7 } else { 0o6 };
    bits & needed == needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_class_that_fits_decides() {
        let who = Who { user: 1, group: 2, groups: vec![3] };
        let file = |user, group, mode| Owned { user, group, mode, folder: false };
        assert!(may(&who, &file(1, 9, 0o600)));
        // Its own bits count, though those of others would allow it.
        assert!(!may(&who, &file(1, 9, 0o066)));
        assert!(may(&who, &file(9, 3, 0o060)));
        assert!(!may(&who, &file(9, 9, 0o660)));
        assert!(!may(&who, &Owned { folder: true, ..file(9, 2, 0o060) }));
    }
}
