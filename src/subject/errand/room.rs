//! What a helper asks of its node, within the limits that its namespace has for every container.

use serde_json::{Value, json};

use crate::model::object::ObjectExt;
use crate::model::quantity::{parse_bytes, write_bytes};
use crate::model::{Kind, Snapshot};

/// All but an inventory takes 64 MiB at the most; one beside a survey is made of no more series than fit.
const MEMORY: (u64, u64) = (32 << 20, 128 << 20);
/// An inventory takes 180 MiB at the most.
const MEMORY_TO_COUNT: (u64, u64) = (32 << 20, 256 << 20);
/// In thousandths.
const CPU: (u64, u64) = (10, 1000);

/// Requests and limits for a command of the agent. Where the LimitRange is not known, what is enough.
pub(super) fn resources(seen: &Snapshot, namespace: &str, command: &str) -> Value {
    let ranges: Vec<&Value> = seen.items(Kind::LimitRange, namespace).collect();
    let rules = || {
        let all = ranges.iter().flat_map(|range| range.list("/spec/limits"));
        all.filter(|rule| matches!(rule.text("/type"), "Container" | "Pod"))
    };
    let of = |what: &str, wanted: (u64, u64), read: &dyn Fn(&str) -> Option<u64>| {
        let value = |rule: &Value, bound: &str| {
            rule.pointer(&format!("/{bound}/{what}")).and_then(Value::as_str).and_then(read)
        };
        let least = rules().filter_map(|rule| value(rule, "min")).max().unwrap_or(0);
        let most = rules().filter_map(|rule| value(rule, "max")).min().unwrap_or(u64::MAX);
        let limit = wanted.1.max(least).min(most);
        let ratios = rules().filter_map(|rule| {
            parse_bytes(rule.text(&format!("/maxLimitRequestRatio/{what}"))).filter(|by| *by > 0)
        });
        let share = ratios.map(|by| limit.div_ceil(by)).max().unwrap_or(0);
        (wanted.0.max(least).max(share).min(limit), limit)
    };
    let wanted = if command == "inventory" { MEMORY_TO_COUNT } else { MEMORY };
    let (memory, most_memory) = of("memory", wanted, &parse_bytes);
    let (cpu, most_cpu) = of("cpu", CPU, &milli);
    json!({
        "requests": {"cpu": write_milli(cpu), "memory": write_bytes(memory)},
        "limits": {"cpu": write_milli(most_cpu), "memory": write_bytes(most_memory)},
    })
}

fn milli(text: &str) -> Option<u64> {
    match text.strip_suffix('m') {
        Some(number) => number.parse().ok(),
        // A thousand of it, as `k` says.
        None => parse_bytes(&format!("{text}k")),
    }
}

fn write_milli(number: u64) -> String {
    if number.is_multiple_of(1000) { (number / 1000).to_string() } else { format!("{number}m") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fact, Need, Seen};

    fn with(limits: &Value) -> Value {
        let mut seen = Snapshot::new(jiff::Timestamp::UNIX_EPOCH);
        let range =
            json!({"metadata": {"name": "r", "namespace": "mon"}, "spec": {"limits": limits}});
        let need = Need::list(Kind::LimitRange, "mon");
        seen.facts.insert(need, Fact::Known(Seen::List(vec![range])));
        resources(&seen, "mon", "survey")
    }

    #[test]
    fn a_helper_keeps_to_the_limits_of_its_namespace() {
        let own = json!({"requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "1", "memory": "128Mi"}});
        assert_eq!(with(&json!([])), own);
        assert_eq!(
            with(&json!([{"type": "PersistentVolumeClaim", "min": {"memory": "1Gi"}}])),
            own
        );
        let narrow = json!([{"type": "Container", "min": {"memory": "40Mi", "cpu": "20m"},
            "max": {"memory": "512Mi", "cpu": "0.5"},
            "maxLimitRequestRatio": {"memory": "2", "cpu": "10"}}]);
        let fits = json!({"requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "500m", "memory": "128Mi"}});
        assert_eq!(with(&narrow), fits);
    }
}
