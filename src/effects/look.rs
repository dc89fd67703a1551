//! One look at what is waited for: is it there, how far is it, or will it never come.

mod errand;
mod rolled;

use serde_json::Value;

use super::cluster::{Cluster, Proxied};
use super::error::Error;
use super::guards::same;
use super::metrics::{Intake, intake};
pub(super) use rolled::is_observed;

use crate::model::log::{runs, walreplay};
use crate::model::object::{ObjectExt, ObjectRef};
use crate::model::plan::Until;

/// What one look saw.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Look {
    /// It is as wanted; says how that is known.
    Met(String),
    /// Not yet: how far, in words and as a fraction. A change of the words is progress.
    NotYet { says: String, fraction: Option<f64> },
    /// It will not come by itself.
    Hopeless(String),
}

/// What is remembered from look to look.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    uid: String,
    samples: Option<f64>,
    unreachable: u32,
    without_targets: u32,
    rollout: rolled::Memory,
}

/// A pod that was Ready a moment ago may refuse one connection; three in a row are its nature
/// (it listens on loopback, or a policy forbids it).
const UNREACHABLE_LOOKS: u32 = 3;

/// Targets appear only after a first round of discovery: Prometheus gathers for 5 s, and the
/// scrape manager looks every 5 s (`discovery/manager.go`, `scrape/manager.go`, v3.5).
const TARGETLESS_LOOKS: u32 = 15;

pub(super) async fn look(
    cluster: &Cluster,
    object: &ObjectRef,
    until: &Until,
    memory: &mut Memory,
) -> Result<Look, Error> {
    let live = cluster.get(object).await?;
    let name = object.short();
    match until {
        Until::Gone { uid } => Ok(match live {
            Some(live) if live.uid() == uid => not_yet(format!("{name}: stopping")),
            Some(_) | None => Look::Met(format!("{name} is gone")),
        }),
        Until::Stopped { uid } => Ok(match live {
            Some(live) if live.uid() == uid && !has_ended(&live) => {
                not_yet(format!("{name}: its containers are stopping"))
            }
            Some(_) | None => Look::Met(format!("{name} has stopped")),
        }),
        Until::Held { uid } => Ok(match live {
            Some(live) if live.uid() == uid && has_ended(&live) => {
                Look::Met(format!("{name} has stopped, and is held"))
            }
            Some(live) if live.uid() == uid => {
                not_yet(format!("{name}: its containers are stopping"))
            }
            // Somebody took the finalizer off: another one of its name may write by now.
            Some(_) | None => Look::Hopeless(format!("{name} is no longer held")),
        }),
        Until::Completed => Ok(match live {
            Some(live) => errand::look(cluster, object, &live).await,
            None => Look::Hopeless(format!("{name} was removed before it ended")),
        }),
        Until::Ready { not_uid } => match pod(&name, live.as_ref(), not_uid) {
            Ok(_) => Ok(Look::Met(format!("{name} is ready"))),
            Err(look) => Ok(look),
        },
        Until::Ingests { not_uid, port, prefix } => {
            let at = Door { pod: object, port: *port, prefix };
            match pod(&name, live.as_ref(), not_uid) {
                Ok(live) => ingests(cluster, &at, live, memory).await,
                Err(look) => {
                    let new = live.as_ref().filter(|pod| pod.uid() != not_uid);
                    replaying(cluster, &at, new, look).await
                }
            }
        }
        Until::Rendered { pointer, value } => Ok(rendered(&name, live.as_ref(), pointer, value)),
        Until::RolledOut { server } => {
            rolled::look(cluster, object, server.as_ref(), live.as_ref(), &mut memory.rollout).await
        }
    }
}

fn not_yet(says: String) -> Look {
    Look::NotYet { says, fraction: None }
}

/// The kubelet says the phase once all containers have ended, whatever holds the name of the pod.
fn has_ended(pod: &Value) -> bool {
    matches!(pod.text("/status/phase"), "Succeeded" | "Failed")
        || pod.text("/spec/nodeName").is_empty()
}

