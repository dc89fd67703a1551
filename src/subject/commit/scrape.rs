//! Lines of a scrape configuration that keep out what dominates a head. Names come from whatever is
//! scraped: in a pattern and in YAML they stand so that they are read as themselves.

use super::yaml::scalar;
use crate::model::plan::Snippet;

/// A name, and its series or values.
pub type Named = (String, i64);

/// What stands out of a head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dominant {
    pub metric: Option<Named>,
    pub label: Option<Named>,
    pub job: Option<Named>,
}

/// The lines in one, in the flow style.
pub fn in_one(dominant: &Dominant) -> String {
    if let Some((name, _)) = &dominant.metric {
        return format!(
            "metric_relabel_configs: [{{source_labels: [__name__], regex: {}, action: drop}}]",
            pattern(name)
        );
    }
    if let Some((name, _)) = &dominant.label {
        let name = pattern(name);
        return format!("metric_relabel_configs: [{{regex: {name}, action: labeldrop}}]");
    }
    let job = dominant.job.as_ref().map_or("the job".into(), |(name, _)| format!("job={name}"));
    format!("sample_limit: {} in the scrape config of {job}", sample_limit(dominant))
}

/// The lines as a file has them, for prometheus.yml, or for the resource from which an operator
/// writes it.
pub fn snippet(dominant: &Dominant, operated: bool) -> Snippet {
    let mut lines = Vec::new();
    let [limit, relabel, source] = match operated {
        true => ["sampleLimit", "metricRelabelings", "sourceLabels"],
        false => ["sample_limit", "metric_relabel_configs", "source_labels"],
    };
    if dominant.job.is_some() {
        let most = sample_limit(dominant);
        lines.push(format!("{limit}: {most} # a scrape of more fails whole"));
    }
    let rule = match (&dominant.metric, &dominant.label) {
        (Some((name, _)), _) => {
            Some((format!("{source}: [__name__]"), pattern(name), "drop", String::new()))
        }
        (None, Some((name, _))) => {
            let only = " # if series differ without it";
            Some((String::new(), pattern(name), "labeldrop", only.to_owned()))
        }
        (None, None) => None,
    };
    let rule = rule.map(|(source, pattern, action, note)| {
        let fields = [source, format!("regex: {pattern}"), format!("action: {action}{note}")];
        let fields: Vec<String> = fields.into_iter().filter(|field| !field.is_empty()).collect();
        format!("{relabel}:\n- {}", fields.join("\n  "))
    });
    match (operated, rule) {
        (false, rule) => lines.extend(rule),
        (true, Some(rule)) => {
            lines.push("endpoints: # of a PodMonitor: podMetricsEndpoints".into());
            lines.push(format!("- {}", rule.replace('\n', "\n  ")));
        }
        (true, None) => {}
    }
    let text = lines.join("\n");
    let text = match operated {
        true => format!("spec:\n  {}\n", text.replace('\n', "\n  ")),
        false => format!("{text}\n"),
    };
    let job = dominant.job.as_ref().map_or("its job".into(), |(name, _)| format!("job {name}"));
    let place = match operated {
        true => format!("ServiceMonitor of {job}"),
        false => format!("scrape config of {job} in prometheus.yml"),
    };
    let title = format!("{place}: no more of it is stored; what is in the WAL is loaded as before");
    Snippet { title, language: "yaml".into(), text }
}

/// A limit for the samples of one scrape that the job keeps to once the metric is dropped, with as
/// much again to grow; where nothing is dropped, half of what it has.
fn sample_limit(dominant: &Dominant) -> i64 {
    let of_job = dominant.job.as_ref().map_or(0, |(_, series)| *series);
    let most = match &dominant.metric {
        Some((_, series)) => (of_job - series).max(0).saturating_mul(2),
        None => of_job / 2,
    };
    most.max(10_000)
}

/// The pattern that matches this text and no other (RE2, anchored by Prometheus), as YAML.
fn pattern(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        if r"\.+*?()|[]{}^$".contains(one) {
            out.push('\\');
        }
        out.push(one);
    }
    scalar(&out)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Names that end a line, a quote, a key or a pattern where they are written as they are.
    const NAMES: &[&str] = &[
        "synthetic",
        "job:up:rate5m",
        "null",
        "on",
        "a'b\"c",
        "two\nlines: [x]\n- y",
        "# no comment",
        "http.requests{code=\"2..\"}|x",
        "größe 東京 \u{1f525}\u{202e}\u{2028}",
        "back\\slash$(HOME)",
        "{x: *a}",
        " led ",
    ];

    fn of_job(name: &str) -> Dominant {
        Dominant { job: Some((name.to_owned(), 30_005)), ..Dominant::default() }
    }

    fn of_metric(name: &str) -> Dominant {
        Dominant { metric: Some((name.to_owned(), 30_000)), ..of_job(name) }
    }

    fn of_label(name: &str) -> Dominant {
        Dominant { label: Some((name.to_owned(), 30_000)), ..of_job(name) }
    }

    fn read(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// As RE2 reads a pattern of nothing but letters that stand for themselves.
    fn unescaped(pattern: &Value) -> String {
        let mut out = String::new();
        let mut letters = pattern.as_str().expect("text").chars();
        while let Some(one) = letters.next() {
            out.push(if one == '\\' { letters.next().expect("a letter") } else { one });
        }
        out
    }

    #[test]
    fn any_name_is_read_back_as_itself() {
        for name in NAMES {
            let of_metric = of_metric(name);
            for text in [in_one(&of_metric), snippet(&of_metric, false).text] {
                let rule = &read(&text)["metric_relabel_configs"][0];
                assert_eq!(unescaped(&rule["regex"]), *name, "{text}");
                assert_eq!(rule["source_labels"], json!(["__name__"]), "{text}");
                assert_eq!(rule["action"], "drop");
            }
            let of_label = of_label(name);
            for text in [in_one(&of_label), snippet(&of_label, false).text] {
                let rule = &read(&text)["metric_relabel_configs"][0];
                assert_eq!(unescaped(&rule["regex"]), *name, "{text}");
                assert_eq!(rule["action"], "labeldrop");
            }
            let monitor = read(&snippet(&of_metric, true).text);
            let rule = &monitor["spec"]["endpoints"][0]["metricRelabelings"][0];
            assert_eq!(unescaped(&rule["regex"]), *name);
            assert_eq!(rule["sourceLabels"], json!(["__name__"]));
            assert_eq!(monitor["spec"]["sampleLimit"], 10_000);
        }
    }

    #[test]
    fn the_lines_are_those_of_the_file() {
        let shown = snippet(&of_metric("synthetic"), false);
        assert_eq!(
            shown.text,
            "sample_limit: 10000 # a scrape of more fails whole\n\
             metric_relabel_configs:\n- source_labels: [__name__]\n  regex: synthetic\n  \
             action: drop\n"
        );
        let limit_only = snippet(&of_job("api"), false).text;
        assert_eq!(read(&limit_only), json!({"sample_limit": 15_002}));
        let limit_only = snippet(&of_job("api"), true).text;
        assert_eq!(read(&limit_only), json!({"spec": {"sampleLimit": 15_002}}));
    }
}
