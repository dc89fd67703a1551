//! Containers that were never started: image, configuration of the container, and those beside
//! Prometheus that crash and so keep the pod from being ready.

use super::super::needs::is_beside;
use super::Case;
use crate::model::log::{Line, lines, runs};
use crate::model::{Code, Finding};
use crate::subject::pod::{self, ContainerState, Doing};

pub fn check(case: &Case<'_>) -> Option<Finding> {
    if case.runs.ready {
        return None;
    }
    let containers = pod::containers(case.pod);
    containers.iter().find_map(|c| waiting(case, c)).or_else(|| {
        let beside = containers.iter().find(|c| is_beside(c, &case.subject.container))?;
        // Prometheus itself is down as well: its own end tells more.
        let own = containers.iter().find(|c| c.name == case.subject.container)?;
        let only = own.ready || matches!(own.doing, Doing::Waiting { .. } | Doing::Unreported);
        let crashed = only && own.last.is_none();
        (own.ready || crashed).then(|| crashed_beside(case, beside)).flatten()
    })
}

fn waiting(case: &Case<'_>, container: &ContainerState) -> Option<Finding> {
    let Doing::Waiting { reason, message } = &container.doing else { return None };
    let field = format!("container {}", container.name);
    let text: String = format!("{reason}: {message}").chars().take(300).collect();
    let (code, says) = match reason.as_str() {
        "ImagePullBackOff"
        | "ErrImagePull"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => (Code("other/image"), "cannot get an image"),
        "CreateContainerConfigError" => {
            // Who it runs as has its own class.
            if message.contains("runAsNonRoot") || message.contains("non-numeric user") {
                return None;
            }
            (Code("other/config-error"), "refers to a Secret or ConfigMap that is not there")
        }
        "CreateContainerError" | "RunContainerError" | "PreCreateHookError" => {
            (Code("other/crash"), "has a container that cannot be started")
        }
        _ => return None,
    };
    Some(case.stops(code, says).with("image", container.image.clone()).with(&field, text))
}

fn crashed_beside(case: &Case<'_>, container: &ContainerState) -> Option<Finding> {
    let end = container.latest_end()?;
    if end.reason == "OOMKilled" || end.exit_code == 0 {
        return None;
    }
    let says = format!("is not ready: its container {} crashes", container.name);
    let text = format!(
        "exit code {}, {}, {}",
        end.exit_code,
        end.reason,
        runs::restarts(container.restarts.into())
    );
    let finding = case.stops(Code("other/crash"), says).with("last end", text);
    let log = case.seen.log(case.pod, &container.name, false).known();
    let said = lines(log.unwrap_or(&end.message));
    Some(match said.last().map(Line::quote) {
        Some(line) => finding.with("log, last line", line),
        None => finding,
    })
}
