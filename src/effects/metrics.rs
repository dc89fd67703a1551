//! The three sums that are read from a Prometheus' own `/metrics`. Text exposition format only;
//! a histogram or a timestamp never occurs in these families.

/// What `/metrics` says about taking samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Intake {
    /// Samples appended since the process started; none where this is not a Prometheus.
    pub samples: Option<f64>,
    /// Targets it scrapes, over all pools.
    pub targets: f64,
}

/// Source: `tsdb/head.go`, `tsdb/agent/db.go`, `scrape/metrics.go` of Prometheus v3.5.
const HEAD: &str = "prometheus_tsdb_head_samples_appended_total";
const AGENT: &str = "prometheus_agent_samples_appended_total";
const TARGETS: &str = "prometheus_target_scrape_pool_targets";
const BUILD: &str = "prometheus_build_info";

pub(super) fn intake(text: &str) -> Intake {
    let samples = sum(text, HEAD).or_else(|| sum(text, AGENT));
    // The counter has no series before its first sample (seen with v2.53.3).
    let samples = samples.or_else(|| sum(text, BUILD).map(|_| 0.0));
    // A pool reports itself once it has synced: without a pool there is no line, and no target.
    Intake { samples, targets: sum(text, TARGETS).unwrap_or(0.0) }
}

/// The sum over all series of one family; none where it has no series.
fn sum(text: &str, family: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(family)?;
        let value = match rest.chars().next()? {
            // A label value may hold spaces and braces; the value follows the last brace.
            '{' => rest.rsplit_once('}')?.1,
            ' ' | '\t' => rest,
            _ => return None,
        };
        value.split_whitespace().next()?.parse::<f64>().ok()
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_go_over_all_series_of_the_family_alone() {
        let text = "\
# TYPE prometheus_tsdb_head_samples_appended_total counter
prometheus_tsdb_head_samples_appended_total{type=\"float\"} 1.5e+03
prometheus_tsdb_head_samples_appended_total{type=\"histogram\"} 2
prometheus_tsdb_head_samples_appended_total_extra 7
prometheus_target_scrape_pool_targets{scrape_job=\"a } b\"} 3
prometheus_target_scrape_pool_targets{scrape_job=\"c\"} 0
";
        assert_eq!(intake(text), Intake { samples: Some(1502.0), targets: 3.0 });
    }

    #[test]
    fn an_agent_counts_under_its_own_name() {
        let text = "prometheus_agent_samples_appended_total{type=\"float\"} 9\n";
        assert_eq!(intake(text), Intake { samples: Some(9.0), targets: 0.0 });
        assert_eq!(intake("up 1\n"), Intake { samples: None, targets: 0.0 });
        let young = "prometheus_build_info{version=\"2.53.3\"} 1\n";
        assert_eq!(intake(young), Intake { samples: Some(0.0), targets: 0.0 });
    }
}