/// Why a pod does not start: what the scheduler says, else what a container waits for.
fn held_up(pod: &Value) -> Option<&str> {
    let unscheduled = condition(pod, "PodScheduled").filter(|c| c.text("/status") == "False");
    let waiting = pod.list("/status/containerStatuses").iter();
    let mut waiting = waiting.map(|c| c.text("/state/waiting/reason")).filter(|r| !r.is_empty());
    unscheduled.map(|c| c.text("/message")).or_else(|| waiting.next())
}

fn condition<'a>(pod: &'a Value, kind: &str) -> Option<&'a Value> {
    pod.list("/status/conditions").iter().find(|c| c.text("/type") == kind)
}

/// The new pod once it is Ready; until then, how far it is.
fn pod<'a>(name: &str, live: Option<&'a Value>, not_uid: &str) -> Result<&'a Value, Look> {
    let Some(live) = live else { return Err(not_yet(format!("{name}: not there yet"))) };
    if live.uid() == not_uid {
        return Err(not_yet(format!("{name}: the old pod is stopping")));
    }
    if let Some(why) = dies_again(name, live) {
        return Err(Look::Hopeless(why));
    }
    let stopping = live.pointer("/metadata/deletionTimestamp").is_some();
    if !stopping && condition(live, "Ready").is_some_and(|c| c.text("/status") == "True") {
        return Ok(live);
    }
    let containers = live.list("/status/containerStatuses");
    let ready = containers.iter().filter(|c| c.is_true("/ready")).count();
    let wanted = live.list("/spec/containers").len();
    let mut says = format!("{name}: {ready}/{wanted} ready");
    let restarts: i64 = containers.iter().filter_map(|c| c.number("/restartCount")).sum();
    if restarts > 0 {
        says.push_str(&format!(", {}", runs::restarts(restarts)));
    }
    match held_up(live) {
        Some(why) => says.push_str(&format!(", {why}")),
        None if live.text("/status/phase") == "Pending" => says.push_str(", Pending"),
        None => {}
    }
    Err(not_yet(says))
}

/// A new pod that falls the way the old one did: waiting on would only look like patience.
fn dies_again(name: &str, pod: &Value) -> Option<String> {
    let both = ["/status/initContainerStatuses", "/status/containerStatuses"];
    for status in both.iter().flat_map(|list| pod.list(list)) {
        let container = status.text("/name");
        let ended = [status.pointer("/state/terminated"), status.pointer("/lastState/terminated")];
        let ended = ended.into_iter().flatten().next();
        if ended.is_some_and(|e| e.text("/reason") == "OOMKilled") {
            let limit = limit_of(pod, container);
            let at = limit.map_or_else(String::new, |limit| format!(" at its limit of {limit}"));
            return Some(format!("{name}: {container} was killed again{at} (OOMKilled)"));
        }
        let restarts = status.number("/restartCount").unwrap_or(0);
        if restarts >= 2 && status.text("/state/waiting/reason") == "CrashLoopBackOff" {
            let code = ended.and_then(|e| e.number("/exitCode"));
            let code = code.map_or_else(String::new, |code| format!(", last exit code {code}"));
            return Some(format!("{name}: {container} crashed {restarts} times{code}"));
        }
    }
    None
}

fn limit_of<'a>(pod: &'a Value, container: &str) -> Option<&'a str> {
    let both = ["/spec/initContainers", "/spec/containers"];
    let found =
        both.iter().flat_map(|list| pod.list(list)).find(|c| c.text("/name") == container)?;
    Some(found.text("/resources/limits/memory")).filter(|limit| !limit.is_empty())
}

/// Where a Prometheus answers.
struct Door<'a> {
    pod: &'a ObjectRef,
    port: u16,
    prefix: &'a str,
}

