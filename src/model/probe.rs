//! The time that a probe of the kubelet gives a container before it ends it.

use serde_json::Value;

use super::object::ObjectExt;

/// A startup or liveness probe, with the defaults of the API server filled in (core/v1 `Probe`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    pub delay_seconds: i64,
    pub period_seconds: i64,
    pub tries: i64,
    pub timeout_seconds: i64,
    /// Between SIGTERM and SIGKILL, where the probe has failed.
    pub grace_seconds: i64,
}

impl Probe {
    /// `spec` is that of the pod.
    pub fn of(probe: &Value, spec: &Value) -> Probe {
        let number = |name: &str| probe.number(&format!("/{name}"));
        let of_pod = || spec.number("/terminationGracePeriodSeconds");
        Probe {
            delay_seconds: number("initialDelaySeconds").unwrap_or(0),
            period_seconds: number("periodSeconds").unwrap_or(10).max(1),
            tries: number("failureThreshold").unwrap_or(3).max(1),
            timeout_seconds: number("timeoutSeconds").unwrap_or(1),
            grace_seconds: number("terminationGracePeriodSeconds").or_else(of_pod).unwrap_or(30),
        }
    }

    /// From the start of the container to the last try that may fail. The first comes up to a period
    /// late, so it may be one period less.
    pub fn allows_seconds(&self) -> i64 {
        self.delay_seconds.saturating_add(self.period_seconds.saturating_mul(self.tries))
    }

    /// How many tries allow as much.
    pub fn tries_for(&self, seconds: i64) -> i64 {
        let left = seconds.saturating_sub(self.delay_seconds).max(1);
        left.saturating_add(self.period_seconds - 1) / self.period_seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_said_is_as_the_api_server_has_it() {
        let probe = Probe::of(&json!({}), &json!({}));
        assert_eq!((probe.allows_seconds(), probe.grace_seconds), (30, 30));
        let slow = json!({"initialDelaySeconds": 5, "periodSeconds": 7, "failureThreshold": 2});
        let probe = Probe::of(&slow, &json!({"terminationGracePeriodSeconds": 600}));
        assert_eq!((probe.allows_seconds(), probe.grace_seconds), (19, 600));
        assert_eq!((probe.tries_for(19), probe.tries_for(20)), (2, 3));
        let own = json!({"terminationGracePeriodSeconds": 1});
        assert_eq!(
            Probe::of(&own, &json!({"terminationGracePeriodSeconds": 600})).grace_seconds,
            1
        );
    }
}