impl Door<'_> {
    async fn get(&self, cluster: &Cluster, path: &str) -> Result<Proxied, Error> {
        let path = format!("{}{path}", self.prefix.trim_end_matches('/'));
        cluster.http_get(self.pod, self.port, &path).await
    }
}

async fn ingests(
    cluster: &Cluster,
    at: &Door<'_>,
    live: &Value,
    memory: &mut Memory,
) -> Result<Look, Error> {
    let name = at.pod.short();
    let ready_alone =
        |why: &str| Look::Met(format!("{name} is ready; its samples were not seen: {why}"));
    if memory.uid != live.uid() {
        *memory = Memory { uid: live.uid().into(), ..Memory::default() };
    }
    let body = match at.get(cluster, "/metrics").await? {
        Proxied::Unreachable(why) => {
            memory.unreachable += 1;
            return Ok(match memory.unreachable {
                UNREACHABLE_LOOKS.. => ready_alone(&why),
                _ => not_yet(format!("{name}: ready, does not answer yet")),
            });
        }
        Proxied::Http { status: 200, body } => body,
        Proxied::Http { status: status @ (400 | 401 | 403 | 404), .. } => {
            return Ok(ready_alone(&format!("/metrics answers {status}")));
        }
        Proxied::Http { status, .. } => {
            return Ok(not_yet(format!("{name}: ready, /metrics answers {status}")));
        }
    };
    memory.unreachable = 0;
    let Intake { samples, targets } = intake(&body);
    let Some(samples) = samples else {
        return Ok(ready_alone("/metrics is not of a Prometheus"));
    };
    let before = memory.samples.replace(samples);
    if before.is_some_and(|before| samples > before) {
        return Ok(Look::Met(format!("{name} is ready and ingests")));
    }
    memory.without_targets = if targets == 0.0 { memory.without_targets + 1 } else { 0 };
    if memory.without_targets >= TARGETLESS_LOOKS {
        return Ok(Look::Met(format!("{name} is ready; it has no targets to scrape")));
    }
    let says = match targets {
        0.0 => "it has no targets yet".to_owned(),
        1.0 => "waiting for samples of 1 target".to_owned(),
        more => format!("waiting for samples of {more} targets"),
    };
    Ok(not_yet(format!("{name}: ready, {says}")))
}

/// Adds the position of a replay to a pod that is not Ready yet.
async fn replaying(
    cluster: &Cluster,
    at: &Door<'_>,
    live: Option<&Value>,
    look: Look,
) -> Result<Look, Error> {
    let Look::NotYet { says, .. } = &look else { return Ok(look) };
    if !live.is_some_and(starts) {
        return Ok(look);
    }
    // Only news about the wait: without an answer the wait goes on as it is.
    let Ok(Proxied::Http { status: 200, body }) = at.get(cluster, "/api/v1/status/walreplay").await
    else {
        return Ok(look);
    };
    let Some(at) = walreplay::read(&body).filter(|at| at.last > at.first) else { return Ok(look) };
    let says = format!("{says}, replaying WAL {}/{}", at.now, at.last);
    let fraction = at.permille().and_then(|done| i32::try_from(done).ok());
    Ok(Look::NotYet { says, fraction: fraction.map(|done| f64::from(done) / 1000.0) })
}

/// A container of it runs, and is not ready.
fn starts(pod: &Value) -> bool {
    let statuses = pod.list("/status/containerStatuses");
    statuses.iter().any(|c| c.pointer("/state/running").is_some() && !c.is_true("/ready"))
}

fn rendered(name: &str, live: Option<&Value>, pointer: &str, value: &Value) -> Look {
    let Some(live) = live else { return not_yet(format!("{name}: not there")) };
    let here = live.pointer(pointer).unwrap_or(&Value::Null);
    match same(here, value) {
        true => Look::Met(format!("{name} carries the change")),
        false => not_yet(format!("{name}: waiting for the operator to render the change")),
    }
}
